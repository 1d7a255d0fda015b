"""Scores → shares that sum to 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import fsum


def softmax(scores: Sequence[float], temperature: float = 1.0) -> list[float]:
    """In the order of the scores; the highest is taken off first, so that nothing overflows."""
    highest = max(scores)
    masses = [math.exp((score - highest) / temperature) for score in scores]
    total = fsum(masses)
    return [mass / total for mass in masses]
