"""How many independent votes a council is worth: what its members' errors have in common.

Knows labelled polls; knows no rule. Kish's design effect, n_eff = (Σw)² / wᵀRw, with R the correlations of
being right (for equal weights N / (1 + (N−1)ρ)); and how often two members that are both wrong say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from proxycouncil.eval.metrics import Floats
from proxycouncil.eval.polls import LabelledPoll

_LEAST_BOTH_WRONG = 10
"""Questions on which both are wrong; below, a rate says nothing."""

_LEAST_TOGETHER = 20
"""Questions that two members were both heard on; below, a correlation says nothing."""


@dataclass(frozen=True, slots=True)
class SameWrong:
    """Two members, and the share of the questions both answer wrongly on which they say the same."""

    members: tuple[str, str]
    both_wrong: int
    rate: float


def effective_votes(cases: Sequence[LabelledPoll], weights: Mapping[str, float]) -> float | None:
    """Effective number of independent votes at these weights; None where nobody weighs anything.

    A member that is always right, or always wrong, varies with nobody: its correlations are taken as 0.
    """
    voting = {name: weight for name, weight in weights.items() if weight > 0}
    if not voting or not cases:
        return None
    values = np.array(list(voting.values()))
    spread = float(values @ correlations(cases, list(voting)) @ values)
    return float(values.sum() ** 2 / spread) if spread > 0 else None


def correlations(cases: Sequence[LabelledPoll], members: Sequence[str]) -> Floats:
    """Of being right, member by member, over the questions."""
    right = np.array([[case.share_right(name) for name in members] for case in cases])
    centred = right - right.mean(axis=0)
    sizes = np.sqrt((centred**2).sum(axis=0))
    standard = centred / np.where(sizes > 0, sizes, 1.0)
    found = standard.T @ standard
    np.fill_diagonal(found, 1.0)
    return np.asarray(found, dtype=np.float64)


def mean_correlation(cases: Sequence[LabelledPoll], members: Sequence[str]) -> float:
    """Mean correlation of being right over pairs of members, in [0, 1].

    Each pair over the questions on which both were heard, and worth as many: specialists who are never asked
    together have nothing to correlate. 0 where no pair was heard often enough.
    """
    found, sizes = [], []
    for pair in combinations(sorted(members), 2):
        both = [case for case in cases if case.poll.members.issuperset(pair)]
        if len(both) >= _LEAST_TOGETHER:
            found.append(float(correlations(both, pair)[0, 1]))
            sizes.append(len(both))
    return max(0.0, float(np.average(found, weights=sizes))) if found else 0.0


def same_wrong(cases: Sequence[LabelledPoll], members: Sequence[str]) -> list[SameWrong]:
    """Every pair that was wrong together often enough, the most alike first."""
    wrong = {name: [_wrong_place(case, name) for case in cases] for name in members}
    found = []
    for first, second in combinations(sorted(members), 2):
        both = [
            a == b
            for a, b in zip(wrong[first], wrong[second], strict=True)
            if a is not None and b is not None
        ]
        if len(both) >= _LEAST_BOTH_WRONG:
            found.append(SameWrong((first, second), len(both), sum(both) / len(both)))
    return sorted(found, key=lambda pair: (-pair.rate, pair.members))


def _wrong_place(case: LabelledPoll, member: str) -> int | None:
    """The wrong candidate that a member gave most of its vote to; None where it was right or abstained."""
    parts = [(votes[member], -place) for place, votes in enumerate(case.poll.votes) if member in votes]
    if not parts:
        return None
    place = -max(parts)[1]
    return None if place in case.right else place
