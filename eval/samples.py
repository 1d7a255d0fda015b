"""Ten answers to look at: five of the right ones and the five worst of the wrong ones.

Chosen by rule, never by taste: the surest of each, so that a wrong one costs most. Knows questions and
replies; refuses to know how they are printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from proxycouncil.eval.answerer import Reply
from proxycouncil.eval.metrics import is_right
from proxycouncil.eval.splits import Question

EACH = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer whole. `accepted` is empty where the question should have been declined."""

    right: bool
    question: str
    text: str
    confidence: float
    accepted: tuple[str, ...]
    source: str = ""
    """Title of the cited passage."""
    quote: str = ""


def samples(questions: Sequence[Question], replies: Sequence[Reply], *, each: int = EACH) -> list[Sample]:
    """The surest right answers, one a kind of question at most, then the surest wrong ones.

    An answer to a question that nothing answers is wrong. Ties go to the question that stands first.
    """
    said = [(question, reply) for question, reply in zip(questions, replies, strict=True) if reply.text]
    surest = sorted(said, key=lambda one: -one[1].confidence)
    good = [one for one in surest if _is_right(*one)]
    bad = [one for one in surest if not _is_right(*one)]
    return [_sample(*one) for one in (*[*_one_a_kind(good)][:each], *bad[:each])]


def _is_right(question: Question, reply: Reply) -> bool:
    return is_right(reply.text, question.accepted, question.kind)


def _one_a_kind(said: Sequence[tuple[Question, Reply]]) -> Iterator[tuple[Question, Reply]]:
    seen: set[str] = set()
    for question, reply in said:
        if question.kind not in seen:
            seen.add(question.kind)
            yield question, reply


def _sample(question: Question, reply: Reply) -> Sample:
    cited = reply.citations[0] if reply.citations else None
    return Sample(
        right=_is_right(question, reply),
        question=question.text,
        text=reply.text,
        confidence=round(reply.confidence, 3),
        accepted=question.accepted,
        source=cited["title"] if cited else "",
        quote=cited["quote"] if cited else "",
    )
