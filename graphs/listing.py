"""Lists: "a, b and c", "They are b, a and c", "first a, then b". Knows a few closed word classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from proxycouncil.graphs.asked import Asked
from proxycouncil.graphs.wording import stem

_BREAK = re.compile(
    r"\s*(?:[,;|]\s*(?:and|or)\b|[,;|]|\b(?:and|or)\b|&|(?=\bthen\b)|\bfollowed by(?= \w))\s*", re.IGNORECASE
)
_CONJUNCTION = re.compile(r"\b(?:and|or|then)\b|[&|;]", re.IGNORECASE)
_LONGEST = 300
"""Characters; what is longer is an account, and reading it as a list would only take time."""
_WORD = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*")
_LINKS = frozenset("is are was were include includes contain contains comprise comprises".split())
_CONSISTS = frozenset("consist consists consisted".split())
_OF_A_FRAME = frozenset("a an the it they these those this that there its their of in all both".split())
_SEQUENCE = frozenset("then next second secondly third thirdly finally lastly last afterwards".split())
_OPENS = frozenset({"first", "firstly"})


class Listing(NamedTuple):
    """The members of a list, each as stems; none where the text is no list."""

    items: tuple[tuple[str, ...], ...] = ()
    sequenced: bool = False
    """The answer itself says that the order matters."""


def listing(
    text: str, asked: Asked, *, finite: frozenset[str], prepositions: frozenset[str], hollow: frozenset[str]
) -> Listing:
    """The list that a text is, without a frame of the question's own words around it.

    Args:
        text: tidied.
        asked: the question.
        finite: words that only a sentence has.
        prepositions: what no member but the first begins with.
        hollow: words that say nothing.
    """
    if len(text) > _LONGEST or (not _CONJUNCTION.search(text) and text.count(",") < 2):
        return Listing()
    bare = _unframed(text.strip(" ."), asked)
    parts = [part.strip() for part in _BREAK.split(bare) if part.strip()]
    split, sequenced = _unnumbered([_WORD.findall(part.casefold()) for part in parts])
    if len(parts) < 2 or any(not words or len(words) > 5 or finite & set(words) for words in split):
        return Listing()
    framed = len(bare) < len(text.strip(" ."))
    if any(words[0] in prepositions or (framed and prepositions & set(words)) for words in split[1:]):
        return Listing()
    if framed and prepositions & set(split[0]):
        return Listing()
    stems = (tuple(stem(word) for word in words if word not in hollow) or tuple(words) for words in split)
    return Listing(tuple(stems), sequenced)


def _unframed(text: str, asked: Asked) -> str:
    """Without "They are", "The gases are", "It consists of", "both"."""
    start = 0
    for found in _WORD.finditer(text):
        word = found.group().casefold()
        if word in _LINKS or (word == "of" and start < 0):
            start = found.end()
            break
        if word in _CONSISTS:
            start = -1
        elif word not in _OF_A_FRAME and stem(word) not in asked.stems:
            break
    rest = text[start:].lstrip(" :") if start > 0 else text
    return rest[5:] if rest.casefold().startswith("both ") else rest


def _unnumbered(parts: Sequence[list[str]]) -> tuple[list[list[str]], bool]:
    """Without "first", "then", "finally" in front; "first aid" stays where nothing comes next."""
    if not any(len(words) > 1 and words[0] in _SEQUENCE for words in parts[1:]):
        return list(parts), False
    return [
        words[1:] if len(words) > 1 and words[0] in _SEQUENCE | _OPENS else words for words in parts
    ], True
