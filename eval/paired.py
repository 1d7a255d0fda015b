"""Two systems on the same questions: tests and intervals that know which questions belong together.

Questions about one entry of a document are right or wrong together, so entries are what is exchanged and
drawn, not questions. Pure functions of whole numbers; knows neither runs nor councils.

The test is the sign-flip test over entries (Fisher 1935): where every entry has one question it is McNemar's
exact test. Many tests are held together by Holm's steps (Holm 1979). The interval is the percentile bootstrap
over entries, with one imagined entry better and one worse, in the spirit of Agresti & Min (2005): without
them five questions that nobody answers otherwise would look like proof that nothing changed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from proxycouncil.eval.metrics import Floats, Interval, Numbers

_CHUNK = 2_000_000
"""Draws held in memory at once."""


def fewer(changes: Sequence[int]) -> float:
    """One-sided exact p-value that entries change as often for the better as for the worse.

    Args:
        changes: right answers gained, less those lost, of each entry.

    Returns:
        the probability of a sum this low or lower if every entry's sign were a coin's throw.
    """
    moved = [abs(change) for change in changes if change]
    reach = sum(moved)
    chances = np.zeros(2 * reach + 1)
    chances[reach] = 1.0
    for size in moved:
        # No sum lies further out than what was added so far, so nothing wraps around.
        chances = (np.roll(chances, size) + np.roll(chances, -size)) / 2
    return min(1.0, float(chances[: reach + sum(changes) + 1].sum()))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values as they count among so many tests: rejecting those under a level keeps it for all."""
    adjusted = [1.0] * len(p_values)
    reached = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = reached
    return adjusted


def difference(
    changes: Sequence[int],
    sizes: Sequence[int],
    *,
    level: float = 0.95,
    draws: int = 2_000,
    seed: int = 0,
) -> Interval:
    """Change of the share that is right, over all questions, with its interval.

    Args:
        changes: of each entry, as for `fewer`.
        sizes: questions of each entry.
    """
    if not sizes:
        return Interval(0.0, -1.0, 1.0)
    gained = np.asarray([*changes, 1, -1], dtype=np.float64)
    asked = np.asarray([*sizes, 1, 1], dtype=np.float64)
    shares = _resampled_ratio(gained, asked, draws=draws, seed=seed)
    low, high = np.quantile(shares, [(1 - level) / 2, (1 + level) / 2])
    estimate = sum(changes) / sum(sizes)
    return Interval(estimate, min(estimate, float(low)), max(estimate, float(high)))


def ratio(
    new: Numbers, old: Numbers, *, level: float = 0.95, draws: int = 2_000, seed: int = 0
) -> Interval | None:
    """Sum of the new over sum of the old, question by question, with its bootstrap interval.

    None where the old sum is nothing.
    """
    above, below = np.asarray(new, dtype=np.float64), np.asarray(old, dtype=np.float64)
    if not below.sum() > 0:
        return None
    drawn = _resampled_ratio(above, below, draws=draws, seed=seed)
    low, high = np.quantile(drawn[np.isfinite(drawn)], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(above.sum() / below.sum()), float(low), float(high))


def detectable(changes: Sequence[int], sizes: Sequence[int], *, level: float, power: float = 0.8) -> float:
    """The smallest true loss, as a share, that these many entries would have shown so often; about.

    By the normal approximation, from how much the entries moved, whichever way; level is one-sided.
    """
    if not sizes:
        return 1.0
    spread = math.sqrt(sum(change * change for change in changes) + 2) / sum(sizes)
    normal = NormalDist()
    return min(1.0, (normal.inv_cdf(1 - level) + normal.inv_cdf(power)) * spread)


def _resampled_ratio(above: Floats, below: Floats, *, draws: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    at_once = max(1, _CHUNK // above.size)
    parts: list[Floats] = []
    for start in range(0, draws, at_once):
        picks = random.integers(0, above.size, size=(min(at_once, draws - start), above.size))
        with np.errstate(invalid="ignore", divide="ignore"):
            parts.append(above[picks].sum(axis=1) / below[picks].sum(axis=1))
    return np.concatenate(parts)
