"""What goes wrong on disks and between processes: an error at once, and nothing stored is lost."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
from shelving import make_read_only, python, small_disk, write_documents

from proxycouncil.errors import LibraryError, LibraryLockedError, LibraryWriteError
from proxycouncil.retrieval import store
from proxycouncil.retrieval.changes import Change
from proxycouncil.retrieval.embedder import Vectors
from proxycouncil.retrieval.library import Library
from proxycouncil.retrieval.lock import DirectoryLock
from proxycouncil.retrieval.safekeeping import Safekeeping, owned_by_chroma, require_room

HOLD = """
import sys
from pathlib import Path
from proxycouncil.retrieval.lock import DirectoryLock
lock = DirectoryLock(Path(sys.argv[1]))
if sys.argv[2] == "writing":
    lock.write()
print("held", flush=True)
sys.stdin.read()
"""

DIE_WRITING = """
import os, signal, sys
import numpy as np
from proxycouncil.retrieval import changes
from proxycouncil.retrieval.embedder import Vectors
from proxycouncil.retrieval.library import Library

class Numbers:
    name, fingerprint = "numbers", "numbers-1"
    def encode(self, texts):
        return np.eye(8, dtype=np.float32)[[len(text) % 8 for text in texts]]

with Library(sys.argv[1], embedder=Numbers()) as library:
    library.ingest("pets", sys.argv[2] + "/pets")
    held = library.passages()
    assert len(held) == 3

    add = changes.Shelf.add
    def add_and_die(self, rows, vectors, *, batch):
        add(self, rows, vectors, batch=batch)
        os.kill(os.getpid(), signal.SIGKILL)
    changes.Shelf.add = add_and_die
    library.ingest("pets", sys.argv[2] + "/ships")
"""


class Numbers:
    """An embedder for tests in which meaning does not matter."""

    name, fingerprint = "numbers", "numbers-1"

    def encode(self, texts: Sequence[str]) -> Vectors:
        return np.eye(8, dtype=np.float32)[[len(text) % 8 for text in texts]]


def open_library(path: Path) -> Library:
    return Library(path, embedder=Numbers())


def read_then_write(path: Path, documents: Path, *, expected: int) -> None:
    """Readers share, so that a reader elsewhere is only in the way of the write."""
    with open_library(path) as library:
        assert len(library.passages()) == expected
        library.ingest("pets", documents)


def long_document(path: Path, *, kilobytes: int) -> Path:
    """Words that are not the same, so that an index of them is as large as one of prose."""
    sections = (
        f"## Section {n}\n\n" + " ".join(f"word{n * 131 + k * 17:x}" for k in range(90))
        for n in range(kilobytes)
    )
    path.write_text("# Long\n\n" + "\n\n".join(sections) + "\n", encoding="utf-8")
    return path


def fill(path: Path) -> None:
    """Take all room that is left on a disk."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(b"\0" * 65_536):
            pass


# Locks


@pytest.mark.parametrize("mode", ["reading", "writing"])
def test_who_holds_the_library_is_named(tmp_path: Path, mode: str) -> None:
    with open_library(tmp_path / "library") as library:
        library.ingest("pets", write_documents(tmp_path) / "pets")
    with python(HOLD, tmp_path / "library", mode) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        with pytest.raises(LibraryLockedError, match=rf"process {other.pid} \(.*\), {mode}") as refused:
            read_then_write(tmp_path / "library", tmp_path / "docs/ships", expected=3)
        assert refused.value.retryable
    with open_library(tmp_path / "library") as library:  # the killed holder's lock and note are gone with it
        assert library.ingest("pets", tmp_path / "docs/ships").added


def test_a_refused_writer_goes_on_reading(tmp_path: Path) -> None:
    first = DirectoryLock(tmp_path)
    second = DirectoryLock(tmp_path)
    with pytest.raises(LibraryLockedError, match=str(os.getpid())):
        first.write()
    second.release()
    first.write()
    with pytest.raises(LibraryLockedError, match="writing"):
        DirectoryLock(tmp_path)
    first.share()
    DirectoryLock(tmp_path).release()
    first.release()
    first.release()


def test_reading_goes_on_in_other_threads_while_one_ingests(tmp_path: Path) -> None:
    documents = write_documents(tmp_path)
    failures: list[Exception] = []
    done = threading.Event()
    with open_library(tmp_path / "library") as library:
        library.ingest("pets", documents / "pets")

        def read() -> None:
            while not done.is_set():
                try:
                    assert library.search("cat", domains=["pets"])
                except Exception as error:  # noqa: BLE001
                    failures.append(error)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for n in range(3):
            library.ingest(f"ships{n}", documents / "ships")
            library.ingest("pets", documents / "ships")
        done.set()
        for reader in readers:
            reader.join()
        assert not failures
        assert library.domains == ("pets", "ships0", "ships1", "ships2")


