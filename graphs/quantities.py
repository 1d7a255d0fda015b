"""Amounts in a text: a number, its unit, its bound. Knows notation and units, not questions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from proxycouncil.graphs.numerals import (
    ARTICLES,
    and_a_part,
    kind_at,
    may_begin,
    numeral,
    text_at,
    word_at,
)
from proxycouncil.graphs.units import CURRENCY_SIGNS, Unit, unit_of
from proxycouncil.graphs.wording import Token

_TIMES = frozenset({"hour", "minute", "day", "week", "month", "year", "decade", "century"})
_ABOUT = frozenset("about around roughly approximately approx nearly almost circa ca some ~".split())
_BOUNDS_BEFORE = {
    ("at", "least"): ">=", ("no", "less", "than"): ">=", ("no", "fewer", "than"): ">=", ("≥",): ">=",
    ("no", "younger", "than"): ">=", ("not", "less", "than"): ">=", ("not", "under"): ">=",
    ("not", "fewer", "than"): ">=", ("not", "younger", "than"): ">=",
    ("no", "older", "than"): "<=", ("not", "more", "than"): "<=", ("not", "over"): "<=",
    ("not", "older", "than"): "<=",
    (">", "="): ">=", ("a", "minimum", "of"): ">=", ("minimum",): ">=",
    ("more", "than"): ">", ("greater", "than"): ">", ("over",): ">", ("above",): ">", (">",): ">",
    ("exceeding",): ">",
    ("at", "most"): "<=", ("up", "to"): "<=", ("no", "more", "than"): "<=", ("≤",): "<=", ("<", "="): "<=",
    ("a", "maximum", "of"): "<=", ("maximum",): "<=",
    ("less", "than"): "<", ("fewer", "than"): "<", ("under",): "<", ("below",): "<", ("<",): "<",
}  # fmt: skip
_BOUNDS_AFTER = {
    "more": ">=", "older": ">=", "over": ">=", "higher": ">=", "above": ">=", "up": ">=", "longer": ">=",
    "less": "<=", "fewer": "<=", "younger": "<=", "under": "<=", "below": "<=", "lower": "<=",
}  # fmt: skip
_RANGE = frozenset({"to", "-", "and", "or", "through"})
_YEARS_OLD = frozenset({"older", "younger"})
_ROUNDING = 0.005
"""A third is "33 percent": a fraction without a finite decimal equals its rounding to whole percents."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number in the base unit of its dimension ("" without a unit)."""

    value: float
    dimension: str = ""
    bound: str = ""
    """"" for exactly, else one of >= > <= <."""
    endless: bool = False
    """A fraction that no finite decimal equals, such as two thirds."""
    written: str = ""
    """The notation, where it means different numbers in different countries ("1,5", "1.000")."""

    def agrees(self, other: Amount, tolerance: float = 1e-9) -> bool:
        """The same amount; ambiguous notations agree only with themselves."""
        if (self.dimension, self.bound, self.written) != (other.dimension, other.bound, other.written):
            return False
        if self.endless != other.endless and self.dimension in ("", "ratio"):
            return abs(self.value - other.value) <= _ROUNDING
        return math.isclose(self.value, other.value, rel_tol=max(tolerance, 1e-9))

    def within(self, unit: Unit) -> Amount:
        """A bare number read in the unit that was asked for."""
        return replace(self, value=self.value * unit.factor + unit.offset, dimension=unit.dimension)

    def __str__(self) -> str:
        if self.dimension == "ratio":
            return f"{self.bound}{self.value * 100:.10g} %"
        return f"{self.bound}{self.value:.10g} {self.dimension}".strip()


class Span(NamedTuple):
    """An amount and the tokens that say it, `start` up to `stop`."""

    amount: Amount
    start: int
    stop: int
    unit: Unit | None = None


def amounts(tokens: Sequence[Token]) -> list[Span]:
    """Every amount in the text, left to right; the parts of a range share its unit."""
    found: list[Span] = []
    stop = 0
    for index in [n for n, token in enumerate(tokens) if may_begin(token) or token.text in CURRENCY_SIGNS]:
        span = _amount(tokens, index) if index >= stop else None
        if span is not None:
            found.append(_bounded(tokens, span, stop))
            stop = found[-1].stop
    return _joined(_ranged(tokens, found))


def _amount(tokens: Sequence[Token], index: int) -> Span | None:
    sign = tokens[index].text in CURRENCY_SIGNS
    number = numeral(tokens, index + sign)
    if number is None:
        return _one_unit(tokens, index)
    unit, stop = (unit_of(tokens[index].text), number.stop) if sign else _unit(tokens, number.stop)
    value = number.value
    if unit is not None:
        more, stop = and_a_part(tokens, stop)
        value = (value + more) * unit.factor + unit.offset
        unit, value, stop = _rate(tokens, unit, value, stop)
    amount = Amount(value, unit.dimension if unit else "", "", number.endless, number.written)
    return Span(amount, index, stop, unit)


