"""Puts questions to arms and says how they did: shares with intervals, differences by paired bootstrap.

Knows questions, replies and the short-answer rule; refuses to know what an arm is made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

from proxycouncil.eval.answerer import Answerer, Reply
from proxycouncil.eval.metrics import Interval, ece, is_right, paired_bootstrap, wilson
from proxycouncil.eval.samples import samples
from proxycouncil.eval.splits import Question, halves, load_out_of_scope, load_questions
from proxycouncil.specialists.questions import Part

T = TypeVar("T")
Progress = Callable[[str, int, int], None]
"""Arm, replies so far, replies in all."""


@dataclass(frozen=True, slots=True)
class Score:
    """How one arm did. `right` is of all in-scope questions, `precision` of those it answered."""

    arm: str
    questions: int
    answered: Interval
    right: Interval
    precision: Interval
    declined_out_of_scope: Interval
    by_kind: dict[str, Interval]
    """Right among the answered, per kind of question."""
    seconds: float
    tokens: float | None = None
    """Read and written a question, on average; None where no model reads."""
    calibration_error: float | None = None
    """Of what is answered, in scope and out of it; None where an arm says nothing of how sure it is."""


@dataclass(frozen=True, slots=True)
class Replies:
    """One arm's replies to the in-scope and to the out-of-scope questions."""

    arm: str
    inside: tuple[Reply, ...]
    outside: tuple[Reply, ...]
    seconds: float

    def right(self, questions: Sequence[Question]) -> list[bool]:
        """Which in-scope replies are right."""
        return [
            is_right(reply.text, question.accepted, question.kind)
            for reply, question in zip(self.inside, questions, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Material:
    """The questions of one part of the split."""

    inside: tuple[Question, ...]
    outside: tuple[Question, ...]


def load_material(folder: Path, *, part: Part = "test", limit: int | None = None) -> Material:
    """In-scope questions of the part and the half of the out-of-scope ones that goes with it.

    `limit` takes an even spread of the questions, not the first ones: files are sorted by domain.
    """
    inside = load_questions(folder, only=part)
    fitting, testing = halves(load_out_of_scope(folder))
    outside = testing if part == "test" else fitting
    return Material(tuple(spread(inside, limit)), tuple(spread(outside, limit and max(1, limit // 5))))


def spread(items: Sequence[T], limit: int | None) -> list[T]:
    """So many of them, evenly over their order; all where there is no limit."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[index * len(items) // limit] for index in range(limit)]


def put_to(name: str, arm: Answerer, material: Material, progress: Progress) -> Replies:
    """Ask one arm everything."""
    questions = [question.text for question in (*material.inside, *material.outside)]
    started = perf_counter()
    replies: list[Reply] = []
    for reply in arm.answers(questions):
        replies.append(reply)
        progress(name, len(replies), len(questions))
    border = len(material.inside)
    return Replies(name, tuple(replies[:border]), tuple(replies[border:]), perf_counter() - started)


def score(replies: Replies, material: Material) -> Score:
    """Shares and their intervals."""
    right = replies.right(material.inside)
    answered = [not reply.declined for reply in replies.inside]
    return Score(
        arm=replies.arm,
        questions=len(right),
        answered=wilson(sum(answered), len(answered)),
        right=wilson(sum(right), len(right)),
        precision=wilson(sum(right), sum(answered)),
        declined_out_of_scope=wilson(sum(one.declined for one in replies.outside), len(replies.outside)),
        by_kind=_by_kind(right, answered, material.inside),
        seconds=replies.seconds,
        tokens=_tokens([*replies.inside, *replies.outside]),
        calibration_error=_calibration_error(replies, right),
    )


def _calibration_error(replies: Replies, right: Sequence[bool]) -> float | None:
    """By `metrics.ece`; an answer to a question that has none is wrong."""
    replied = (*replies.inside, *replies.outside)
    labels = [*right, *(False for _ in replies.outside)]
    said = [(one.confidence, ok) for one, ok in zip(replied, labels, strict=True) if not one.declined]
    if not any(confidence for confidence, _ in said):
        return None
    return ece([confidence for confidence, _ in said], [ok for _, ok in said])


def _tokens(replies: Sequence[Reply]) -> float | None:
    counted = [reply.tokens for reply in replies if reply.tokens is not None]
    return sum(counted) / len(counted) if counted else None


def _by_kind(
    right: Sequence[bool], answered: Sequence[bool], questions: Sequence[Question]
) -> dict[str, Interval]:
    kinds: dict[str, list[bool]] = {}
    for ok, spoke, question in zip(right, answered, questions, strict=True):
        if spoke:
            kinds.setdefault(question.kind, []).append(ok)
    return {kind: wilson(sum(oks), len(oks)) for kind, oks in sorted(kinds.items())}


def compare(first: Replies, second: Replies, material: Material) -> dict[str, Any]:
    """How much more often the first arm is right, on the same questions.

    `right` counts over all questions, so an arm pays for what it declines; `when_both_answer` looks only at
    those that both answered.
    """
    one, other = first.right(material.inside), second.right(material.inside)
    both = [
        (a, b)
        for a, b, mine, yours in zip(one, other, first.inside, second.inside, strict=True)
        if not (mine.declined or yours.declined)
    ]
    return {
        "first": first.arm,
        "second": second.arm,
        "right": asdict(paired_bootstrap(one, other)),
        "when_both_answer": asdict(paired_bootstrap([a for a, _ in both], [b for _, b in both])),
        "both_answered": len(both),
    }


def report(
    arms: Mapping[str, Answerer],
    material: Material,
    *,
    pairs: Sequence[tuple[str, str]] = (),
    shown: str = "council",
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Every arm's score, the named pairs compared, some answers of `shown` whole; plain data for JSON."""
    replies = {name: put_to(name, arm, material, progress) for name, arm in arms.items()}
    return {
        "questions": len(material.inside),
        "out_of_scope": len(material.outside),
        "arms": [asdict(score(one, material)) for one in replies.values()],
        "comparisons": [
            compare(replies[first], replies[second], material)
            for first, second in pairs
            if first in replies and second in replies
        ],
        "samples": _samples(replies[shown], material) if shown in replies else [],
        "replies": [_record(one, material) for one in replies.values()],
    }


def _samples(replies: Replies, material: Material) -> list[dict[str, Any]]:
    questions = (*material.inside, *material.outside)
    return [asdict(one) for one in samples(questions, (*replies.inside, *replies.outside))]


def _record(replies: Replies, material: Material) -> dict[str, Any]:
    """What was said, so that any figure can be traced to its questions."""
    questions = (*material.inside, *material.outside)
    said = (*replies.inside, *replies.outside)
    return {
        "arm": replies.arm,
        "texts": {question.id: reply.text for question, reply in zip(questions, said, strict=True)},
        "confidences": {
            question.id: reply.confidence for question, reply in zip(questions, said, strict=True)
        },
    }