def test_two_threads_that_ingest_take_turns(tmp_path: Path) -> None:
    documents = write_documents(tmp_path)
    with open_library(tmp_path / "library") as library:
        writers = [
            threading.Thread(target=library.ingest, args=(domain, documents / domain))
            for domain in ("pets", "ships")
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert library.domains == ("pets", "ships")
        assert len(library.passages()) == 5


# Interrupted and failed writes


def test_killed_in_a_write_the_library_is_as_before(tmp_path: Path) -> None:
    with python(DIE_WRITING, tmp_path / "library", write_documents(tmp_path)) as process:
        assert process.wait() == -signal.SIGKILL
    assert Safekeeping(tmp_path / "library").unfinished
    with open_library(tmp_path / "library") as library:
        assert not Safekeeping(tmp_path / "library").unfinished
        assert {passage.title for passage in library.passages()} == {"Animals", "Cat", "Dog"}
        assert library.ingest("pets", tmp_path / "docs").added == ("docs/ships/ships.md",)
        assert len(library.passages()) == 5


def test_a_restore_may_be_interrupted_and_repeated(tmp_path: Path) -> None:
    (tmp_path / "chroma.sqlite3").write_text("old")
    index = tmp_path / "6b8b4567-0000-4000-8000-000000000000"
    index.mkdir()
    (index / "data").write_text("old")
    Safekeeping(tmp_path).take()
    (tmp_path / "chroma.sqlite3").write_text("new")
    (tmp_path / "chroma.sqlite3-journal").write_text("new")
    (tmp_path / ".before-write/chroma.sqlite3").rename(tmp_path / "chroma.sqlite3")  # as far as it came
    Safekeeping(tmp_path).restore()
    assert [path.name for path in owned_by_chroma(tmp_path)] == [index.name, "chroma.sqlite3"]
    assert (tmp_path / "chroma.sqlite3").read_text() == (index / "data").read_text() == "old"


def test_a_write_that_the_index_does_not_keep_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = write_documents(tmp_path)
    with open_library(tmp_path / "library") as library:
        library.ingest("pets", documents / "pets")

        def lose(changes: list[Change], shelves, client, encoder) -> dict[str, int]:
            client.delete_collection("pets")
            return {change.domain: 99 for change in changes}

        monkeypatch.setattr(store, "apply_changes", lose)
        with pytest.raises(LibraryWriteError, match="0 passages are there, not 99"):
            library.ingest("pets", documents / "ships")
        assert len(library.passages()) == 3
        assert library.search("cat", mode="dense")


# Disks


def test_a_disk_without_room_is_refused_before_writing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=6) as disk:
        document = long_document(tmp_path / "long.md", kilobytes=1_000)
        with open_library(disk / "library") as library:
            library.ingest("pets", write_documents(tmp_path) / "pets")
            before = {path: path.stat().st_size for path in owned_by_chroma(disk / "library")}
            with pytest.raises(
                LibraryWriteError, match=r"needs about .* MB, .* MB are free; nothing was written"
            ):
                library.ingest("long", document)
            assert {path: path.stat().st_size for path in owned_by_chroma(disk / "library")} == before
            assert library.domains == ("pets",)
            assert library.search("cat")


def test_a_disk_that_fills_up_while_writing_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "require_room", lambda *_: None)  # as if others filled it after the check
    with small_disk(tmp_path / "disk", megabytes=6) as disk:
        with open_library(disk / "library") as library:
            library.ingest("pets", write_documents(tmp_path) / "pets")
            with pytest.raises(LibraryWriteError, match="what was stored before is unchanged"):
                library.ingest("long", long_document(tmp_path / "long.md", kilobytes=1_000))
            assert library.domains == ("pets",)
            assert library.search("cat", mode="dense")
        with open_library(disk / "library") as library:
            assert len(library.passages()) == 3


def test_a_full_disk_can_be_read(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=6) as disk:
        with open_library(disk / "library") as library:
            library.ingest("pets", write_documents(tmp_path) / "pets")
        fill(disk / "filler")
        with open_library(disk / "library") as library:
            assert len(library.passages()) == 3
            with pytest.raises(LibraryWriteError):
                library.ingest("pets", tmp_path / "docs/ships")


def test_a_read_only_directory_is_read_and_not_written(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=20) as disk:
        with open_library(disk / "library") as library:
            library.ingest("pets", write_documents(tmp_path) / "pets")
        make_read_only(disk)
        with open_library(disk / "library") as library:
            assert len(library.search("cat")) == 3
            with pytest.raises(LibraryWriteError, match="read-only"):
                library.ingest("pets", tmp_path / "docs/ships")
            with pytest.raises(LibraryWriteError):
                library.remove("pets")
        with pytest.raises(LibraryWriteError, match="can't be made or written"):
            open_library(disk / "new")


def test_room_is_counted_with_the_copy_of_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "chroma.sqlite3").write_bytes(b"\0" * 1_000_000)
    require_room(tmp_path, 1_000)
    with pytest.raises(LibraryWriteError, match="is too full") as refused:
        require_room(tmp_path, 10**15)
    assert "another disk" in refused.value.hint


# A server


@contextmanager
def chroma_server(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [Path(sys.executable).with_name("chroma"), "run", "--path", folder, "--host", "127.0.0.1"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*command, "--port", str(port)], stdout=quiet, stderr=quiet) as server:
        try:
            wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def wait_for(port: int) -> None:
    for _ in range(300):
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.2)
    pytest.fail("the server did not start")


@pytest.mark.enable_socket
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # chromadb leaves connections open
def test_a_chroma_server_serves_as_well(tmp_path: Path) -> None:
    documents = write_documents(tmp_path)
    with chroma_server(tmp_path / "server") as url:
        with Library(url, embedder=Numbers(), root=tmp_path) as library:
            assert library.ingest("pets", documents / "pets").passages == 3
            assert library.ingest("pets", documents / "pets").unchanged == ("docs/pets/animals.md",)
        with Library(url, embedder=Numbers(), root=tmp_path) as library:
            assert library.search("cat")[0].title == "Cat"
            library.remove("pets")
            assert library.domains == ()
    with pytest.raises(LibraryError, match="No Chroma server answers"):
        Library(url, embedder=Numbers())
