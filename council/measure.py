"""A council put beside its parts: what `council eval starter` measures, table by table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from proxycouncil.council.council import Council
from proxycouncil.council.questions import Question
from proxycouncil.council.saving import Runs
from proxycouncil.errors import UsageError
from proxycouncil.eval import starter as questions_table
from proxycouncil.eval.answerer import Answerer, Reply
from proxycouncil.eval.arms import ReadingArm, RetrievalArm, SelfConsistencyArm, Shelf
from proxycouncil.eval.reader import Reader, Steering, antiexpert_alone, expert_alone, steered, unsteered
from proxycouncil.eval.reading import ReadingSet, reading_report
from proxycouncil.eval.rewording import Reworded, rewording_report
from proxycouncil.eval.sweeps import Sweep, alpha_curve, cost
from proxycouncil.graphs.context import GENERALIST
from proxycouncil.graphs.protocols import Generator
from proxycouncil.graphs.route import route
from proxycouncil.graphs.run_settings import RunSettings
from proxycouncil.graphs.state import Ballot, CrossScore, Tally
from proxycouncil.specialists.request import Sampling

Table: TypeAlias = Literal["questions", "reworded", "reading", "retrieval", "alpha", "cost"]
TABLES: tuple[Table, ...] = get_args(Table)

_CONTROLS = ("base", "expert alone", "base tuned directly")
PAIRS = (
    *(("council", other) for other in ("best passage", "best sentence", "top specialist", "generalist")),
    *(("council", other) for other in ("self-consistency", "expert alone", "proxy 1", "proxy 1.5", "base")),
    *((proxy, other) for proxy in ("proxy 1", "proxy 1.5") for other in _CONTROLS),
    *((look, "council") for look in ("cross-scored", "reconsidered", "cross-scored once")),
    *(("reconsidered once", "council"), ("one ballot", "council")),
)
"""Which arms are compared on the same questions."""

READING_PAIRS = tuple(("proxy 1", other) for other in _CONTROLS)
SELF_CONSISTENCY_READINGS = 4
"""As many as the starter's council mostly casts ballots (two members, two each): about equal tokens."""
SECOND_LOOKS: Mapping[str, RunSettings] = {
    "cross-scored": RunSettings(cross_scoring=True),
    "reconsidered": RunSettings(reconsider_below=0.3),
    "one ballot": RunSettings(ballots=1),
    "cross-scored once": RunSettings(ballots=1, cross_scoring=True),
    "reconsidered once": RunSettings(ballots=1, reconsider_below=0.3),
}
"""Councils that look twice, asked only by name. `once`: members read once before that, so that the second
look takes about the tokens of the second reading that it replaces."""
REWORDED_ARMS = ("best sentence", "generalist", "council")
SWEPT_QUESTIONS = 150
COSTED_QUESTIONS = 48


@dataclass(frozen=True, slots=True)
class CouncilArm:
    """The council, or a part of it: `members` names who may be asked for a question, None lets it choose."""

    council: Council
    members: Callable[[str], Sequence[str]] | None = None
    at_once: int = 4
    runs: Runs | None = None
    """Where every answer is kept."""
    marked: Mapping[str, Question] = field(default_factory=dict)
    """By text, the questions as they are saved: with their ids, and with what is right."""
    settings: RunSettings | None = None
    """What it sets otherwise than the council."""

    def answers(self, questions: Sequence[str]) -> Iterator[Reply]:
        """Replies in the order of the questions."""
        put = (
            replace(
                self.marked.get(question, Question(question)),
                members=tuple(self.members(question)) if self.members else (),
                settings=self.settings,
            )
            for question in questions
        )
        answers = self.council.ask_many(self.runs.put(put) if self.runs else put, at_once=self.at_once)
        for answer in self.runs.keep(answers) if self.runs else answers:
            tokens = tokens_of(answer.tally, answer.ballots)
            yield Reply(answer.text, answer.confidence, tuple(answer.citations), tokens)


def tokens_of(tally: Tally, ballots: Sequence[Ballot]) -> int:
    """What was read and written for one answer: all readings, the second looks among them."""
    again = tally.get("reconsidered")
    readings: Sequence[Ballot | CrossScore] = [*again["first"], *again["second"]] if again else ballots
    used = [one["usage"] for one in [*readings, *tally.get("cross_scores", [])] if "usage" in one]
    return sum(one["prompt_tokens"] + one["completion_tokens"] for one in used)


