"""All or nothing for a directory that a database writes in place.

Chroma rewrites its index files where they stand: a disk that fills up while it does leaves files that can
never be read again, room or not, and a file at its limit does so without an exception (seen with 1.5.9). So
what it owns is copied beside first; when the write fails, or the process dies in it, the copy is moved back,
which needs no room. Knows files; knows nothing of what is in them.
"""

from __future__ import annotations

import json
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

from proxycouncil.errors import LibraryWriteError

_COPY = ".before-write"
_MARKER = "complete.json"
_DATABASE = "chroma.sqlite3"
_SPARE_BYTES = 1_000_000


class Safekeeping:
    """The copy of a Chroma directory's files as they were before a write."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._copy = directory / _COPY
        self._marker = self._copy / _MARKER

    @property
    def unfinished(self) -> bool:
        """A writer died between `take` and `discard`."""
        return self._marker.is_file()

    def take(self) -> None:
        """Copy; nothing may be writing. The copy counts from the moment its marker stands."""
        shutil.rmtree(self._copy, ignore_errors=True)
        try:
            self._copy.mkdir()
            owned = owned_by_chroma(self._directory)
            for path in owned:
                _copy(path, self._copy / path.name)
            self._marker.write_text(json.dumps([path.name for path in owned]), encoding="utf-8")
        except OSError as error:
            shutil.rmtree(self._copy, ignore_errors=True)
            raise write_error(self._directory, error) from error

    def restore(self) -> None:
        """Put everything back; may itself be interrupted and repeated."""
        names = set(json.loads(self._marker.read_text(encoding="utf-8")))
        for path in owned_by_chroma(self._directory):
            if path.name not in names or (self._copy / path.name).exists():
                _remove(path)
        for name in names:
            with suppress(FileNotFoundError):  # moved back before an interruption
                (self._copy / name).rename(self._directory / name)
        self.discard()

    def discard(self) -> None:
        """The write is done: from here the new files count."""
        self._marker.unlink(missing_ok=True)
        shutil.rmtree(self._copy, ignore_errors=True)


def owned_by_chroma(directory: Path) -> list[Path]:
    """The database, its journals, and the index folders (named by a UUID)."""
    return [
        path for path in sorted(directory.iterdir()) if path.name.startswith(_DATABASE) or _is_uuid(path.name)
    ]


def copy_chroma_files(source: Path, target: Path) -> None:
    """A working copy, for reading what lies where Chroma can't open it."""
    for path in owned_by_chroma(source):
        _copy(path, target / path.name)


def require_room(directory: Path, more_bytes: int) -> None:
    """Refuse before writing what can't fit: the copy of what is there, and what is to come."""
    held = sum(
        file.stat().st_size
        for path in owned_by_chroma(directory)
        for file in ([path] if path.is_file() else path.iterdir())
    )
    needed = held + more_bytes + _SPARE_BYTES
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise LibraryWriteError(
            f"The disk of {directory} is too full: the write needs about {_megabytes(needed)}, "
            f"{_megabytes(free)} are free; nothing was written",
            hint="free some room, or put the library on another disk (retrieval.path)",
        )


def write_error(directory: Path, cause: Exception) -> LibraryWriteError:
    """The error for a write that failed half-way."""
    return LibraryWriteError(
        f"Writing to {directory} failed: {cause}; what was stored before is unchanged",
        hint="check that the disk has room and the directory can be written, then run the command again",
    )


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _is_uuid(name: str) -> bool:
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
