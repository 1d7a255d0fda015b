"""How many tokens to draft: what is expected to be right against what it has been measured to cost.

Knows acceptance rates and seconds; nothing of models. With acceptance a per token, γ drafts give
(1 − a^(γ+1)) / (1 − a) tokens a cycle (Leviathan et al. 2023, arXiv 2211.17192, eq. 1).
"""

from __future__ import annotations

from dataclasses import dataclass, field

CHOICES = (0, 1, 2, 3, 4, 6, 8)
_WEIGHT = 0.3
"""Of a new measurement in a running mean."""
_PRIOR, _PRIOR_DRAFTS = 0.7, 6.0
"""Acceptance before anything is known, and the number of drafts that it counts for."""
_MEMORY = 200.0
"""Drafts that are remembered: acceptance changes with what is written."""


@dataclass(slots=True)
class Pace:
    """Chooses the number of drafts. `fixed` never changes; None follows what is measured.

    Seconds not measured yet are taken from the nearest smaller number of drafts: a number is tried before
    it is given up, and 0 wins again where drafting doesn't pay.
    """

    fixed: int | None = None
    most: int = CHOICES[-1]
    _seconds: dict[tuple[int, int], float] = field(default_factory=dict)
    _drafted: float = _PRIOR_DRAFTS
    _accepted: float = _PRIOR * _PRIOR_DRAFTS

    @property
    def acceptance(self) -> float:
        """Running share of drafted tokens that were accepted where all before them were."""
        return self._accepted / self._drafted

    def choose(self, rows: int, spare: int) -> int:
        """Drafts for the next cycle of so many texts, at most `spare`."""
        if self.fixed is not None:
            return max(0, min(self.fixed, spare))
        choices = [count for count in CHOICES if count <= min(self.most, spare)]
        return max(
            choices or [0], key=lambda count: expected(self.acceptance, count) / self._cost(count, rows)
        )

    def note(self, count: int, rows: int, seconds: float) -> None:
        """What a cycle of `count` drafts took."""
        key = count, _bucket(rows)
        known = self._seconds.get(key)
        self._seconds[key] = seconds if known is None else known + _WEIGHT * (seconds - known)

    def judge(self, tried: int, accepted: int) -> None:
        """How many drafts were looked at in one text, and how many of them were right."""
        self._drafted += tried
        self._accepted += accepted
        if self._drafted > _MEMORY:
            self._accepted *= _MEMORY / self._drafted
            self._drafted = _MEMORY

    def _cost(self, count: int, rows: int) -> float:
        bucket = _bucket(rows)
        measured = [one for one in CHOICES if one <= count and (one, bucket) in self._seconds]
        return self._seconds[measured[-1], bucket] if measured else 1.0


def expected(acceptance: float, count: int) -> float:
    """Tokens that a cycle of `count` drafts gives."""
    if acceptance >= 1.0:
        return count + 1.0
    return float((1.0 - acceptance ** (count + 1)) / (1.0 - acceptance))


def _bucket(rows: int) -> int:
    """Numbers of rows that cost about alike: 1, 2, 3–4, 5–8, …"""
    return (rows - 1).bit_length()
