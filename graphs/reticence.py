"""Refusals and doubt: whether a text declines to answer, and an answer without its "Not sure, probably".

A refusal is a text of nothing but refusing sentences: one that declines and then answers is an answer.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from proxycouncil.graphs.wording import fold_tidied, tidy

_BLANK = frozenset(
    "null nil nan n/a na n.a unknown unanswerable unclear undefined idk no-answer - -- … #n/a <na>".split()
) | {"not applicable", "not available", "no answer", "no comment"}
_SENTENCE = re.compile(r"(?<=[.!?])\s+")

_WHO = r"(?:i|we|you|one|it|the (?:council|model))"
_CANNOT = (
    r"(?:(?:do|does|can|could)(?: ?not|n't)|can't|(?:am|are|is) (?:unable|not able) to)"
    r"(?: (?:really|possibly|confidently))?"
)
_SOURCE = (
    r"(?:(?:the|this|these|those|any of the|my|our|given|provided|shown|above) )*"
    r"(?:passages?|texts?|excerpts?|documents?|context|sources?|slate|handbooks?)"
)
_FOUND = (
    r"(?:found|stated|mentioned|given|covered|answered|provided|contained|included|specified|available|said)"
)
_SUBJECT = r"(?:that|this|it|there|(?:the |an? )?(?:answer|information)|no (?:answer|information))"
_IN_SOURCE = rf"(?:in|by|from|within) {_SOURCE}"
_REST = r"(?: [^,;.:]*)?"

_REFUSALS = re.compile(
    r"(?:(?:sorry|i'm sorry|i am sorry|unfortunately),? (?:but )?)?(?:"
    + "|".join(
        (
            rf"{_WHO} {_CANNOT} (?:know|say|tell|answer|determine|find (?:it|that|this|the answer)){_REST}",
            rf"(?:i'm |i am |we are )?(?:not (?:\w+ )?(?:sure|certain)|unsure|uncertain){_REST}",
            r"(?:i have )?no (?:idea|clue)",
            rf"(?:{_SUBJECT} )?(?:(?:is|was|are|were|can|could|do|does)(?: ?not|n't)|can't|not|nowhere)"
            rf"(?: be| appear)?(?: {_FOUND})? {_IN_SOURCE}",
            rf"{_SOURCE} (?:do|does|did)(?: not|n't) "
            rf"(?:say|mention|state|contain|cover|tell|answer|include|give|provide|specify|explain){_REST}",
            rf"(?:there is )?(?:no|not enough|insufficient) (?:answer|information|mention|evidence)"
            r"(?: of (?:it|that|this))?"
            rf"(?: (?:is|was))?(?: {_FOUND})?(?: {_IN_SOURCE}| (?:about|on) [^,;.:]*)?",
            rf"(?:{_SUBJECT} )?(?:is |was )?(?:not {_FOUND}|unknown|unclear)",
            rf"(?:{_SUBJECT} )?can(?: ?not|'t) be (?:determined|answered|known)(?: {_IN_SOURCE})?",
        )
    )
    + ")"
)  # fmt: skip

_HEDGE = re.compile(
    r"(?:"
    r"(?:i'?m |i am )?not (?:\w+ )?(?:sure|certain)[,;.:]? (?:but )?"
    r"|i do(?: not|n't) know[,;.:] (?:but )?"
    r"|i (?:think|believe|guess|suppose)(?: that)?,? "
    r"|(?:my )?(?:best )?guess(?: is| would be)?[:,]? "
    r"|(?:it is |it's )?(?:probably|perhaps|maybe|possibly|presumably)(?: that)?,? "
    r")(?=\S)",
    re.IGNORECASE,
)
_HEDGE_AFTER = re.compile(
    r",? \(?(?:i (?:think|guess|believe|suppose)|probably|perhaps|maybe|not sure"
    r"|but i(?:'m| am) not (?:sure|certain))\)?[.!]*$",
    re.IGNORECASE,
)
_FRAME = re.compile(r"(?:the )?(?:final )?answer(?: is|\s*:)\s*:?\s*(?=\S)", re.IGNORECASE)


@lru_cache(maxsize=4096)  # every reading is judged by its member and counted by the vote
def is_refusal(text: str | None) -> bool:
    """Whether a text declines to answer: blank, a placeholder, or only sentences that say so."""
    return only_refuses(tidy(text or ""))


def only_refuses(text: str) -> bool:
    """As `is_refusal`, of a text that is tidy already."""
    return all(_declines(sentence) for sentence in _SENTENCE.split(text))


def unhedged(text: str) -> tuple[str, bool]:
    """A tidied answer without "The answer is" and doubt around it, and whether there was doubt."""
    frame = _FRAME.match(text)
    bare = text[frame.end() :] if frame else text
    doubtful = False
    while (hedge := _HEDGE.match(bare)) is not None:
        bare, doubtful = bare[hedge.end() :], True
    while (hedge := _HEDGE_AFTER.search(bare)) is not None:
        bare, doubtful = bare[: hedge.start()], True
    return bare, doubtful


def _declines(sentence: str) -> bool:
    plain = fold_tidied(sentence)
    return not _means(plain) or plain in _BLANK or _REFUSALS.fullmatch(plain) is not None


def _means(text: str) -> bool:
    """Whether there is anything but punctuation, space and control characters."""
    return any(unicodedata.category(character)[0] not in "PZC" for character in text)
