"""How much may be asked: size of a request, requests a minute by each caller, answers at once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from proxycouncil.errors import CouncilError

_CALLERS = 10_000
"""Remembered callers; the one that was quiet longest is forgotten first."""


class OverLimitError(CouncilError):
    """Too many requests; `after_s` says when to come again."""

    code = "rate_limit_exceeded"
    retryable = True

    def __init__(self, message: str, *, after_s: float) -> None:
        super().__init__(message)
        self.after_s = after_s


@dataclass(frozen=True, slots=True)
class Limits:
    """What `council serve` allows."""

    body_bytes: int = 1_000_000
    per_minute: float = 120.0
    """By each caller: a token, or where none is asked for an address."""
    at_once: int = 8
    """Answers that are worked on."""
    waiting: int = 32
    """Requests that may wait for one of those; more are turned away."""


class Meter:
    """A bucket for each caller: it holds a minute's requests and fills up evenly."""

    def __init__(self, per_minute: float, *, clock: Callable[[], float] = monotonic) -> None:
        self._size = max(1.0, per_minute)
        self._rate = per_minute / 60.0
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Count one request.

        Raises:
            OverLimitError: the bucket is empty.
        """
        now = self._clock()
        left, then = self._buckets.pop(caller, (self._size, now))
        left = min(self._size, left + (now - then) * self._rate)
        self._buckets[caller] = (max(0.0, left - 1.0) if left >= 1.0 else left, now)
        if len(self._buckets) > _CALLERS:
            self._buckets.popitem(last=False)
        if left < 1.0:
            raise OverLimitError("too many requests", after_s=(1.0 - left) / self._rate)


class Gate:
    """Lets so many in at once, keeps some waiting, turns the others away."""

    def __init__(self, at_once: int, *, waiting: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._room = at_once + waiting
        self.inside = 0
        """Those let in and those who wait."""

    @asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        """Wait for a place.

        Raises:
            OverLimitError: too many wait already.
        """
        if self.inside >= self._room:
            raise OverLimitError("too many requests wait already", after_s=1.0)
        self.inside += 1
        try:
            async with self._places:
                yield
        finally:
            self.inside -= 1
