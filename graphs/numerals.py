"""Numerals → numbers: digits, English words, fractions, powers. Knows notation, not units or questions."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

from proxycouncil.graphs.units import unit_of
from proxycouncil.graphs.wording import ORDINALS, Token

ARTICLES = frozenset({"a", "an"})
_SMALL = {
    word: float(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen".split()
    )
}
_TENS = {
    word: 10.0 * (tens + 2)
    for tens, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split())
}
_SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
_DIGIT_SCALES = _SCALES | {"hundred": 1e2}
_ORDINAL_PARTS = dict(zip(ORDINALS[3:], (1 / value for value in range(3, len(ORDINALS))), strict=True))
_PARTS = (
    _ORDINAL_PARTS
    | {f"{name}s": value for name, value in _ORDINAL_PARTS.items()}
    | {"half": 0.5, "halves": 0.5, "quarter": 0.25, "quarters": 0.25, "hundredth": 0.01, "hundredths": 0.01}
)
_AMBIGUOUS = re.compile(r"[-+]?(?:[1-9]\d{0,2}\.\d{3}|\d+,\d{1,2}|\d+,\d{4,})$")
_BEGINNINGS = _SMALL.keys() | _TENS.keys() | _PARTS.keys() | ARTICLES | {"minus", "negative", "dozen"}


class Numeral(NamedTuple):
    """A number and where its tokens stop."""

    value: float
    stop: int
    endless: bool = False
    """A fraction that no finite decimal equals."""
    written: str = ""
    """The notation, where it means different numbers in different countries."""


def word_at(tokens: Sequence[Token], index: int) -> str:
    """The folded token, "" outside of the text."""
    return tokens[index].folded if 0 <= index < len(tokens) else ""


def text_at(tokens: Sequence[Token], index: int) -> str:
    """The token as written, "" outside of the text."""
    return tokens[index].text if 0 <= index < len(tokens) else ""


def kind_at(tokens: Sequence[Token], index: int) -> str:
    """The token's kind, "" outside of the text."""
    return tokens[index].kind if 0 <= index < len(tokens) else ""


def may_begin(token: Token) -> bool:
    """Whether a numeral or "an hour" can begin here; rules most tokens out at once."""
    return token.kind == "number" or token.folded in _BEGINNINGS


def numeral(tokens: Sequence[Token], index: int) -> Numeral | None:
    """The signed number that begins here, if one does."""
    if word_at(tokens, index) in ("minus", "negative"):
        read = numeral(tokens, index + 1)
        return read and read._replace(value=-read.value)
    read = _plain(tokens, index)
    return read and _out_of(tokens, _mixed(tokens, read))


def _plain(tokens: Sequence[Token], index: int) -> Numeral | None:
    return _digits(tokens, index) if kind_at(tokens, index) == "number" else _spelled(tokens, index)


def _digits(tokens: Sequence[Token], index: int) -> Numeral:
    text = tokens[index].folded
    written = text if _AMBIGUOUS.match(text) else ""
    value = _finite(float(text.replace(",", "." if written else "")))
    following, after = word_at(tokens, index + 1), index + 2
    if kind_at(tokens, after) == "number":
        if following == "/":
            return _fraction(value, tokens[after].folded, after + 1)
        if following == "^":
            return Numeral(_power(value, tokens[after].folded), after + 1)
    if following == "x" and (word_at(tokens, after), word_at(tokens, after + 1)) == ("10", "^"):
        return Numeral(value * _power(10.0, word_at(tokens, after + 2)), after + 3)
    if following in _DIGIT_SCALES:
        return Numeral(value * _DIGIT_SCALES[following], after)
    return Numeral(value, index + 1, written=written)


def _fraction(numerator: float, denominator: str, stop: int) -> Numeral:
    below = _finite(float(denominator.replace(",", "")))
    if below == 0:
        return Numeral(numerator, stop - 2)
    return Numeral(numerator / below, stop, _endless(numerator / below))


def _power(base: float, exponent: str) -> float:
    try:
        return _finite(float(base ** float(exponent.replace(",", ""))))
    except (OverflowError, ZeroDivisionError, ValueError, TypeError):
        return sys.float_info.max


def _finite(value: float) -> float:
    return max(-sys.float_info.max, min(value, sys.float_info.max))


def _endless(value: float) -> bool:
    return round(value, 6) != value


def _spelled(tokens: Sequence[Token], index: int) -> Numeral | None:
    """A number in English words, or a part such as "two fifths" and "half of"."""
    total, at = 0.0, index
    while (group := _hundreds(tokens, at)) is not None:
        scale = _SCALES.get(word_at(tokens, group.stop))
        total, at = total + group.value * (scale or 1.0), group.stop + (scale is not None)
        if scale is None:
            break
        at += word_at(tokens, at) in ("and", ",") and _hundreds(tokens, at + 1) is not None
    if at == index:
        return _lone_part(tokens, index)
    if word_at(tokens, at) == "dozen":
        return Numeral(total * 12, at + 1)
    return _parts(tokens, total, index, at)


