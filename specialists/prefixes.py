"""Which prompts are read together, and how much of each has been read already: pure, no models.

Two prompts that begin alike have the same keys and values there, in the same model with the same adapter. So
a prompt takes over what it shares with one that was read, and only the rest is read. Prompts of one forward
are as wide as the widest rest: those that share more than that would be padded, and read that much again.
Knows rows by adapter and ids; nothing of caches.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeAlias, TypeVar

_MANY = 16
"""A forward reads no more tokens, padding counted, than cost so many times what it costs besides: more at
once would save next to nothing and take memory. One prompt that has more is read in one go."""
_SHORTEST = 8
"""Shared tokens below which nothing is taken over: copying takes time, too."""


class Reader(Protocol):
    """A row, read or to be read."""

    @property
    def adapter(self) -> str:
        """What its keys and values depend on besides its tokens."""
        ...

    @property
    def ids(self) -> tuple[int, ...]:
        """Tokens."""
        ...


R = TypeVar("R", bound=Reader)


@dataclass(frozen=True, slots=True)
class Start(Generic[R]):
    """Where the reading of one row begins."""

    row: R
    source: R | None
    """What has read the beginning already, before this batch."""
    shared: int
    """How many tokens of it are taken over: none without a source."""

    @property
    def rest(self) -> int:
        """Tokens that are still to be read, at least one: nobody else's logits are kept."""
        return len(self.row.ids) - self.shared


Batch: TypeAlias = list[Start[R]]
"""What one forward reads: rests of the same length, or whole prompts of at most that."""


def batches(rows: Sequence[R], readers: Sequence[R], *, forward: int) -> list[Batch[R]]:
    """All rows, in the order in which they are to be read; none begins with the whole of another's key.

    Args:
        rows: different from each other and from all readers.
        readers: rows that have been read.
        forward: what a forward costs besides its tokens, in tokens.
    """
    known = sorted(readers, key=_key)
    at_once = [_start(row, known) for row in rows]
    leaders: list[R] = []
    first: list[Start[R]] = []
    then: list[Start[R]] = []
    for start in at_once:
        behind = _start(start.row, leaders)
        if behind.shared > start.shared:
            then.append(behind)
        else:
            first.append(start)
            insort(leaders, start.row, key=_key)
    plain = _split(at_once, forward)
    staged = [*_split(first, forward), *_split(then, forward)]
    return min(plain, staged, key=lambda plan: cost(plan, forward=forward))


def cost(plan: Sequence[Batch[R]], *, forward: int) -> int:
    """In tokens, padding and forwards counted."""
    return sum(forward + len(batch) * max(start.rest for start in batch) for batch in plan)


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _key(row: Reader) -> tuple[str, tuple[int, ...]]:
    return row.adapter, row.ids


def _start(row: R, known: Sequence[R]) -> Start[R]:
    """Behind the longest beginning that `known`, which is sorted, has: its neighbours there share most."""
    place = bisect_left(known, _key(row), key=_key)
    beside = [other for other in known[max(0, place - 1) : place + 1] if other.adapter == row.adapter]
    shares = [(min(common(row.ids, other.ids), len(row.ids) - 1), other) for other in beside]
    shared, source = max(shares, key=lambda one: one[0], default=(0, None))
    return Start(row, source, shared) if shared >= _SHORTEST else Start(row, None, 0)


def _split(starts: Sequence[Start[R]], forward: int) -> list[Batch[R]]:
    """The cheapest batches: neighbours by what is left to read (dynamic programming over where they end)."""
    ordered, most = sorted(starts, key=lambda start: start.rest), _MANY * forward
    best: list[tuple[int, int]] = [(0, 0)]
    for end, last in enumerate(ordered, start=1):
        begins = (at for at in range(end) if at == end - 1 or (end - at) * last.rest <= most)
        best.append(min((best[at][0] + forward + (end - at) * last.rest, at) for at in begins))
    found: list[Batch[R]] = []
    end = len(ordered)
    while end:
        begin = best[end][1]
        found.append(_even(ordered[begin:end]))
        end = begin
    return found[::-1]


def _even(starts: Sequence[Start[R]]) -> Batch[R]:
    """Of each as much taken over as leaves the widest rest, or none: so padding stands on the left only."""
    widest = max(start.rest for start in starts)
    return [
        Start(start.row, start.source, len(start.row.ids) - widest)
        if len(start.row.ids) > widest
        else Start(start.row, None, 0)
        for start in starts
    ]
