"""The joint rule: what the votes for every candidate, and for none of them, add up to as probabilities. Pure.

P(candidate) ∝ exp(Σ weight of its voters), P(none of these) ∝ exp(none + Σ doubt of those who abstained). The
weights are fitted together (`eval/joint.py`), so that members who repeat each other share what one of them
would weigh. Everything is linear in the votes: a member who is there twice with half the weight each changes
nothing, nor does the order of members. Knows nothing of fitting and needs no library.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum
from typing import Any

from proxycouncil.errors import ConfigError
from proxycouncil.graphs.poll import Poll
from proxycouncil.graphs.softmax import softmax

VERSION = 1
_REFIT = "fit it again: `council calibrate`"


@dataclass(frozen=True, slots=True)
class Odds:
    """What a rule makes of a poll; probabilities sum to 1 with `none`."""

    candidates: tuple[float, ...]
    none: float


@dataclass(frozen=True, slots=True)
class JointRule:
    """Fitted weights. A member that the fit has not seen weighs as the mean of those that it has."""

    weights: Mapping[str, float]
    """Member → what its vote adds to a candidate, never negative."""
    doubt: Mapping[str, float]
    """Member → what its abstention adds to none of these."""
    none: float
    """Of "none of these" before anybody abstains."""
    temperature: float = 1.0

    def odds(self, poll: Poll) -> Odds:
        """The probability of every candidate and of none of them; none is certain where nobody voted."""
        *scores, none = self.scores(poll)
        if not scores:
            return Odds((), 1.0)
        shares = softmax([*scores, none], self.temperature)
        return Odds(tuple(shares[:-1]), shares[-1])

    def scores(self, poll: Poll) -> list[float]:
        """What the votes add up to: every candidate's, and last that of none of them."""
        doubting = _mean(self.doubt)
        none = fsum(self.doubt.get(name, doubting) * part for name, part in poll.abstained.items())
        return [
            *(fsum(self.weight(name) * part for name, part in votes.items()) for votes in poll.votes),
            self.none + none,
        ]

    def weight(self, member: str) -> float:
        """What a whole vote of this member adds to a candidate."""
        return self.weights[member] if member in self.weights else _mean(self.weights)

    def swing(self, member: str) -> float:
        """By how much this member's whole vote can at most move one slot against another."""
        doubt = self.doubt[member] if member in self.doubt else _mean(self.doubt)
        return max(self.weight(member), doubt)

    def plain(self) -> dict[str, Any]:
        """For a calibration file."""
        return {
            "version": VERSION,
            "weights": dict(self.weights),
            "doubt": dict(self.doubt),
            "none": self.none,
            "temperature": self.temperature,
        }

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> JointRule:
        """From plain data, checked."""
        try:
            weights, doubt = (
                {str(name): float(value) for name, value in plain[key].items()}
                for key in ("weights", "doubt")
            )
            found = cls(weights, doubt, float(plain["none"]), float(plain["temperature"]))
        except (KeyError, TypeError, ValueError, AttributeError) as wrong:
            raise ConfigError(f"the fitted weights are damaged: {wrong!r}", hint=_REFIT) from wrong
        numbers = [*weights.values(), *doubt.values(), found.none, found.temperature]
        if not all(map(math.isfinite, numbers)) or min(weights.values(), default=0.0) < 0:
            raise ConfigError("fitted weights must be finite and not negative", hint=_REFIT)
        if found.temperature <= 0:
            raise ConfigError("the temperature of fitted weights must be above 0", hint=_REFIT)
        return found


def _mean(values: Mapping[str, float]) -> float:
    return fsum(values.values()) / len(values) if values else 0.0
