"""How good answers and confidences are: pure functions of numbers, with their intervals.

Knows neither models nor files. Formulae: Wilson 1927; McNemar 1947, exact; the rank form of the area under
the ROC curve (Hanley & McNeil 1982); ECE (Guo et al. 2017) in bins of equal mass; promised risk (Geifman &
El-Yaniv 2017).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from proxycouncil.specialists import questions

Floats: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = Sequence[float] | npt.NDArray[np.float64]
Truths: TypeAlias = Sequence[bool] | npt.NDArray[np.bool_]
Shares: TypeAlias = Truths | Numbers
"""How far each answer is right: 0 or 1, or between where a tie leaves open which of several is given."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate between its bounds."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """Answering only at `threshold` or above: the share answered and the share of those that is wrong."""

    threshold: float
    coverage: float
    risk: float


@dataclass(frozen=True, slots=True)
class RiskThreshold:
    """A threshold whose risk was proven to stay below the target; `bound` is the proven upper bound."""

    threshold: float
    coverage: float
    risk: float
    bound: float


def is_right(reply: str, accepted: Sequence[str], kind: str) -> bool:
    """The rule that experts are tuned to: an accepted string as whole words, case ignored, in a short reply.

    At most 12 words for the kinds span and term, 40 for the others: a whole passage would contain anything.
    """
    asked = questions.Question(
        id="", entry="", kind=kind, question="", answer=None, accepted=tuple(filter(None, accepted))
    )
    return questions.is_right(reply, asked)


def wilson(successes: float, total: int, *, level: float = 0.95) -> Interval:
    """A share with its Wilson score interval; (0, 0, 1) of nothing."""
    if total == 0:
        return Interval(0.0, 0.0, 1.0)
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / total
    shrink = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / shrink
    spread = z / shrink * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return Interval(share, max(0.0, min(share, centre - spread)), min(1.0, max(share, centre + spread)))


def paired_bootstrap(
    first: Numbers, second: Numbers, *, level: float = 0.95, draws: int = 10_000, seed: int = 0
) -> Interval:
    """Mean of `first − second` over the same cases, with its percentile interval."""
    difference = _floats(first) - _floats(second)
    if difference.size == 0:
        return Interval(0.0, 0.0, 0.0)
    random = np.random.default_rng(seed)
    picks = random.integers(0, difference.size, size=(draws, difference.size), dtype=np.int32)
    means = difference[picks].mean(axis=1)
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(difference.mean()), float(low), float(high))


def mcnemar(first: Truths, second: Truths) -> float:
    """Exact two-sided p-value that two systems right on different cases are equally good."""
    one, two = _truths(first), _truths(second)
    only_first, only_second = int((one & ~two).sum()), int((two & ~one).sum())
    discordant = only_first + only_second
    tail = sum(math.comb(discordant, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / (1 << discordant))


def brier(confidence: Numbers, right: Shares) -> float:
    """Mean squared distance of confidence and truth, in expectation over ties."""
    sureness, truth = _floats(confidence), _floats(right)
    return float(np.mean(truth * (1 - sureness) ** 2 + (1 - truth) * sureness**2))


def ece(confidence: Numbers, right: Shares, *, bins: int = 15) -> float:
    """Expected calibration error in bins of equal mass.

    A stable sort by confidence (the order given breaks ties), then mean |confidence − accuracy| of the bins,
    weighted by their sizes. Bins of equal width would be more biased (Roelofs et al. 2022).
    """
    sureness, truth = _floats(confidence), _floats(right)
    order = np.argsort(sureness, kind="stable")
    filled = [part for part in np.array_split(order, bins) if part.size]
    gaps = [part.size * abs(float(sureness[part].mean() - truth[part].mean())) for part in filled]
    return float(sum(gaps)) / max(1, sureness.size)


def auroc(score: Numbers, positive: Shares) -> float:
    """Probability that a positive scores above a negative, ties counted half; NaN where one is missing."""
    values, truth = _floats(score), _floats(positive)
    order = np.argsort(values, kind="stable")
    values, gained, lost = values[order], truth[order], 1 - truth[order]
    if not gained.sum() or not lost.sum():
        return math.nan
    passed = np.concatenate([[0.0], np.cumsum(lost)])
    below = passed[np.searchsorted(values, values, side="left")]
    not_above = passed[np.searchsorted(values, values, side="right")]
    return float((gained * (below + not_above)).sum() / (2 * gained.sum() * lost.sum()))


def risk_coverage(confidence: Numbers, right: Truths) -> list[CoveragePoint]:
    """One point for every distinct confidence, strictest first; equal confidences are answered together."""
    sureness, truth = _floats(confidence), _truths(right)
    order = np.argsort(-sureness, kind="stable")
    sureness, wrong = sureness[order], np.cumsum(~truth[order])
    last_of_tie = np.flatnonzero(np.append(sureness[1:] != sureness[:-1], sureness.size > 0))
    return [
        CoveragePoint(float(sureness[i]), float((i + 1) / sureness.size), float(wrong[i] / (i + 1)))
        for i in last_of_tie
    ]


def risk_bound(errors: int, accepted: int, *, level: float = 0.95) -> float:
    """Clopper–Pearson upper bound of a risk after `errors` among `accepted`; 1 of nothing."""
    if errors >= accepted:
        return 1.0
    from scipy.stats import beta

    return float(beta.ppf(level, errors + 1, accepted - errors))


_AS_GOOD = 1.05
"""A bound that is expected to be so many times the best is as good a place to begin."""


def risk_threshold(
    confidence: Numbers, right: Truths, *, target: float, level: float = 0.95, grid: int = 100
) -> RiskThreshold | None:
    """The loosest threshold whose risk is proven to stay below the target, or None.

    A grid fixed beforehand (`grid` even steps over [0, 1]) is walked towards looser thresholds and left at
    the first that fails: testing in a fixed order needs no correction for many tests (Angelopoulos et al.
    2021, fixed sequence testing). The walk begins where the confidences themselves expect about the best
    proof, at the strictest such place: few of the surest answers prove little, and many of the unsure are
    wrong. That looks at confidences only, never at what was right, so the promise holds however wrong the
    confidences are.
    """
    sureness, truth = _floats(confidence), _truths(right)
    steps = [step / grid for step in range(grid, -1, -1)]
    answered = [sureness >= threshold for threshold in steps]
    expected = [
        risk_bound(math.ceil((1 - sureness[accepted]).sum()), int(accepted.sum()), level=level)
        for accepted in answered
    ]
    begin = next(place for place, bound in enumerate(expected) if bound <= min(expected) * _AS_GOOD)
    kept: RiskThreshold | None = None
    for threshold, accepted in zip(steps[begin:], answered[begin:], strict=True):
        count, errors = int(accepted.sum()), int((accepted & ~truth).sum())
        bound = risk_bound(errors, count, level=level)
        if bound > target:
            break
        kept = RiskThreshold(threshold, count / sureness.size, errors / count, bound)
    return kept


def _floats(values: Shares) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _truths(values: Truths) -> npt.NDArray[np.bool_]:
    return np.asarray(values, dtype=np.bool_)
