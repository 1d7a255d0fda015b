"""A running server follows what is promoted: it looks at the pointer, and reloads when told to.

Knows files and time; how a council takes a new version over is its own business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from proxycouncil.council.versions.opening import split_reference
from proxycouncil.council.versions.store import Store
from proxycouncil.errors import CouncilError

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxycouncil.council.council import Council

Result: TypeAlias = Literal["taken", "unchanged", "refused"]
Seen: TypeAlias = tuple[int, int, int] | None

_log = logging.getLogger("uvicorn.error")
"""Where the server's own lines go."""


class Follower:
    """Takes each promoted version over as soon as it is pointed to.

    Args:
        council: of a council.toml; a pinned version (`council.toml@VERSION`) follows nothing.
        every_s: seconds between two looks at the pointer.
        told: gets the result of each reload.
    """

    def __init__(
        self, council: Council, *, every_s: float = 1.0, told: Callable[[Result], None] = lambda _: None
    ) -> None:
        self._council, self._every_s, self._told = council, every_s, told
        file, version = split_reference(council.origin)
        follows = file.suffix == ".toml" and version is None
        self._pointer = Store(file).pointer if follows else None
        self._seen = _look(self._pointer)
        # A promotion since the council was opened would be missed otherwise.
        self._asked = follows and Store(file).current != council.version

    @property
    def follows(self) -> bool:
        """Whether there is anything to follow."""
        return self._pointer is not None

    def ask(self) -> None:
        """Reload with the next look, whether or not the pointer has moved; may be called from a signal."""
        self._asked = True

    async def run(self) -> None:
        """Until cancelled."""
        while self.follows:
            await asyncio.sleep(self._every_s)
            now = _look(self._pointer)
            if self._asked or now != self._seen:
                self._asked, self._seen = False, now
                self._told(await asyncio.to_thread(self._reload))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow as long as the block is entered."""
        following = asyncio.ensure_future(self.run())
        try:
            yield
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    def _reload(self) -> Result:
        try:
            taken = self._council.reload()
        except CouncilError as error:
            # Once: the pointer has to move, or somebody to ask, before it is tried again.
            _log.error("the new version can't be used, the old one goes on: %s (%s)", error, error.hint)
            return "refused"
        except Exception:  # noqa: BLE001 (whatever it is, the old version goes on)
            _log.exception("the new version can't be used, the old one goes on")
            return "refused"
        if taken:
            _log.info("version %s answers now", self._council.version or "as written")
        return "taken" if taken else "unchanged"


def _look(pointer: Path | None) -> Seen:
    try:
        found = pointer.stat() if pointer else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size) if found else None
