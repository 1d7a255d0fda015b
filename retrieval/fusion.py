"""Rankings → one ranking. Knows ranks alone, so that scores of different kinds need no common scale.

Cormack, Clarke and Büttcher 2009: reciprocal rank fusion, the sum of 1 / (60 + rank).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

RRF_K = 60

Key = TypeVar("Key", int, str)


def reciprocal_rank_fusion(
    rankings: Iterable[Sequence[Key]], *, k: int = RRF_K, tie: Callable[[Key], str] = str
) -> list[tuple[Key, float]]:
    """Keys with their fused scores, best first. Ranks count from 1; equal scores stand in order of `tie`."""
    scores: dict[Key, float] = {}
    for ranking in rankings:
        for rank, key in enumerate(dict.fromkeys(ranking), start=1):
            scores[key] = scores.get(key, 0.0) + 1.0 / (k + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], tie(item[0])))
