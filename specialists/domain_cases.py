"""From questions about a domain to cases: read with slates as they will be met, and without the answer.

Knows how readings are varied and when a slate answers a question. Is handed a function that finds
slates, so it knows nothing of indexes or embeddings.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from proxycouncil.specialists.cases import REFUSAL, Case
from proxycouncil.specialists.questions import Question, mentions
from proxycouncil.specialists.request import Snippet

Scope: TypeAlias = Literal["shared", "own"]

WITHOUT_ANSWER = 0.1
FOREIGN = 0.1
TYPED = 0.25
"""Share of questions as people type them: lower case, no question mark."""
_LENGTHS = (3, 4, 4, 5)
_SPARE = 3
"""Excerpts asked for beyond those shown, so that a slate without the answer is as long as any."""


@dataclass(frozen=True, slots=True)
class SlateVariant:
    """Which slate: over all domains best first (`shared`), or the domain's own in a seeded order."""

    scope: Scope
    limit: int
    seed: int


Slates: TypeAlias = Callable[[str, SlateVariant], Sequence[Snippet]]
"""Finds what a member would read for a question, in the order it is read."""


def domain_cases(
    domain: str,
    questions: Sequence[Question],
    slates: Slates,
    *,
    foreign: Sequence[Question] = (),
    variants: int = 3,
    seed: int = 0,
) -> Iterator[Case]:
    """Cases of the questions, each in several readings: one shared slate, then its own and shared in turn.

    One in ten has every excerpt with an accepted string removed, and a further tenth are questions of
    other domains put to this collection: both are answered by the refusal.

    Args:
        questions: of one domain; those without an answer are put to the collection and refused.
        foreign: questions that this domain's collection does not answer.
        variants: readings of each question.
    """
    draw = random.Random(f"{seed} {domain}")
    for question in questions:
        for number in range(variants):
            scope: Scope = "own" if number % 2 else "shared"
            yield _case(domain, question, slates, scope=scope, draw=draw)
    count = min(len(foreign), round(FOREIGN * variants * len(questions)))
    for question in draw.sample(list(foreign), count):
        yield _case(domain, question, slates, scope="own", draw=draw)


def answers(snippet: Snippet, question: Question) -> bool:
    """Whether the snippet holds the answer: an accepted string, or for yes/no the entry that decides it."""
    if question.kind == "yesno":
        return snippet.title == question.entry
    return mentions(f"{snippet.title}: {snippet.text}", question.accepted)


def _case(domain: str, question: Question, slates: Slates, *, scope: Scope, draw: random.Random) -> Case:
    shown = draw.choice(_LENGTHS)
    without = draw.random() < WITHOUT_ANSWER
    variant = SlateVariant(scope, shown + _SPARE if without else shown, draw.randrange(2**31))
    asked = _typed(question.question) if draw.random() < TYPED else question.question
    snippets = [one for one in slates(asked, variant) if not (without and answers(one, question))][:shown]
    answerable = question.answer is not None and any(answers(one, question) for one in snippets)
    return Case(
        question=asked,
        snippets=tuple(snippets),
        answer=question.answer if question.answer and answerable else REFUSAL,
        group=domain,
        entry=question.entry,
    )


def _typed(question: str) -> str:
    return question.lower().rstrip("?").rstrip()
