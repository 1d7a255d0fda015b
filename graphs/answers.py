"""One answer → its canonical form: what it says, comparable with other answers to the same question.

Knows how English writes numbers, dates, yes and no, lists, refusals and doubt. Does not know which answers
mean the same: that is grouping's to say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Literal, TypeAlias

from proxycouncil.errors import UsageError
from proxycouncil.graphs.asked import Asked, asked
from proxycouncil.graphs.content import EMPTY, Content, content, items
from proxycouncil.graphs.dates import Date, DateSpan, dates
from proxycouncil.graphs.listing import Listing
from proxycouncil.graphs.notation import plainly
from proxycouncil.graphs.quantities import Amount, Span, amounts
from proxycouncil.graphs.reticence import is_refusal, only_refuses, unhedged
from proxycouncil.graphs.structured import canonical_json, fields
from proxycouncil.graphs.units import Unit
from proxycouncil.graphs.wording import Token, fold_tidied, stem, tidy, tokens
from proxycouncil.specialists.yes_or_no import AUXILIARIES

__all__ = ["HEDGED", "NOTHING", "Canonical", "Kind", "canonical", "is_refusal", "parse_confidence"]

Kind: TypeAlias = Literal["number", "yesno", "date", "term", "choice", "set", "free", "structured", "none"]
Polarity: TypeAlias = Literal["yes", "no", ""]

HEDGED = 0.3
"""Confidence in an answer that doubts itself."""

_YES = frozenset({"yes", "yeah", "yep", "true", "correct", "indeed", "certainly"})
_NO = frozenset({"no", "nope", "false", "incorrect"})
_FILLER_STEMS = frozenset(stem(word) for word in ("so", "answer", "thing", "case", "even", "all", "way"))
_RATIO = Unit("ratio")
_ROUNDS = 5
_SHORT = 120
"""Characters; a longer text is compared by its words, its value only shown."""
_CHOICE = re.compile(r"^(?:(?:the )?(?:answer|option|choice)(?: is)?:? )?\(?([A-H])[).:]?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Canonical:
    """An answer taken apart. Comparable with canonical forms made under the same question only."""

    kind: Kind
    value: str
    """One string for the whole, stable: the canonical form of a value is that value."""
    amounts: tuple[Amount, ...] = ()
    dates: tuple[Date, ...] = ()
    head_moments: int = 0
    """How many amounts and dates stand in the head of the answer."""
    polarity: Polarity = ""
    content: Content = EMPTY
    items: tuple[tuple[str, ...], ...] = ()
    """The members of a list; sorted unless the question asks for an order."""
    open: bool = False
    """The question asks for a definition or an account."""
    hedged: bool = False


NOTHING = Canonical("none", "")


@lru_cache(maxsize=4096)
def canonical(text: str | None, *, question: str = "", locale: str = "") -> Canonical:
    """The canonical form of an answer; kind "none" for blanks and refusals.

    Args:
        text: the answer.
        question: what it answers, which says what a bare number counts and whether order matters.
        locale: how it writes numbers and dates, as `de-DE`; "": what is ambiguous agrees only with itself.
    """
    found = fields(text or "")
    if found is not None:
        return Canonical(
            "structured", canonical_json(found, partial(_field, question=question, locale=locale))
        )
    read = _once(plainly(text or "", locale), asked(question))
    value = _settled(read.value, asked(question))
    return replace(read, value=value) if value else NOTHING


def _field(text: str, *, question: str, locale: str) -> str:
    return canonical(text, question=question, locale=locale).value or fold_tidied(tidy(text))


def _once(text: str, question: Asked) -> Canonical:
    plain, hedged = unhedged(tidy(text))
    return NOTHING if only_refuses(plain) else _read(plain, question, hedged=hedged)


def _settled(value: str, question: Asked) -> str:
    """The value's own value, and so on: a list may read as a number once it is written as a value."""
    for _ in range(_ROUNDS if len(value) <= _SHORT else 0):
        again = _once(value, question).value
        if again == value:
            break
        value = again
    return value


def parse_confidence(value: object) -> float | None:
    """A confidence that a member states about itself, in [0, 1]; None where it states none.

    Raises:
        UsageError: it is stated on another scale; a guess at which one would be worse than none.
    """
    number = _number(value)
    if number is None or not math.isfinite(number):
        return None
    if not 0.0 <= number <= 1.0:
        raise UsageError(f"confidence {value!r} is outside of 0 to 1", hint='write 0.8 or "80%"')
    return number


def _number(value: object) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if not isinstance(value, str):
        return float(value) if isinstance(value, int | float) or hasattr(value, "__float__") else None
    text = tidy(value)
    percent = text.endswith("%")
    try:
        return float(text.removesuffix("%")) / (100.0 if percent else 1.0)
    except ValueError:
        return None


