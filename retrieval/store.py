"""Where passages are kept: a Chroma directory with one writer, or a Chroma server.

Knows locks, room on the disk, failed writes and stale handles, so that nobody above has to: a write happens
as a whole or not at all, and is believed only after the index has been opened anew and asked.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from proxycouncil.errors import LibraryError, LibraryWriteError
from proxycouncil.retrieval import chroma
from proxycouncil.retrieval.changes import Change, apply_changes, probe
from proxycouncil.retrieval.chroma import Row, Shelf
from proxycouncil.retrieval.embedder import TextEncoder, Vectors
from proxycouncil.retrieval.lock import DirectoryLock
from proxycouncil.retrieval.passage import Passage
from proxycouncil.retrieval.safekeeping import Safekeeping, copy_chroma_files, require_room, write_error

if TYPE_CHECKING:
    from chromadb.api.client import Client

_UNWRITABLE = ("(code: 8)", "(code: 13)", "(code: 14)")
"""SQLite's words for: read-only, full, can't be opened."""


class Store:
    """Passages and vectors by domain. Opening verifies; reading is safe from several threads.

    Args:
        location: a directory, or the address of a Chroma server ("http://…").
        encoder: whose fingerprint every collection must carry.
        verify: `False` opens what another embedder or distance made, to replace it.
    """

    def __init__(self, location: Path | str, encoder: TextEncoder, *, verify: bool = True) -> None:
        self._encoder = encoder
        self._verify = verify
        self._mutex = threading.RLock()
        self._one_writer = threading.Lock()
        self._url = str(location) if is_url(location) else None
        self._directory = Path(location).expanduser().resolve()
        self._lock: DirectoryLock | None = None
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._client: Client | None = None
        self._shelves: dict[str, Shelf] = {}
        try:
            if self._url is None:
                self._enter_directory()
            self._open()
        except BaseException:
            self.close()
            raise

    @property
    def place(self) -> str:
        """The directory or address, for people."""
        return self._url or str(self._directory)

    @property
    def directory(self) -> Path | None:
        """The directory if it can be written, where more files may be kept beside Chroma's."""
        return None if self._url or self._copy else self._directory

    @property
    def domains(self) -> tuple[str, ...]:
        """Sorted."""
        with self._mutex:  # a write has none for a moment
            return tuple(sorted(self._shelves))

    @property
    def roots(self) -> Mapping[str, str]:
        """Where each domain's sources were relative to when it was first ingested."""
        with self._mutex:
            return {domain: shelf.root for domain, shelf in self._shelves.items()}

    def collection(self, domain: str) -> tuple[Client, str]:
        """Chroma's own client and the name of the domain's collection; both end with the next write."""
        with self._mutex:
            return self._require_client(), chroma.collection_name(domain)

    def rows(self, domain: str) -> list[Row]:
        """The domain's passages, in the order of their sources."""
        with self._reading(domain) as shelf:
            return shelf.rows() if shelf else []

    def vectors(self, domain: str, source: str) -> list[tuple[Passage, NDArray[np.float32]]]:
        """What the domain holds of a document, with its vectors."""
        with self._reading(domain) as shelf:
            return shelf.vectors(source) if shelf else []

    def nearest(self, domain: str, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """Ids and cosines of the domain's nearest passages, best first."""
        with self._reading(domain) as shelf:
            return shelf.nearest(vector, limit) if shelf else []

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other process out, or raise who is in; threads wait for each other."""
        with self._one_writer:
            self._require_writable()
            if self._lock is None:
                yield
                return
            self._lock.write()
            try:
                yield
            finally:
                self._lock.share()

    def write(self, changes: Sequence[Change]) -> None:
        """Apply all of it or nothing (on a server: or a part); call it inside `alone`.

        Raises:
            LibraryWriteError: nothing has changed (on a server: see its message).
        """
        self._require_writable()
        with self._mutex:
            if self._url is None:
                self._write_or_restore(changes)
            else:
                self._write_to_server(changes)
            self._verify = True

    def close(self) -> None:
        """Let go of files and locks; harmless when repeated."""
        with self._mutex:
            self._close_client()
            if self._lock is not None:
                self._lock.release()
            if self._copy is not None:
                self._copy.cleanup()

    def _enter_directory(self) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._lock = DirectoryLock(self._directory)
        except OSError as error:
            self._work_on_copy(error)
            return
        if Safekeeping(self._directory).unfinished:
            self._lock.write()
            Safekeeping(self._directory).restore()
            self._lock.share()

    def _work_on_copy(self, cause: Exception) -> None:
        """Chroma writes when it opens, even to read: what can't be written is read from a copy."""
        if not (self._directory / "chroma.sqlite3").is_file():
            raise LibraryWriteError(
                f"{self._directory} can't be made or written: {cause}", hint="choose another directory"
            ) from cause
        self._copy = tempfile.TemporaryDirectory(prefix="proxycouncil-library-")
        copy_chroma_files(self._directory, Path(self._copy.name))

    def _open(self) -> None:
        if self._url is not None:
            self._client = chroma.open_server(self._url)
        else:
            self._client = self._open_client()
        self._shelves = chroma.open_shelves(
            self._client, self._encoder, place=self.place, verify=self._verify
        )

    def _open_client(self) -> Client:
        from chromadb.errors import ChromaError

        try:
            return chroma.open_directory(self._working_directory)
        except (ChromaError, ValueError, OSError) as error:
            if self._copy is None and any(code in str(error) for code in _UNWRITABLE):
                self._work_on_copy(error)
                return chroma.open_directory(self._working_directory)
            raise LibraryError(
                f"{self._directory} can't be opened: {error}",
                hint="close other programs that use it; if it is damaged, delete the directory and ingest "
                "the documents again",
            ) from error

    @property
    def _working_directory(self) -> Path:
        return Path(self._copy.name) if self._copy else self._directory

    def _look_again(self) -> None:
        """A directory's index may answer from memory what it has not kept; a server speaks for itself."""
        if self._url is None:
            self._close_client()
            self._open()

    def _close_client(self) -> None:
        self._shelves = {}
        if self._client is not None:
            chroma.close(self._client)
            self._client = None

    def _require_client(self) -> Client:
        if self._client is None:
            raise LibraryError(f"The library {self.place} was closed", hint="open it again")
        return self._client

    def _require_writable(self) -> None:
        if self._copy is not None:
            raise LibraryWriteError(
                f"{self._directory} can't be written (read-only or full): it is open for reading from a copy",
                hint="make it writable or free some room, or ingest into another directory",
            )

    @contextmanager
    def _reading(self, domain: str) -> Iterator[Shelf | None]:
        """Handles go stale when a write reopens the index, so none leaves this lock."""
        from chromadb.errors import ChromaError

        with self._mutex:
            self._require_client()
            try:
                yield self._shelves.get(domain)
            except ChromaError as error:
                raise LibraryError(
                    f"The index of {domain!r} in {self.place} can't be read: {error}",
                    hint="delete the library and ingest the documents again",
                ) from error

    def _write_or_restore(self, changes: Sequence[Change]) -> None:
        require_room(self._directory, sum(change.bytes for change in changes))
        safekeeping = Safekeeping(self._directory)
        self._close_client()
        try:
            safekeeping.take()
            try:
                self._open()
                self._require_writable()  # a disk that is full by now is opened from a copy
                self._write_and_probe(changes)
            except BaseException as error:
                self._close_client()
                safekeeping.restore()
                if isinstance(error, Exception):
                    raise write_error(self._directory, error) from error
                raise
            safekeeping.discard()
        finally:
            if self._client is None:
                self._open()

    def _write_to_server(self, changes: Sequence[Change]) -> None:
        try:
            self._write_and_probe(changes)
        except Exception as error:
            raise LibraryWriteError(
                f"Writing to {self.place} failed: {error}; a part may have been written",
                hint="look into the server's log, then run the command again: it completes what is missing",
            ) from error

    def _write_and_probe(self, changes: Sequence[Change]) -> None:
        expected = apply_changes(changes, self._shelves, self._require_client(), self._encoder)
        self._look_again()
        self._require_writable()
        probe(changes, self._shelves, expected)


def is_url(location: Path | str) -> bool:
    """Is it the address of a server rather than a directory?"""
    return isinstance(location, str) and location.startswith(("http://", "https://"))
