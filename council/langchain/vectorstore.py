"""A collection of the library as LangChain's Chroma vector store: the right embedder, distance, relevance.

For reading. What is added goes in by `council ingest`, which keeps spans, sentences and locks in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.embeddings import Embeddings

from proxycouncil.errors import ConfigError

if TYPE_CHECKING:
    from langchain_chroma import Chroma

    from proxycouncil.retrieval.embedder import TextEncoder
    from proxycouncil.retrieval.library import Library


class LibraryEmbeddings(Embeddings):
    """A library's embedder as LangChain's."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors."""
        return [[float(value) for value in row] for row in self._encoder.encode(texts)]

    def embed_query(self, text: str) -> list[float]:
        """As a document: this embedder knows no difference."""
        return self.embed_documents([text])[0]


def as_chroma(library: Library, domain: str) -> Chroma:
    """The domain's collection, open for reading; it ends with the next ingest.

    Raises:
        ConfigError: langchain-chroma is not installed.
        UnknownDomainError: the library holds no such domain.
    """
    try:
        from langchain_chroma import Chroma
    except ImportError as error:
        raise ConfigError("langchain-chroma is missing", hint="pip install langchain-chroma") from error
    client, name = library.collection(domain)
    return Chroma(
        client=client,
        collection_name=name,
        embedding_function=LibraryEmbeddings(library.encoder),
        # Left to itself it would make a missing collection, and measure squared Euclidean distance.
        create_collection_if_not_exists=False,
        relevance_score_fn=_relevance,
    )


def _relevance(distance: float) -> float:
    """Cosine similarity from Chroma's cosine distance, kept in [0, 1] as LangChain demands."""
    return min(1.0, max(0.0, 1.0 - distance))
