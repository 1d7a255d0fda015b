"""Labelled polls made by hand, and by a seeded council whose members copy each other's mistakes."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from proxycouncil.eval.polls import LabelledPoll
from proxycouncil.graphs.poll import Poll


def poll(answers: Mapping[str, str | None]) -> Poll:
    """One whole vote each; None abstains."""
    texts = sorted({text for text in answers.values() if text is not None})
    return Poll(
        candidates=tuple(texts),
        votes=tuple({name: 1.0 for name, said in answers.items() if said == text} for text in texts),
        abstained={name: 1.0 for name, said in answers.items() if said is None},
    )


def labelled(name: str, gold: str, answers: Mapping[str, str | None]) -> LabelledPoll:
    cast = poll(answers)
    right = frozenset(place for place, text in enumerate(cast.candidates) if text == gold)
    return LabelledPoll(name, cast, right)


def records(
    count: int,
    skills: Mapping[str, float],
    *,
    copies: Mapping[str, str] | None = None,
    abstain: float = 0.0,
    seed: int = 0,
) -> list[dict[str, object]]:
    """Questions in the plain form. Members are right by skill and luck of the question; wrong ones scatter
    over nine numbers. A copy says what its original says, nine times in ten."""
    draw = random.Random(seed)
    made: list[dict[str, object]] = []
    for number in range(count):
        easy = draw.uniform(-0.25, 0.25)
        answers: dict[str, str | None] = {}
        for name, skill in skills.items():
            said: str | None = "10" if draw.random() < skill + easy else str(draw.randrange(1, 10))
            answers[name] = None if draw.random() < abstain else said
        for name, original in (copies or {}).items():
            if draw.random() < 0.9:
                answers[name] = answers[original]
        made.append({"id": f"q{number:04}", "gold": "10", "answers": answers})
    return made


def cases(made: Sequence[Mapping[str, object]]) -> list[LabelledPoll]:
    return [labelled(str(one["id"]), str(one["gold"]), one["answers"]) for one in made]  # type: ignore[arg-type]