def _read(text: str, question: Asked, *, hedged: bool) -> Canonical:
    choice = _CHOICE.match(fold_tidied(text)) if len(text) <= _SHORT else None
    if choice:
        return Canonical("choice", choice.group(1).upper(), hedged=hedged)
    words = tokens(text)
    days = dates(words)
    taken = {index for day in days for index in range(day.start, day.stop)}
    counts = [
        span
        for span in amounts(words)
        if taken.isdisjoint(range(span.start, span.stop)) and not _stands_for_a_noun(span, words, question)
    ]
    taken |= {index for span in counts for index in range(span.start, span.stop)}
    said = content(words, taken, question)
    if _is_zero(words, said, question, counts or days):
        counts, said = [Span(Amount(0.0), 0, len(words))], EMPTY
    listed, sequenced = Listing() if counts or days else items(text, question)
    listed = listed if question.ordered or sequenced else tuple(sorted(listed))
    polarity = _polarity(words, said, question)
    found = _moments(counts, question), tuple(day.date for day in days)
    kind = _kind(found, said, polarity, listed)
    return Canonical(
        kind=kind,
        value=_value(kind, text, found, polarity, listed),
        amounts=found[0],
        dates=found[1],
        head_moments=_before(counts, said.head_stop) + _before(days, said.head_stop),
        polarity=polarity,
        content=said,
        items=listed,
        open=question.open,
        hedged=hedged,
    )


def _is_zero(words: Sequence[Token], said: Content, question: Asked, counts: Sequence[object]) -> bool:
    """`none`, where the question asks how many."""
    bare = not said.words and not said.codes and not said.qualifiers and not said.echoes
    return question.counted and not counts and bare and said.negations == 1 and words[0].folded not in _NO


def _stands_for_a_noun(span: Span, words: Sequence[Token], question: Asked) -> bool:
    """The "one" of "it isn't one"."""
    last = span.stop >= len(words) or words[span.stop].kind == "mark"
    return bool(question.polar) and last and span.stop - span.start == 1 and words[span.start].folded == "one"


def _before(spans: Sequence[Span | DateSpan], stop: int) -> int:
    return sum(span.start < stop for span in spans)


def _moments(spans: Sequence[Span], question: Asked) -> tuple[Amount, ...]:
    """The amounts, bare ones in the unit that was asked for."""
    return tuple(_measured(span.amount, question) for span in spans)


def _measured(amount: Amount, question: Asked) -> Amount:
    unit = question.unit
    if question.bounded:
        amount = replace(amount, bound="")
    if amount.dimension:
        return amount
    if unit is not None and unit.dimension == "ratio":
        return (
            amount.within(unit)
            if abs(amount.value) >= 1
            else Amount(amount.value, "ratio", amount.bound, amount.endless)
        )
    if question.ratio:
        return (
            Amount(amount.value, "ratio", amount.bound, amount.endless) if abs(amount.value) <= 1 else amount
        )
    return amount.within(unit) if unit is not None else amount


def _polarity(words: Sequence[Token], said: Content, question: Asked) -> Polarity:
    """Yes or no: said outright, or by saying a yes/no question's own words with or without negation."""
    first = words[0].folded if words else ""
    if first in _YES:
        return "yes"
    if first in _NO and (len(words) == 1 or words[1].kind == "mark" or question.polar):
        return "no"
    if not question.polar:
        return ""
    bare = not set(said.head) - _FILLER_STEMS
    echoes = any(token.folded in AUXILIARIES for token in words[: said.head_stop])
    if not bare or not (said.negations or echoes):
        return ""
    denials = sum(token.folded in question.denials for token in words)
    if 0 < denials < said.negations:
        # "not unsafe": neither a plain no nor a plain yes.
        return ""
    return "no" if said.negations else "yes"


def _kind(
    found: tuple[tuple[Amount, ...], tuple[Date, ...]],
    said: Content,
    polarity: Polarity,
    listed: Sequence[object],
) -> Kind:
    counted, dated = found
    if not said.words and not said.codes:
        if len(counted) + len(dated) == 1 and not said.negations:
            return "number" if counted else "date"
        if polarity and not counted and not dated:
            return "yesno"
    if listed:
        return "set"
    return "term" if len(said.words) <= 4 and not said.negations else "free"


def _value(
    kind: Kind,
    text: str,
    found: tuple[tuple[Amount, ...], tuple[Date, ...]],
    polarity: Polarity,
    listed: Sequence[tuple[str, ...]],
) -> str:
    if kind == "number" and not found[0][0].written:
        return str(found[0][0])
    if kind == "date":
        return str(found[1][0])
    if kind == "yesno":
        return polarity
    if kind == "set":
        return " | ".join(" ".join(item) for item in listed)
    return fold_tidied(text)