def _hundreds(tokens: Sequence[Token], index: int) -> Numeral | None:
    """Up to 999, "a hundred and six" and "a" before a scale included."""
    word, following = word_at(tokens, index), word_at(tokens, index + 1)
    if word in ARTICLES and (following in _DIGIT_SCALES or following == "dozen"):
        below: Numeral | None = Numeral(1.0, index + 1)
    else:
        below = _tens(tokens, index)
    if below is None or word_at(tokens, below.stop) != "hundred":
        return below
    at = below.stop + 1
    rest = _tens(tokens, at + (word_at(tokens, at) == "and"))
    return Numeral(below.value * 100 + (rest.value if rest else 0.0), rest.stop if rest else at)


def _tens(tokens: Sequence[Token], index: int) -> Numeral | None:
    """Up to 99."""
    word = word_at(tokens, index)
    if word in _SMALL:
        return Numeral(_SMALL[word], index + 1)
    if word not in _TENS:
        return None
    at = index + 1 + (word_at(tokens, index + 1) == "-")
    unit = _SMALL.get(word_at(tokens, at), 0.0)
    return Numeral(_TENS[word] + unit, at + 1) if 0 < unit < 10 else Numeral(_TENS[word], index + 1)


def _parts(tokens: Sequence[Token], count: float, start: int, stop: int) -> Numeral | None:
    """`two` + `fifths`; a lone "one" is a number only where it counts something."""
    at = stop + (word_at(tokens, stop) == "-")
    part = _PARTS.get(word_at(tokens, at))
    if part is not None and (count != 1 or _partitive(tokens, at + 1)):
        return Numeral(count * part, at + 1, _endless(count * part))
    if count == 1 and stop - start == 1 and not _counts(tokens, start):
        return None
    return Numeral(count, stop)


def _lone_part(tokens: Sequence[Token], index: int) -> Numeral | None:
    """`half`, `a third of`, `half an`."""
    word = word_at(tokens, index)
    if word == "dozen":
        return Numeral(12.0, index + 1)
    at = index + (word in ARTICLES)
    part = _PARTS.get(word_at(tokens, at))
    if part is None or not _partitive(tokens, at + 1):
        return None
    if at == index and word not in ("half", "quarter"):
        return None
    return Numeral(part, at + 1 + (word_at(tokens, at + 1) in ARTICLES), _endless(part))


def _partitive(tokens: Sequence[Token], index: int) -> bool:
    """A part of something: "of …", "a …", or nothing more."""
    return kind_at(tokens, index) in ("", "mark") or word_at(tokens, index) in ("of", "a", "an", "the", "as")


def _counts(tokens: Sequence[Token], index: int) -> bool:
    following = word_at(tokens, index + 1)
    if not following:
        return index == 0
    return unit_of(tokens[index + 1].text) is not None or following in ("of", "in", "out", "and")


def _mixed(tokens: Sequence[Token], read: Numeral) -> Numeral:
    """`3 1/2`, `two and a half`."""
    at = read.stop
    if kind_at(tokens, at) == "number" and word_at(tokens, at + 1) == "/" and read.value.is_integer():
        part = _digits(tokens, at)
        return Numeral(read.value + math.copysign(part.value, read.value), part.stop, part.endless)
    more, stop = and_a_part(tokens, at)
    return Numeral(read.value + more, stop, _endless(more)) if more else read


def and_a_part(tokens: Sequence[Token], index: int) -> tuple[float, int]:
    """The half of "and a half", and where it stops."""
    if word_at(tokens, index) == "and" and word_at(tokens, index + 1) in (*ARTICLES, "one"):
        part = _PARTS.get(word_at(tokens, index + 2), 0.0)
        return (part, index + 3) if part else (0.0, index)
    return 0.0, index


def _out_of(tokens: Sequence[Token], read: Numeral) -> Numeral:
    """`one in five`, `two out of three`: a ratio of small whole numbers."""
    following = word_at(tokens, read.stop), word_at(tokens, read.stop + 1)
    skip = 1 if following[0] == "in" else 2 if following == ("out", "of") else 0
    if not skip:
        return read
    at = read.stop + skip
    whole = _digits(tokens, at) if kind_at(tokens, at) == "number" else _tens(tokens, at)
    if whole is None or not 0 < read.value < whole.value <= 1000 or unit_of(text_at(tokens, whole.stop)):
        return read
    return Numeral(read.value / whole.value, whole.stop, _endless(read.value / whole.value))
