"""Numbers and dates as a country writes them → as they are read here: "1.000,5" and "3.12.2024" in German.

Knows notations (CLDR's, by Babel), not what an answer means. Without a locale nothing is changed: what can be
read two ways then stays apart from both (`quantities.Amount.written`, `dates.Date.written`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache, partial

from proxycouncil.errors import UsageError

_DATE = re.compile(r"(?<![\w./-])(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?![\w/]|[.-]\d)")
_NUMBER = re.compile(r"(?<![\w.,/])\d+(?:[.,'’\u00a0\u202f]\d+)+(?![\w/])")
_SPACES = "\u00a0\u202f"


@dataclass(frozen=True, slots=True)
class Notation:
    """How a locale writes numbers and days."""

    decimal: str
    group: str
    """Between thousands."""
    day_first: bool | None
    """None: the year comes first, so what ends in a year is not written so."""

    @property
    def number(self) -> re.Pattern[str]:
        """A number in this notation, whole and decimal part by name."""
        groups = {"'": "'’", "’": "'’"}.get(self.group, _SPACES if self.group in _SPACES else self.group)
        return re.compile(
            rf"(?P<whole>\d{{1,3}}(?:[{re.escape(groups)}]\d{{3}})+|\d+)(?:{re.escape(self.decimal)}(?P<part>\d+))?"
        )


@lru_cache(maxsize=64)
def notation_of(locale: str) -> Notation:
    """The notation of a locale such as `de-DE`, `en-US` or `fr`.

    Raises:
        UsageError: there is no such locale.
    """
    from babel import Locale, UnknownLocaleError
    from babel.dates import get_date_format
    from babel.numbers import get_decimal_symbol, get_group_symbol

    try:
        known = Locale.parse(locale.replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError) as error:
        raise UsageError(
            f"{locale!r} is no locale", hint="name a language and a country, as in de-DE, en-US or fr-CH"
        ) from error
    day, month, year = (get_date_format("short", known).pattern.index(part) for part in "dMy")
    day_first = None if year < day else day < month
    return Notation(get_decimal_symbol(known), get_group_symbol(known), day_first)


def plainly(text: str, locale: str) -> str:
    """The text with its numbers and numeric dates written in the one way that can't be read otherwise.

    "1.234,5" in German becomes "1234.5", "1.234" becomes "1234", and in English "1.2340"; "03/12/2024"
    becomes 2024-03-12 in America and 2024-12-03 in Britain. What the locale does not write so is left alone.
    """
    if not locale:
        return text
    notation = notation_of(locale)
    if notation.day_first is not None:
        text = _DATE.sub(partial(_day, notation), text)
    return _NUMBER.sub(partial(_number, notation), text)


def _day(notation: Notation, match: re.Match[str]) -> str:
    first, second, year = int(match[1]), int(match[3]), match[4]
    day, month = (first, second) if notation.day_first else (second, first)
    return f"{year}-{month:02d}-{day:02d}" if 1 <= month <= 12 and 1 <= day <= 31 else match[0]


def _number(notation: Notation, match: re.Match[str]) -> str:
    read = notation.number.fullmatch(match[0])
    if read is None:
        return match[0]
    whole, part = re.sub(r"\D", "", read["whole"]), read["part"]
    if part is None:
        return whole
    # Three decimals behind a point could be thousands elsewhere; a nought more says that they are not.
    return f"{whole}.{part}0" if len(part) == 3 else f"{whole}.{part}"
