"""Invented fact sheets: who, where, when, how much, of things that do not exist.

What is invented can't be known, only read. Each fact has several wordings and its questions mostly other
words than its statement; sheets of one kind stand side by side, so that name and relation must both match.
Knows how statements become slates and questions. Knows nothing of files, tokens or models.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from proxycouncil.specialists.cases import REFUSAL, Case
from proxycouncil.specialists.request import Snippet
from training.kinds import KINDS, Fact, Kind
from training.names import upper_first
from training.reading import typed

WITHOUT_ANSWER = 0.1
PRONOUNS = 0.3
SOURCE = "invented fact sheets"


def sheet_cases(count: int, draw: random.Random) -> Iterator[Case]:
    """Cases over slates of one to five statements about one to three invented things of a kind."""
    for number in range(count):
        kind = draw.choice(KINDS)
        names = [kind.name(draw) for _ in range(draw.randint(1, 3))]
        told = _told(kind, names, draw)
        asked, shown = told[0], told[: draw.randint(1, 5)]
        refuse = len(told) > 1 and draw.random() < WITHOUT_ANSWER
        if refuse:
            shown = told[1:5]
        draw.shuffle(shown)
        name, fact, value, _ = asked
        yield Case(
            question=typed(upper_first(draw.choice(fact.questions).format(n=name)), draw),
            snippets=tuple(Snippet(upper_first(named), text) for named, _, _, text in shown),
            answer=REFUSAL if refuse else value,
            group="general",
            entry=f"sheet {number}",
            source=SOURCE,
            license="Apache-2.0",
        )


Told: TypeAlias = tuple[str, Fact, str, str]


def _told(kind: Kind, names: Sequence[str], draw: random.Random) -> list[Told]:
    """(name, fact, value, statement), the first being the one to ask for; no name and fact comes twice."""
    pairs = [(name, fact) for name in dict.fromkeys(names) for fact in kind.facts]
    told: list[Told] = []
    for name, fact in draw.sample(pairs, min(len(pairs), 6)):
        value = fact.value(draw)
        told.append((name, fact, value, _stated(fact, name, value, kind.pronoun, draw)))
    return told


def _stated(fact: Fact, name: str, value: str, pronoun: str, draw: random.Random) -> str:
    """A sentence; now and then only the title tells of whom."""
    frame = draw.choice(fact.statements)
    if frame.startswith("{n} ") and draw.random() < PRONOUNS:
        name = pronoun
    return upper_first(frame.format(n=name, v=value))
