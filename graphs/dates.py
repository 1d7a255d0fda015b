"""Calendar dates in a text, whole or in part. Knows notations; a bare year is a number, not a date."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from proxycouncil.graphs.wording import Token

_MONTHS = {
    name: number
    for number, names in enumerate(
        ("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
         "september sep sept", "october oct", "november nov", "december dec"),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_NAMES = [name.capitalize() for name in _MONTHS if len(name) > 4 or name in ("may", "june", "july")]
_WEEKDAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())
_BEGINNINGS = frozenset({"date", "number", "ordinal"})
_FILLERS = frozenset({",", ".", "of", "the"})


@dataclass(frozen=True, slots=True)
class Date:
    """A day, or a month of a year, or a day of any year; 0 where a part is not said."""

    year: int
    month: int = 0
    day: int = 0
    written: str = ""
    """The notation, where day and month can't be told apart ("03/12/2024")."""

    def agrees(self, other: Date) -> bool:
        """No part differs, and one says all that the other does; ambiguous dates agree with themselves."""
        if self.written or other.written:
            return self.written == other.written
        pairs = (self.year, other.year), (self.month, other.month), (self.day, other.day)
        nested = any(all(pair[one] or not pair[1 - one] for pair in pairs) for one in (0, 1))
        return nested and all(not mine or not theirs or mine == theirs for mine, theirs in pairs)

    def __str__(self) -> str:
        if self.written:
            return self.written
        if self.year and self.day:
            return f"{self.year:04d}-{self.month:02d}-{self.day:02d}"
        month = _NAMES[self.month - 1]
        return f"{month} {self.year:04d}" if self.year else f"{self.day} {month}"


class DateSpan(NamedTuple):
    """A date and the tokens that say it, `start` up to `stop`."""

    date: Date
    start: int
    stop: int


def dates(tokens: Sequence[Token]) -> list[DateSpan]:
    """Every date in the text, left to right."""
    found: list[DateSpan] = []
    stop = 0
    for index in [n for n, t in enumerate(tokens) if t.kind in _BEGINNINGS or t.folded in _MONTHS]:
        span = (_numeric(tokens[index], index) or _named(tokens, index)) if index >= stop else None
        if span is None:
            continue
        start = span.start
        while start > 0 and (tokens[start - 1].folded in _WEEKDAYS or _comma_after_weekday(tokens, start)):
            start -= 1
        found.append(span._replace(start=start))
        stop = span.stop
    return found


def _comma_after_weekday(tokens: Sequence[Token], start: int) -> bool:
    return start > 1 and tokens[start - 1].text == "," and tokens[start - 2].folded in _WEEKDAYS


def _numeric(token: Token, index: int) -> DateSpan | None:
    """`2024-03-12` is one day; `03/12/2024` may be two, `13/12/2024` not."""
    if token.kind != "date":
        return None
    separator = next(mark for mark in token.text if not mark.isdigit())
    first, second, third = (part for part in token.text.split(separator))
    if len(first) == 4:
        date = _checked(int(first), int(second), int(third))
    elif len(third) == 4:
        date = _either(int(first), int(second), int(third), token.text)
    else:
        date = None
    return DateSpan(date, index, index + 1) if date else None


def _either(first: int, second: int, year: int, written: str) -> Date | None:
    readings = {_checked(year, first, second), _checked(year, second, first)} - {None}
    if len(readings) == 2:
        return Date(year, written=written)
    return readings.pop() if readings else None


def _named(tokens: Sequence[Token], index: int) -> DateSpan | None:
    """`12 March 2024`, `March 12, 2024`, `March 2024`, `12 March`."""
    day, at = _day(tokens, index)
    if day:
        at = _skip(tokens, at)
        month = _month(tokens, at)
        if not month:
            return None
        at += 1
    else:
        month = _month(tokens, index)
        if not month:
            return None
        day, after_day = _day(tokens, _skip(tokens, index + 1))
        at = after_day if day else index + 1
    year, stop = _year(tokens, at)
    date = _checked(year, month, day) if day or year else None
    return DateSpan(date, index, stop) if date else None


def _month(tokens: Sequence[Token], index: int) -> int:
    """Its number; capitalised only, for a march and a may are words as well."""
    if index >= len(tokens) or not (tokens[index].text[0].isupper() or len(tokens[index].text) > 5):
        return 0
    return _MONTHS.get(tokens[index].folded, 0)


def _day(tokens: Sequence[Token], index: int) -> tuple[int, int]:
    if index < len(tokens) and tokens[index].kind in ("number", "ordinal"):
        digits = (
            tokens[index].folded.removesuffix("st").removesuffix("nd").removesuffix("rd").removesuffix("th")
        )
        if digits.isdecimal() and len(digits) <= 2 and 1 <= int(digits) <= 31:
            return int(digits), index + 1
    return 0, index


def _year(tokens: Sequence[Token], index: int) -> tuple[int, int]:
    at = _skip(tokens, index)
    text = tokens[at].text if at < len(tokens) else ""
    return (int(text), at + 1) if len(text) == 4 and text.isdecimal() else (0, index)


def _skip(tokens: Sequence[Token], index: int) -> int:
    while index < len(tokens) and tokens[index].folded in _FILLERS:
        index += 1
    return index


def _checked(year: int, month: int, day: int) -> Date | None:
    """The date, if the calendar has room for it."""
    longest = 30 if month in (4, 6, 9, 11) else 29 if month == 2 else 31
    return Date(year, month, day) if 1 <= month <= 12 and 0 <= day <= longest else None
