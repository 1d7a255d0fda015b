"""`CouncilRetriever`: the council's library as a LangChain retriever."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field, PositiveInt

from proxycouncil.council.langchain.opening import STARTER, chosen_council
from proxycouncil.council.questions import cleaned
from proxycouncil.graphs.protocols import SlateForm

if TYPE_CHECKING:
    from langchain_core.callbacks import (
        AsyncCallbackManagerForRetrieverRun,
        CallbackManagerForRetrieverRun,
    )

    from proxycouncil.retrieval.passage import Excerpt


class CouncilRetriever(BaseRetriever):
    """Hybrid search over one collection, several, or all; what the members themselves read.

    A document is a passage, or with `form="sentences"` a sentence of one; its metadata say where it stands:
    `source[start:end] == page_content`.
    """

    origin: str = STARTER
    """`starter`, or the path of a council.toml; its council is shared within the process."""
    council: Any = Field(default=None, exclude=True, repr=False)
    """A `Council` whose library to search instead."""
    domains: tuple[str, ...] | None = None
    """Collections; None: all of them."""
    k: PositiveInt = 4
    form: SlateForm = "passages"

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Yes: everything but a council given as an object is plain data."""
        return True

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Where it is imported from: the module that it happens to be in is nobody's business."""
        return ["proxycouncil", "council", "langchain"]

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002
        k: int | None = None,
    ) -> list[Document]:
        council = chosen_council(self.council, self.origin)
        found = council.library.slate(cleaned(query), domains=self.domains, form=self.form, limit=k or self.k)
        return [_document(excerpt) for excerpt in found]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        return await asyncio.to_thread(
            self._get_relevant_documents, query, run_manager=run_manager.get_sync(), k=k
        )


def _document(excerpt: Excerpt) -> Document:
    passage = excerpt.passage
    return Document(
        id=f"{passage.id}:{excerpt.start}-{excerpt.end}",
        page_content=excerpt.text,
        metadata={
            "passage_id": passage.id,
            "title": passage.title,
            "heading_path": list(passage.heading_path),
            "source": passage.source,
            "start": excerpt.start,
            "end": excerpt.end,
            "domain": passage.domain,
            "score": excerpt.score,
        },
    )
