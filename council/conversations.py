"""The compiled graph, with its checkpointer and without; who may speak next in each conversation."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.store.base import BaseStore

    from proxycouncil.graphs.state import Message

T = TypeVar("T")


class Conversations:
    """Of one council, on one event loop at a time; after `close` they open again when asked.

    Args:
        checkpoints: says where conversations are kept; None: gone with the process.
        memory: says where long-term memory is kept, or is the store; None: there is none.
    """

    def __init__(
        self, checkpoints: Callable[[], str | None], *, memory: Callable[[], str | BaseStore | None]
    ) -> None:
        self._checkpoints, self._memory = checkpoints, memory
        self._store: BaseStore | None = None
        self._resources = AsyncExitStack()
        self._graphs: dict[bool, CompiledStateGraph[Any, Any, Any, Any]] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._compiling = asyncio.Lock()
        self._under_way: set[asyncio.Task[Any]] = set()

    def turn(self, thread: str) -> asyncio.Lock:
        """Held for a turn: those of one conversation go one after another."""
        return self._turns[thread]

    async def graph(self, *, remembers: bool) -> CompiledStateGraph[Any, Any, Any, Any]:
        """The compiled graph; one without a checkpointer for questions outside any conversation."""
        if remembers in self._graphs:
            return self._graphs[remembers]
        return await self._to_its_end(self._compiled(remembers=remembers))

    async def _compiled(self, *, remembers: bool) -> CompiledStateGraph[Any, Any, Any, Any]:
        async with self._compiling:
            if remembers not in self._graphs:
                from proxycouncil.graphs.council_graph import create_council_graph

                saver = await self._saver() if remembers else None
                store = await self._opened_store()
                self._graphs[remembers] = create_council_graph().compile(checkpointer=saver, store=store)
            return self._graphs[remembers]

    async def store(self) -> BaseStore | None:
        """Long-term memory; None where there is none."""
        return await self._to_its_end(self._locked_store())

    async def _locked_store(self) -> BaseStore | None:
        async with self._compiling:
            return await self._opened_store()

    async def _to_its_end(self, opening: Coroutine[Any, Any, T]) -> T:
        """Even where whoever waits is cancelled: a database that is opened by halves is never closed."""
        task = asyncio.ensure_future(opening)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)

    async def history(self, thread: str) -> list[Message]:
        """The decided turns of a conversation, oldest first."""
        graph = await self.graph(remembers=True)
        snapshot = await graph.aget_state(config_of(thread))
        return list(snapshot.values.get("history", []))

    async def waiting(self, thread: str) -> Any:  # noqa: ANN401 (what the graph interrupted itself with)
        """What a person is shown to decide the last turn; None where it is decided."""
        graph = await self.graph(remembers=True)
        snapshot = await graph.aget_state(config_of(thread))
        return snapshot.interrupts[0].value if snapshot.interrupts else None

    async def forget(self, thread: str) -> None:
        """Delete a conversation, once its turn is over."""
        async with self.turn(thread):
            graph = await self.graph(remembers=True)
            await graph.checkpointer.adelete_thread(thread)  # type: ignore[union-attr]  # compiled with one

    async def close(self) -> None:
        """Let go of the database, once it is open where it is being opened."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._resources.aclose()
        self._graphs.clear()
        self._store = None

    def forget_loop(self) -> None:
        """The event loop is gone, and a lock belongs to the loop it was waited for on."""
        self._turns.clear()
        self._compiling = asyncio.Lock()

    async def _opened_store(self) -> BaseStore | None:
        memory = self._memory()
        if self._store is None and isinstance(memory, str):
            from proxycouncil.council.checkpoints import open_store

            self._store = await self._resources.enter_async_context(open_store(memory))
        return self._store if isinstance(memory, str) else memory

    async def _saver(self) -> Any:  # noqa: ANN401 (BaseCheckpointSaver, heavy)
        from proxycouncil.council.checkpoints import open_saver

        return await self._resources.enter_async_context(open_saver(self._checkpoints()))


def config_of(thread: str) -> RunnableConfig:
    """How LangGraph is told which conversation it is."""
    return {"configurable": {"thread_id": thread}}
