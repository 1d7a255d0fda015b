"""Cases from glossaries and dictionaries: a term's sentence among others, asked in both directions.

Knows entries and how they are worded. Knows nothing of files, tokens or models.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from proxycouncil.specialists.cases import REFUSAL, Case
from proxycouncil.specialists.request import Snippet
from training.corpus import Record
from training.reading import Rarity, typed

Direction: TypeAlias = Literal["meaning", "term"]
"""What is asked for."""
DIRECTIONS: tuple[Direction, ...] = ("meaning", "term")

WITHOUT_ANSWER = 0.08
_NEIGHBOURS = 12
"""Entries of the same field looked at, of which those that share most words stand beside the right one."""


class GlossaryCases:
    """Cases from entries with `term`, `meaning`, `license` and either `domain` and `book` or `pos`."""

    def __init__(self, entries: Sequence[Record], draw: random.Random) -> None:
        self._draw = draw
        self._usable = [entry for entry in entries if is_usable(entry)]
        self._rarity = Rarity(entry["meaning"] for entry in self._usable)
        self._fields: dict[str, list[Record]] = defaultdict(list)
        for entry in self._usable:
            self._fields[_field(entry)].append(entry)

    def __call__(self, count: int) -> Iterator[Case]:
        """As many cases, no entry twice; half ask what a term means, half for the term."""
        for entry in self._draw.sample(self._usable, min(count, len(self._usable))):
            yield self.case(entry, refuse=self._draw.random() < WITHOUT_ANSWER)

    def case(
        self, entry: Record, *, shown: int = 0, direction: Direction | None = None, refuse: bool = False
    ) -> Case:
        """The entry's own sentence among `shown` (one to five, drawn if 0), or a slate without it."""
        draw = self._draw
        shown = shown or draw.randint(1, 5)
        wanted: Direction = draw.choice(DIRECTIONS) if direction is None else direction
        others = self._others(entry, shown if refuse else shown - 1)
        snippets = [_snippet(other, draw) for other in (others if refuse else [entry, *others])]
        draw.shuffle(snippets)
        question, answer = _question(entry, wanted, draw)
        return Case(
            question=typed(question, draw),
            snippets=tuple(snippets),
            answer=REFUSAL if refuse else answer,
            group="general",
            entry=entry["term"].lower(),
            source=entry.get("book", "Open English WordNet"),
            license=entry["license"],
        )

    def _others(self, entry: Record, count: int) -> list[Record]:
        """Entries of the field with other terms and meanings; every second slate has the nearest ones."""
        fellows = self._fields[_field(entry)]
        found = self._draw.sample(fellows, min(len(fellows), _NEIGHBOURS))
        found = [other for other in found if not {other["term"], other["meaning"]} & set(_both(entry))]
        if self._draw.random() < 0.5:
            found.sort(key=lambda other: -self._rarity.shared(entry["meaning"], other["meaning"]))
        return found[:count]


def is_usable(entry: Record) -> bool:
    """Whether term and meaning make a plain sentence."""
    term, meaning = entry["term"], entry["meaning"]
    begins = r"(an?|the|any|when|how) " if "domain" in entry else ""
    plain = re.fullmatch(r"[A-Za-z][\w' -]*", term) and re.fullmatch(rf"{begins}[^;:=_^()]*", meaning)
    return bool(plain) and len(term.split()) <= 4 and 3 <= len(meaning.split()) <= 28


def _both(entry: Record) -> tuple[str, str]:
    return entry["term"], entry["meaning"]


def _field(entry: Record) -> str:
    return str(entry.get("domain") or entry["pos"])


def _snippet(entry: Record, draw: random.Random) -> Snippet:
    term, meaning = entry["term"], entry["meaning"].rstrip(".")
    forms = [
        f"{_upper(term)} means {meaning}.",
        f"{_upper(term)} refers to {meaning}.",
        f"The term {term} stands for {meaning}.",
    ]
    if "domain" in entry or meaning.startswith(("a ", "an ", "the ")):
        forms += [
            f"{_upper(term)} {_verb(term)} {meaning}.",
            f"{_upper(meaning)} {_verb(term)} called {term}.",
        ]
    if "domain" in entry:
        forms.append(f"In {entry['domain']}, {term} {_verb(term)} {meaning}.")
    title = entry["domain"] if "domain" in entry and draw.random() < 0.3 else term
    return Snippet(_upper(title), draw.choice(forms))


def _question(entry: Record, direction: Direction, draw: random.Random) -> tuple[str, str]:
    term, meaning = entry["term"], entry["meaning"].rstrip(".")
    meant = (
        f"What {_verb(term)} {term}?",
        f"What does {term} mean?",
        f"Define {term}.",
        f"What is meant by {term}?",
    )
    named = (
        f"What do you call {meaning}?",
        f"Which term means {meaning}?",
        f"What is the name for {meaning}?",
        f"{_upper(meaning)}: what is this called?",
    )
    if direction == "meaning":
        link = _verb(term) if "domain" in entry else "means"
        return draw.choice(meant), f"{_upper(term)} {link} {meaning}."
    return draw.choice(named), term


def _verb(term: str) -> str:
    return "are" if re.search(r"[^su]s$", term) else "is"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
