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

WITHOUT_ANSWER = 0.06
FOREIGN = 0.04
"""Together one in ten: with more of them, small readers declined much that they could have answered."""
TYPED = 0.25
"""Share of questions as people type them: lower case, no question mark."""
_LENGTHS = (3, 4, 4, 5)
_SPARE = 3
"""Excerpts asked for beyond those shown, so that a slate without the answer is as long as any."""


@dataclass(frozen=True, slots=True)
class SlateVariant:
    """Which slate, best first: over all domains (`shared`) or of the domain's own collection."""

    scope: Scope
    limit: int


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

    Some have all excerpts of their entry, and any other with an accepted string, removed; some more are
    questions of other domains put to this collection: both are answered by the refusal. A slate that shows
    the entry but no accepted string may or may not hold the answer in other words, and is left out.

    Args:
        questions: of one domain; those without an answer are put to the collection and refused.
        foreign: questions that this domain's collection does not answer.
        variants: readings of each question.
    """
    draw = random.Random(f"{seed} {domain}")
    for question in questions:
        for number in range(variants):
            scope: Scope = "own" if number % 2 else "shared"
            if case := _case(domain, question, slates, scope=scope, draw=draw):
                yield case
    count = min(len(foreign), round(FOREIGN * variants * len(questions)))
    for question in draw.sample(list(foreign), count):
        if case := _case(domain, question, slates, scope="own", draw=draw):
            yield case


def answers(snippet: Snippet, question: Question) -> bool:
    """Whether the snippet holds the answer: an accepted string, or for yes/no the entry that decides it."""
    if question.kind == "yesno":
        return is_of_entry(snippet, question)
    return mentions(f"{snippet.title}: {snippet.text}", question.accepted)


def is_of_entry(snippet: Snippet, question: Question) -> bool:
    """Whether the snippet is about what the question is about."""
    # `council questions` puts more behind a title that many passages share.
    return question.entry == snippet.title or question.entry.startswith(f"{snippet.title}, ")


def _case(
    domain: str, question: Question, slates: Slates, *, scope: Scope, draw: random.Random
) -> Case | None:
    shown = draw.choice(_LENGTHS)
    without = draw.random() < WITHOUT_ANSWER
    variant = SlateVariant(scope, shown + _SPARE if without else shown)
    asked = _typed(question.question) if draw.random() < TYPED else question.question
    snippets = slates(asked, variant)
    if without:
        snippets = [one for one in snippets if not (answers(one, question) or is_of_entry(one, question))]
    answer = _answer(question, snippets[:shown])
    return (
        Case(asked, tuple(snippets[:shown]), answer, group=domain, entry=question.entry) if answer else None
    )


def _answer(question: Question, snippets: Sequence[Snippet]) -> str | None:
    """What should be said of a slate; None where that is not certain."""
    if question.answer is not None and any(answers(one, question) for one in snippets):
        return question.answer
    return None if any(is_of_entry(one, question) for one in snippets) else REFUSAL


def _typed(question: str) -> str:
    return question.lower().rstrip("?").rstrip()
