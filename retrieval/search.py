"""Questions → ranked passages: nearest vectors and BM25, joined by rank. Knows nothing of slates or answers.

An `Index` is what a library holds at one moment, immutable; an `Asked` is one question put to it, with
everything that ranking it for any set of domains needs, so that a question is embedded once however often it
is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from proxycouncil.retrieval.embedder import Vectors
from proxycouncil.retrieval.fusion import reciprocal_rank_fusion
from proxycouncil.retrieval.lexical import LexicalIndex
from proxycouncil.retrieval.passage import Affinity, Passage

Mode: TypeAlias = Literal["hybrid", "dense", "bm25"]
Hits: TypeAlias = list[tuple[str, float]]
Ranking: TypeAlias = list[tuple[int, float]]
"""Rows of an index with their scores, best first."""

DEPTH = 50
"""How far down each ranking is read; what stands lower adds under 1/110."""


class Index:
    """All passages of a library and their words."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = tuple(passages)
        self.row_of = {(passage.domain, passage.id): row for row, passage in enumerate(self.passages)}

    def passage(self, domain: str, identity: str) -> Passage | None:
        """The passage of that id, if it is held."""
        row = self.row_of.get((domain, identity))
        return None if row is None else self.passages[row]

    @cached_property
    def lexical(self) -> LexicalIndex:
        """BM25 over all domains together, so that a rare word is rare in the whole library."""
        return LexicalIndex([(passage.title, passage.text) for passage in self.passages])

    @cached_property
    def rows_of(self) -> Mapping[str, NDArray[np.intp]]:
        """Rows by domain."""
        domains = np.array([passage.domain for passage in self.passages])
        return {str(domain): np.flatnonzero(domains == domain) for domain in np.unique(domains)}


@dataclass(frozen=True)
class Asked:
    """A question put to an index."""

    index: Index
    vector: Vectors
    dense: Mapping[str, Ranking]
    """By domain: its nearest passages with their cosines."""
    sentences: Mapping[int, float] | None
    """Cosine of the nearest sentence of each row in `dense`, where sentences have vectors."""
    lexical: NDArray[np.float32]
    """BM25 score of every row."""

    def search(self, domains: Sequence[str], *, limit: int, mode: Mode) -> list[Passage]:
        """The best passages of these domains, each text once."""
        if limit < 1:
            return []
        found: dict[str, Passage] = {}
        for row, score in self._ranking(domains, mode):
            passage = self.index.passages[row]
            found.setdefault(" ".join(passage.text.split()), replace(passage, score=score))
            if len(found) == limit:
                break
        return list(found.values())

    def affinity(self, domain: str, *, example: float) -> Affinity:
        """The features of one domain; `example` is the cosine to its description and examples."""
        near = self.dense.get(domain, [])
        cosines = [cosine for _, cosine in near[:3]]
        rows = self.index.rows_of.get(domain)
        return Affinity(
            best=cosines[0] if cosines else 0.0,
            mean3=float(np.mean(cosines)) if cosines else 0.0,
            example=example,
            bm25=float(self.lexical[rows].max()) if rows is not None else 0.0,
            sentence=max((self._nearest_sentence(row, cosine) for row, cosine in near), default=0.0),
        )

    def _ranking(self, domains: Sequence[str], mode: Mode) -> Ranking:
        if mode == "dense":
            return self._dense(domains)
        if mode == "bm25":
            return self._lexical(domains)
        rankings = [[row for row, _ in ranking] for ranking in (self._dense(domains), self._lexical(domains))]
        return reciprocal_rank_fusion(rankings, tie=self._identity)

    def _dense(self, domains: Sequence[str]) -> Ranking:
        hits = [
            (row, self._closeness(row, cosine))
            for domain in domains
            for row, cosine in self.dense.get(domain, [])
        ]
        return sorted(hits, key=lambda hit: (-hit[1], self._identity(hit[0])))[:DEPTH]

    def _lexical(self, domains: Sequence[str]) -> Ranking:
        none = np.zeros(0, np.intp)
        rows = np.concatenate([none, *(self.index.rows_of.get(domain, none) for domain in domains)])
        scores = self.lexical[rows]
        # Only what may be among the best is ordered exactly: all rows that score as well as the last of them.
        least = np.partition(scores, -DEPTH)[-DEPTH] if len(scores) > DEPTH else 0.0
        good = (scores >= least) & (scores > 0)
        scored = [(int(row), float(score)) for row, score in zip(rows[good], scores[good], strict=True)]
        return sorted(scored, key=lambda hit: (-hit[1], self._identity(hit[0])))[:DEPTH]

    def _closeness(self, row: int, cosine: float) -> float:
        return (cosine + self._nearest_sentence(row, cosine)) / 2

    def _nearest_sentence(self, row: int, cosine: float) -> float:
        """The passage's own cosine where sentences have no vectors."""
        return cosine if self.sentences is None else self.sentences[row]

    def _identity(self, row: int) -> str:
        passage = self.index.passages[row]
        return f"{passage.id} {passage.domain}"


def ask(
    index: Index,
    question: str,
    vector: Vectors,
    *,
    domains: Sequence[str],
    nearest: Callable[[str, Vectors, int], Hits],
    read_closely: Callable[[Sequence[Passage], Vectors], Sequence[float] | None],
) -> Asked:
    """Put a question, already embedded, to an index.

    Args:
        index: what is held.
        question: its words.
        vector: its embedding.
        domains: all of them.
        nearest: ids and cosines of one domain's nearest passages.
        read_closely: cosine of each passage's nearest sentence; None where sentences have no vectors.
    """
    dense = {
        domain: [
            (index.row_of[domain, identity], cosine)
            for identity, cosine in nearest(domain, vector, DEPTH)
            if (domain, identity) in index.row_of
        ]
        for domain in domains
    }
    rows = [row for ranking in dense.values() for row, _ in ranking]
    sentences = read_closely([index.passages[row] for row in rows], vector)
    by_row = None if sentences is None else dict(zip(rows, sentences, strict=True))
    return Asked(index, vector, dense, by_row, index.lexical.scores(question))
