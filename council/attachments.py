"""Documents that belong to one conversation: a collection that no other sees, gone when it is forgotten.

Every conversation has a folder of its own with copies of its files and a library over them, named by a digest
of the conversation's name. Knows files and libraries; nothing of members, turns or checkpoints.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from proxycouncil.errors import LibraryWriteError, UsageError
from proxycouncil.graphs.forwarding import ForwardingSearcher, widened
from proxycouncil.retrieval.readers import read_document
from proxycouncil.retrieval.slate import arrange, within_budget

if TYPE_CHECKING:
    from proxycouncil.graphs.protocols import Searcher, SlateForm, SlateOrder
    from proxycouncil.retrieval.embedder import TextEncoder
    from proxycouncil.retrieval.library import Library
    from proxycouncil.retrieval.passage import Affinity, Excerpt

ATTACHED = "attached"
"""The one domain of such a library."""

_OPEN_AT_ONCE = 64
"""Libraries; more than conversations that are answered side by side."""


class Attachments:
    """The documents of all conversations of a council.

    Args:
        folder: says where they are kept; None: in a temporary folder, as long as this lives.
        encoder: the embedder of the council's own library, so that scores can be compared.
    """

    def __init__(
        self, folder: Callable[[], Path | None], *, encoder: Callable[[], TextEncoder | str]
    ) -> None:
        self._kept, self._encoder = folder, encoder
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._open: OrderedDict[str, Library] = OrderedDict()
        self._lock = threading.RLock()

    def add(self, thread: str, files: Sequence[Path | str]) -> tuple[str, ...]:
        """Attach documents; one of the same name takes the place of the earlier. Returns their names.

        Raises:
            UsageError: a file is missing, or of a kind that is not read; nothing is attached then.
            LibraryWriteError: the folder can't be written.
        """
        paths = [Path(file).expanduser() for file in files]
        for path in paths:
            if not read_document(path).text.strip():
                raise UsageError(f"{path} holds no text", hint="attach a document with something in it")
        with self._lock:
            copies = self._folder(thread) / "files"
            try:
                copies.mkdir(parents=True, exist_ok=True)
                for path in paths:
                    shutil.copyfile(path, copies / path.name)
            except OSError as error:
                raise LibraryWriteError(
                    f"can't keep a copy in {copies}: {error.strerror}", hint="free space, or mend its rights"
                ) from error
            self._library(thread).ingest(ATTACHED, *(copies / path.name for path in paths))
        return tuple(path.name for path in paths)

    def names(self, thread: str) -> tuple[str, ...]:
        """Of what is attached, sorted."""
        if not self.holds(thread):
            return ()
        return tuple(sorted(path.name for path in (self._folder(thread) / "files").iterdir()))

    def of(self, thread: str) -> Library | None:
        """What is attached to a conversation; None where nothing is. May open a library, so it blocks."""
        with self._lock:
            return self._library(thread) if self.holds(thread) else None

    def holds(self, thread: str | None) -> bool:
        """Whether anything is attached."""
        if thread is None or (self._kept() is None and self._temporary is None):
            return False
        return (self._folder(thread) / "library").is_dir()

    def forget(self, thread: str) -> None:
        """Remove what is attached to a conversation, copies and index."""
        with self._lock:
            if self.holds(thread):
                folder = self._folder(thread)
                if library := self._open.pop(str(folder), None):
                    library.close()
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Let go of everything; what is in a temporary folder is gone."""
        with self._lock:
            for library in self._open.values():
                library.close()
            self._open.clear()
            if self._temporary is not None:
                self._temporary.cleanup()
                self._temporary = None

    def _folder(self, thread: str) -> Path:
        """By a digest: the name of a conversation may hold anything, `..` too."""
        with self._lock:
            root = self._kept()
            if root is None:
                if self._temporary is None:
                    self._temporary = tempfile.TemporaryDirectory(prefix="council-attached-")
                root = Path(self._temporary.name)
        return root / hashlib.blake2b(thread.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def _library(self, thread: str) -> Library:
        from proxycouncil.retrieval.library import Library

        folder = self._folder(thread)
        if str(folder) not in self._open:
            self._open[str(folder)] = Library(
                folder / "library", embedder=self._encoder(), root=folder / "files"
            )
            if len(self._open) > _OPEN_AT_ONCE:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(str(folder))
        return self._open[str(folder)]


class AttachedSearcher(ForwardingSearcher["Searcher"]):
    """A council's library with what is attached to one conversation beside it: every member reads both."""

    def __init__(self, library: Searcher, attached: Library) -> None:
        super().__init__(library)
        self.attached = attached

    def affinities(self, question: str) -> Mapping[str, Affinity]:
        """The library's; what is attached widens what is in scope."""
        return widened(super().affinities(question), self.attached.affinities(question)[ATTACHED])

    def slate(
        self,
        question: str,
        *,
        domains: Sequence[str] | None = None,
        form: SlateForm = "sentences",
        limit: int = 4,
        order: SlateOrder = "best_first",
        seed: int = 0,
        budget_tokens: int | None = None,
        count_tokens: Callable[[str], int] | None = None,
    ) -> list[Excerpt]:
        """The best of both, by score; what is attached goes first where they are equal."""
        own = self.library.slate(question, domains=domains, form=form, limit=limit)
        both = [*self.attached.slate(question, form=form, limit=limit), *own]
        best = sorted(both, key=lambda excerpt: -excerpt.score)[:limit]
        return arrange(within_budget(best, budget_tokens, count_tokens), order, seed)
