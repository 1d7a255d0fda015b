"""A `Searcher` over another one: what it does not change is as the other says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from proxycouncil.graphs.protocols import Searcher

if TYPE_CHECKING:
    from proxycouncil.retrieval.passage import Affinity

_S = TypeVar("_S", bound=Searcher)


class ForwardingSearcher(Generic[_S]):
    """All of a searcher but its slates."""

    def __init__(self, library: _S) -> None:
        self.library = library

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the collections, sorted."""
        return self.library.domains

    @property
    def embedder_fingerprint(self) -> str:
        """Of the library's embedder."""
        return self.library.embedder_fingerprint

    def affinities(self, question: str) -> Mapping[str, Affinity]:
        """As the library says."""
        return self.library.affinities(question)

    def similarity(self, texts: Sequence[str]) -> list[list[float]]:
        """As the library says."""
        return self.library.similarity(texts)
