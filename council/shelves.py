"""What members read: the council's library, what is attached to conversations, cut to what a base can read.

Knows libraries and citations; nothing of models, turns or events. Opens the library when it is first needed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from proxycouncil.council.assembly import Opening
from proxycouncil.council.attachments import ATTACHED, AttachedSearcher, Attachments
from proxycouncil.council.budget import BudgetedSearcher
from proxycouncil.council.checkpoints import beside
from proxycouncil.errors import LibraryError

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

    from proxycouncil.council.config import CouncilConfig
    from proxycouncil.graphs.protocols import Searcher
    from proxycouncil.graphs.state import Citation
    from proxycouncil.retrieval.embedder import TextEncoder


class Shelves:
    """The library and the attachments of one council.

    Args:
        config: the settings of now: a chat names its database after the council is made.
        opener: opens the library.
        count: tokens of a text as the base counts them, for a council with an engine of its own; None: slates
            are not cut.
    """

    def __init__(
        self,
        config: Callable[[], CouncilConfig],
        opener: Callable[[], Searcher],
        *,
        count: Callable[[str], int] | None,
    ) -> None:
        self._config, self._count = config, count
        self.library: Opening[Searcher] = Opening(opener, name="council-library")
        self.attachments = Attachments(lambda: beside(config().council.checkpoints), encoder=self._embedder)

    def searcher(self, thread: str | None = None) -> Searcher:
        """The library, with what is attached to the thread; its slates cut to what the base may read."""
        from proxycouncil.retrieval.library import Library

        library = self.library.get()
        attached = None if thread is None else self.attachments.of(thread)
        whole = library if attached is None else AttachedSearcher(library, attached)
        if self._count is None or not isinstance(whole, Library | AttachedSearcher):
            return whole
        return BudgetedSearcher(whole, tokens=self._config().retrieval.budget_tokens, count=self._count)

    def placed(self, citation: Citation, *, thread: str | None = None) -> Citation:
        """The citation with the path its document has now; inside, sources are relative and may move."""
        library = self.library.get()
        if thread is not None and citation["domain"] == ATTACHED:
            library = self.attachments.of(thread) or library
        resolve = getattr(library, "resolve", Path)
        try:
            return {**citation, "source": str(resolve(citation["source"]))}
        except LibraryError:
            return citation

    def ready(self, thread: str | None) -> bool:
        """Whether `searcher` would not have to wait for files."""
        return self.library.opened is not None and not self.attachments.holds(thread)

    def embeddings(self) -> Embeddings:
        """The library's embedder as LangChain's."""
        from proxycouncil.council.langchain.vectorstore import LibraryEmbeddings
        from proxycouncil.retrieval.embedder import Embedder

        found = self._embedder()
        return LibraryEmbeddings(Embedder(found) if isinstance(found, str) else found)

    def close(self) -> None:
        """Let go of everything that is open."""
        library = self.library.opened
        if library is not None and hasattr(library, "close"):
            library.close()
        self.attachments.close()

    def _embedder(self) -> TextEncoder | str:
        """The library's own, loaded once."""
        found: TextEncoder | str = getattr(self.library.get(), "encoder", self._config().retrieval.embedder)
        return found