def _one_unit(tokens: Sequence[Token], index: int) -> Span | None:
    """`an hour` is one hour; not "an hour" after a number, which makes a rate."""
    following = word_at(tokens, index + 1)
    if word_at(tokens, index) not in ARTICLES or following not in _TIMES:
        return None
    unit = unit_of(following)
    if unit is None or word_at(tokens, index - 1) in ("once", "twice", "times", "per"):
        return None
    more, stop = and_a_part(tokens, index + 2)
    return Span(Amount((1 + more) * unit.factor, unit.dimension), index, stop)


def _unit(tokens: Sequence[Token], index: int) -> tuple[Unit | None, int]:
    """The unit that follows a number, with a power ("square metres", "m^2"), and what stands after it."""
    at = index + (word_at(tokens, index) == "-" and kind_at(tokens, index + 1) == "word")
    if word_at(tokens, at) in ("degree", "degrees", "°"):
        scale = unit_of(text_at(tokens, at + 1))
        return (scale, at + 2) if scale and scale.dimension == "K" else (unit_of("degree"), at + 1)
    if (word_at(tokens, at), word_at(tokens, at + 1)) == ("per", "cent"):
        return unit_of("%"), at + 2
    power = {"square": 2, "cubic": 3}.get(word_at(tokens, at))
    at += power is not None
    unit = unit_of(text_at(tokens, at))
    if unit is None:
        return None, index
    if power is None and word_at(tokens, at + 1) == "^" and kind_at(tokens, at + 2) == "number":
        power, at = int(float(tokens[at + 2].folded.replace(",", ""))), at + 2
    return (unit.power(power) if power and 1 < power < 5 else unit), at + 1


def _rate(tokens: Sequence[Token], unit: Unit, value: float, stop: int) -> tuple[Unit, float, int]:
    """`per day`, `/dl`, `a year`."""
    word = word_at(tokens, stop)
    after_article = word in (*ARTICLES, "each", "every") and word_at(tokens, stop + 1) in _TIMES
    if word not in ("per", "/") and not after_article:
        return unit, value, stop
    other, end = _unit(tokens, stop + 1)
    if other is None or other.offset:
        return unit, value, stop
    return unit.per(other), value / other.factor, end


def _bounded(tokens: Sequence[Token], span: Span, floor: int) -> Span:
    """The amount with "at least", "or older", "about" taken in."""
    start, stop, bound = span.start, span.stop, ""
    while start > floor and word_at(tokens, start - 1) in _ABOUT:
        start -= 1
    for length in (3, 2, 1):
        phrase = tuple(token.folded for token in tokens[max(floor, start - length) : start])
        if phrase in _BOUNDS_BEFORE:
            bound, start = _BOUNDS_BEFORE[phrase], start - len(phrase)
            break
    amount = span.amount
    after = word_at(tokens, stop + 1)
    if not bound and word_at(tokens, stop) == "at" and after in ("least", "most"):
        bound, stop = {"least": ">=", "most": "<="}[after], stop + 2
    if word_at(tokens, stop) in ("or", "and") and after in _BOUNDS_AFTER:
        bound, stop = _BOUNDS_AFTER[after], stop + 2
        if after in _YEARS_OLD and not amount.dimension:
            amount = Amount(amount.value * 12, "month")
    elif word_at(tokens, stop) == "old" and amount.dimension == "month":
        stop += 1
    return Span(replace(amount, bound=bound), start, stop, span.unit)


def _ranged(tokens: Sequence[Token], spans: list[Span]) -> list[Span]:
    """`2 to 4 mm`: the first number takes the unit of the second."""
    for index in range(len(spans) - 2, -1, -1):
        first, second = spans[index], spans[index + 1]
        between = [token.folded for token in tokens[first.stop : second.start]]
        if first.amount.dimension or second.unit is None or not between:
            continue
        if all(word in _RANGE for word in between):
            amount = first.amount.within(second.unit)
            spans[index] = Span(amount, first.start, second.start, second.unit)
    return spans


def _joined(spans: list[Span]) -> list[Span]:
    """`8 minutes 20 seconds` is one amount."""
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last and last.stop == span.start and _continues(last.amount, span.amount):
            joined[-1] = Span(
                replace(last.amount, value=last.amount.value + span.amount.value), last.start, span.stop
            )
        else:
            joined.append(span)
    return joined


def _continues(large: Amount, small: Amount) -> bool:
    same = large.dimension == small.dimension and large.dimension in ("s", "m", "month", "g")
    return same and not small.bound and 0 < small.value < large.value
