"""Questions in other words than the text: now and then a word gives way to one of the same meaning.

Knows the dictionary's senses and how a word is swapped. Knows nothing of cases or models.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

_WORD = re.compile(r"[a-z]{4,}")


class Synonyms:
    """Single words that share a sense, from entries with `term`, `meaning` and `pos`."""

    def __init__(self, entries: Iterable[Mapping[str, str]]) -> None:
        senses: dict[tuple[str, str], set[str]] = defaultdict(set)
        for entry in entries:
            if _WORD.fullmatch(entry["term"]):
                senses[entry["meaning"], entry["pos"]].add(entry["term"])
        self._alike: dict[str, list[str]] = defaultdict(list)
        for (_, _), terms in sorted(senses.items()):
            for term in sorted(terms):
                self._alike[term] += sorted(terms - {term})

    def of(self, word: str) -> list[str]:
        """Words that can mean the same, by the order of the dictionary; none for a word not in it."""
        return self._alike.get(word, [])

    def reword(self, question: str, draw: random.Random, *, keep: str) -> str:
        """The question with one of its words swapped, never one of `keep`, the answer."""
        kept = set(_WORD.findall(keep.lower()))
        found = [match for match in _WORD.finditer(question) if self.of(match[0]) and match[0] not in kept]
        if not found:
            return question
        match = draw.choice(found)
        return f"{question[: match.start()]}{draw.choice(self.of(match[0]))}{question[match.end() :]}"
