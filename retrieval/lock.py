"""One writer or any number of readers of a directory, and who they are.

`flock` on a file in the directory: the system lets go of it when a process ends, however it ends. Each
holder leaves a note with its process id and command, so that whoever is refused can be told by whom.
filelock's reader-writer lock pins a hold to a thread, but a library is opened in one and closed in another.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import sys
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from proxycouncil.errors import LibraryLockedError

Mode: TypeAlias = Literal["reading", "writing"]

LOCK_FILE = ".library.lock"
NOTES = ".library.holders"


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a library open."""

    pid: int
    command: str
    mode: Mode

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command}), {self.mode}"


class DirectoryLock:
    """Held from construction until `release`; starts shared. Never waits."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._note = directory / NOTES / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.json"
        self._file: int | None = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._take("reading")
        except LibraryLockedError:
            self.release()
            raise

    def write(self) -> None:
        """Hold it alone, or raise and go on sharing."""
        try:
            self._take("writing")
        except LibraryLockedError:
            self._take("reading")  # flock gives up the shared lock before it tries for the other
            raise

    def share(self) -> None:
        """Let readers in again."""
        self._take("reading")

    def release(self) -> None:
        """Let go; harmless when repeated."""
        if self._file is None:
            return
        self._note.unlink(missing_ok=True)
        os.close(self._file)
        self._file = None

    def _take(self, mode: Mode) -> None:
        if self._file is None:
            raise LibraryLockedError(f"{self._directory} was closed", hint="open the library again")
        kind = fcntl.LOCK_EX if mode == "writing" else fcntl.LOCK_SH
        try:
            fcntl.flock(self._file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._refusal(mode) from None
        self._leave_note(mode)

    def _leave_note(self, mode: Mode) -> None:
        with suppress(OSError):  # a courtesy: a full disk must not keep a reader out
            self._note.parent.mkdir(exist_ok=True)
            self._note.write_text(json.dumps(asdict(Holder(os.getpid(), _command(), mode))), encoding="utf-8")

    def _refusal(self, mode: Mode) -> LibraryLockedError:
        others = "; ".join(map(str, self._other_holders())) or "another process"
        return LibraryLockedError(
            f"{self._directory} can't be opened for {mode}: it is held by {others}",
            hint="wait until it has ended or end it; several processes that write use a Chroma server "
            '(retrieval.url = "http://…")',
        )

    def _other_holders(self) -> list[Holder]:
        holders = []
        for note in sorted((self._directory / NOTES).glob("*.json")):
            with suppress(OSError, ValueError, TypeError):
                holder = Holder(**json.loads(note.read_text(encoding="utf-8")))
                if note == self._note:
                    continue
                if _is_running(holder.pid):
                    holders.append(holder)
                else:
                    note.unlink(missing_ok=True)
        return holders


def _command() -> str:
    return shlex.join([Path(sys.argv[0]).name or "python", *sys.argv[1:]])[:200]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