@dataclass(frozen=True, slots=True)
class Bench:
    """A council and what its parts are compared with."""

    council: Council
    direct: Generator | None = None
    """A generator whose solo model "direct" is the base tuned directly."""
    limit: int | None = None
    """An even spread of so many questions."""
    verbatim: bool = False
    """Single readings may only say what stands in their slate; the council does as its settings say."""
    progress: questions_table.Progress = lambda *_: None
    runs: Runs | None = None
    """Where the council's answers to the questions are kept."""
    target_risk: float | None = None
    """Of every council that is asked, instead of its own; 1: whatever it finds is answered."""

    def measure(self, tables: Sequence[Table], *, arms: Sequence[str] = ()) -> dict[str, Any]:
        """The tables by name; plain data for JSON. `arms` keeps some of those of the questions."""
        makers: Mapping[Table, Callable[[], Any]] = {
            "questions": lambda: self._questions(arms),
            "reworded": lambda: self._reworded(arms),
            "reading": self._reading,
            "retrieval": self._retrieval,
            "alpha": lambda: list(alpha_curve(self._reader(steered(1.0)), reading_set())),
            "cost": self._cost,
        }
        return {name: makers[name]() for name in tables}

    def arms(self, only: Sequence[str] = ()) -> Mapping[str, Answerer]:
        """Every arm by name, in the order of the table; `only` keeps some of them."""
        council, searcher = self.council, self.council.library
        nearest = nearest_specialist(council)
        shelf = Shelf(searcher, nearest)
        single = {name: ReadingArm(reader, shelf) for name, reader in self._readers().items()}
        every: dict[str, Answerer] = {
            "best passage": RetrievalArm(searcher, "passages"),
            "best sentence": RetrievalArm(searcher, "sentences"),
            **single,
            "self-consistency": SelfConsistencyArm(
                self._reader(_STEERINGS["proxy 1.5"]), shelf, SELF_CONSISTENCY_READINGS
            ),
            "top specialist": self._sitting(members=lambda question: [nearest(question)]),
            "generalist": self._sitting(members=lambda _: [GENERALIST]),
            "council": self._sitting(runs=self.runs, marked=self._marked() if self.runs else {}),
        }
        looks = {name: self._sitting(how) for name, how in SECOND_LOOKS.items()}
        unknown = set(only) - set(every) - set(looks)
        if unknown:
            known = ", ".join([*every, *looks])
            raise UsageError(f"no arm is called {min(unknown)!r}", hint=f"arms are {known}")
        return {name: arm for name, arm in (every | looks).items() if name in only} if only else every

    def _sitting(self, how: RunSettings | None = None, **more: Any) -> CouncilArm:  # noqa: ANN401 (its fields)
        """The council under settings of its own."""
        if self.target_risk is not None:
            how = (how or RunSettings()).model_copy(update={"target_risk": self.target_risk})
        return CouncilArm(self.council, settings=how, **more)

    def _marked(self) -> dict[str, Question]:
        material = questions_table.load_material(questions_folder(), limit=self.limit)
        return {
            one.text: Question(
                one.text,
                id=one.id,
                marking={
                    "accepted": list(one.accepted),
                    "kind": one.kind,
                    "entry": one.entry,
                    "domain": one.domain,
                },
            )
            for one in (*material.inside, *material.outside)
        }

    def _questions(self, only: Sequence[str]) -> dict[str, Any]:
        material = questions_table.load_material(questions_folder(), limit=self.limit)
        return questions_table.report(self.arms(only), material, pairs=PAIRS, progress=self.progress)

    def _reworded(self, only: Sequence[str]) -> dict[str, Any]:
        asked = Reworded.load(questions_folder(), limit=self.limit)
        arms = replace(self, runs=None).arms(only or REWORDED_ARMS)
        return rewording_report(arms, asked, progress=self.progress)

    def _reading(self) -> dict[str, Any]:
        arms = {**self._readers(), "anti-expert": self._reader(antiexpert_alone)}
        return reading_report(arms, reading_set(), pairs=READING_PAIRS)

    def _retrieval(self) -> dict[str, Any]:
        limit = min(self.limit or SWEPT_QUESTIONS, SWEPT_QUESTIONS)
        questions = questions_table.load_material(questions_folder(), limit=limit).inside
        readers = {"base": self._reader(unsteered), "proxy 1": self._reader(steered(1.0))}
        shelf = Shelf(self.council.library, nearest_specialist(self.council))
        sweep = Sweep.over(questions, shelf, readers)
        return {
            "questions": len(questions),
            "tuning_and_retrieval": list(sweep.four()),
            "orders": list(sweep.orders()),
        }

    def _cost(self) -> dict[str, Any]:
        questions = questions_table.load_material(questions_folder(), limit=COSTED_QUESTIONS).inside
        shelf = Shelf(self.council.library, lambda _: GENERALIST)
        tasks = [shelf.task(question.text, shelf.find(question.text)) for question in questions]
        readers = {name: self._reader(_STEERINGS[name]) for name in ("base", "expert alone", "proxy 1")}
        return {"tokens_per_second": cost(readers, tasks)}

    def _readers(self) -> dict[str, Reader]:
        """Single readings by name; the base tuned directly where it was given."""
        readers = {name: self._reader(how) for name, how in _STEERINGS.items()}
        if self.direct:
            readers["base tuned directly"] = Reader(self.direct, lambda _: ((), "direct"), self._sampling)
        return readers

    def _reader(self, how: Steering) -> Reader:
        return Reader(self.council.generator, how, self._sampling)

    @property
    def _sampling(self) -> Sampling:
        return Sampling(max_new_tokens=48, verbatim=self.verbatim)


_STEERINGS: Mapping[str, Steering] = {
    "base": unsteered,
    "expert alone": expert_alone,
    "proxy 0.5": steered(0.5),
    "proxy 1": steered(1.0),
    "proxy 1.5": steered(1.5),
}


def nearest_specialist(council: Council) -> Callable[[str], str]:
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


def reading_set() -> ReadingSet:
    """Terms of glossaries that nothing was tuned on."""
    from proxycouncil.council import starter

    return ReadingSet.load(starter.DIRECTORY / "reading-cases.jsonl.gz")
