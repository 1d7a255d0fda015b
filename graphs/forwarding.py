"""A `Searcher` over another one: what it does not change is as the other says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from proxycouncil.graphs.protocols import Searcher
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


def widened(affinities: Mapping[str, Affinity], near: Affinity) -> dict[str, Affinity]:
    """Affinities where something beside the library may hold the answer, as `near` says.

    That widens what is in scope, and says nothing about which field it is: only the features that tell
    whether any domain is right are raised, in all domains alike.
    """
    return {
        domain: replace(
            own,
            mean3=max(own.mean3, near.mean3),
            sentence=max(own.sentence, near.sentence),
            bm25=max(own.bm25, near.bm25),
        )
        for domain, own in affinities.items()
    }
