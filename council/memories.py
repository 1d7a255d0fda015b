"""What a council remembers of its users beyond any conversation: said by them, kept until they take it back.

Knows users and texts. How a memory gets into an answer is `graphs/memory.py`, where it is kept the settings.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from proxycouncil.errors import UsageError
from proxycouncil.graphs import memory

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

    from proxycouncil.council.background import BackgroundLoop
    from proxycouncil.graphs.state import Memory

T = TypeVar("T")


def nothing_remembered() -> UsageError:
    """What is said where memory is off."""
    return UsageError(
        "this council remembers nothing",
        hint='council.toml: [memory] store = "sqlite:///memory.db"',
    )


class Memories:
    """Of one council: each user's are read in the turns of that user alone (`ask(…, user=…)`).

    Args:
        loop: where the store lives.
        store: opens it; None: there is no memory.
    """

    def __init__(self, loop: BackgroundLoop, store: Callable[[], Awaitable[BaseStore | None]]) -> None:
        self._loop, self._store = loop, store

    def add(self, user: str, text: str, *, about: str = "") -> str:
        """Remember a text for a user; returns its key.

        Args:
            user: whose it is.
            text: one sentence or two, as members will read it.
            about: the question it answers, where it is no statement of its own.

        Raises:
            UsageError: the council remembers nothing; the text is empty or too long; the memory is full.
        """
        return self._with_store(lambda store: memory.remember(store, user, text, about=about))

    def of(self, user: str) -> list[Memory]:
        """What is remembered for a user, oldest first."""
        return self._with_store(lambda store: memory.memories(store, user))

    def forget(self, user: str, key: str | None = None) -> None:
        """Remove one memory of a user, or all of them."""
        self._with_store(lambda store: memory.forget(store, user, key))

    def _with_store(self, work: Callable[[BaseStore], Awaitable[T]]) -> T:
        async def run() -> T:
            store = await self._store()
            if store is None:
                raise nothing_remembered()
            return await work(store)

        return self._loop.run(run())
