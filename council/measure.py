"""A council put beside its parts: the arms of `council eval starter`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from proxycouncil.council.council import Council
from proxycouncil.council.questions import Question
from proxycouncil.errors import UsageError
from proxycouncil.eval.answerer import Answerer, Reply
from proxycouncil.eval.arms import ReadingArm, RetrievalArm, Steering, expert_alone, steered, unsteered
from proxycouncil.graphs.context import GENERALIST
from proxycouncil.graphs.route import route

PAIRS = (
    *(("council", other) for other in ("best passage", "best sentence", "top specialist", "generalist")),
    *(("council", other) for other in ("expert alone", "proxy 1", "base")),
    *(("proxy 1", other) for other in ("base", "expert alone")),
)
"""Which arms are compared on the same questions."""


@dataclass(frozen=True, slots=True)
class CouncilArm:
    """The council, or a part of it: `members` names who may be asked for a question, None lets it choose."""

    council: Council
    members: Callable[[str], Sequence[str]] | None = None
    at_once: int = 4

    def answers(self, questions: Sequence[str]) -> Iterator[Reply]:
        """Replies in the order of the questions."""
        put = (
            Question(question, members=tuple(self.members(question)) if self.members else ())
            for question in questions
        )
        for answer in self.council.ask_many(put, at_once=self.at_once):
            yield Reply(answer.text, answer.confidence, tuple(answer.citations))


def arms(council: Council, *, only: Sequence[str] = ()) -> Mapping[str, Answerer]:
    """Every arm by name, in the order of the table; `only` keeps some of them."""
    searcher, generator = council.library, council.generator
    nearest = _nearest_specialist(council)

    def reading(steering: Steering) -> ReadingArm:
        return ReadingArm(generator, searcher, steering, nearest)

    every: dict[str, Answerer] = {
        "best passage": RetrievalArm(searcher, "passages"),
        "best sentence": RetrievalArm(searcher, "sentences"),
        "base": reading(unsteered),
        "expert alone": reading(expert_alone),
        "proxy 0.5": reading(steered(0.5)),
        "proxy 1": reading(steered(1.0)),
        "proxy 1.5": reading(steered(1.5)),
        "top specialist": CouncilArm(council, lambda question: [nearest(question)]),
        "generalist": CouncilArm(council, lambda _: [GENERALIST]),
        "council": CouncilArm(council),
    }
    unknown = set(only) - set(every)
    if unknown:
        raise UsageError(f"no arm is called {min(unknown)!r}", hint=f"arms are {', '.join(every)}")
    return {name: arm for name, arm in every.items() if not only or name in only}


def _nearest_specialist(council: Council) -> Callable[[str], str]:
    """Question → the domain that the router finds likeliest, whether or not it would ask anybody."""
    searcher = council.library
    calibration = (council.calibration or {}).get("route")

    def nearest(question: str) -> str:
        chosen = route(
            question,
            searcher.affinities(question),
            calibration=calibration,
            fingerprint=searcher.embedder_fingerprint,
        )
        return max(chosen["probabilities"], key=lambda domain: (chosen["probabilities"][domain], domain))

    return nearest


def questions_folder() -> Path:
    """Where the starter's questions are."""
    from proxycouncil.council import starter

    return starter.DIRECTORY / "questions"
