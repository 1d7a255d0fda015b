"""The public face of an answer: pydantic and versioned. The event stream carries the same objects."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from proxycouncil.graphs.state import (
    Ballot,
    Citation,
    Dissent,
    Outcome,
    Part,
    Plan,
    Route,
    Slate,
    Tally,
)

VERSION: Final = 1
"""Of every event. Fields may be added within it; one that is renamed, removed or changes its meaning makes
the next version, and docs/events.md says how the two differ."""


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    v: Literal[1] = VERSION


class PlanEvent(_Event):
    """The question is asked in parts, in this order. What follows up to each `part` is about that one."""

    type: Literal["plan"] = "plan"
    plan: Plan


class PartEvent(_Event):
    """A part is decided, or can't be asked because what it needs is not known."""

    type: Literal["part"] = "part"
    number: int
    of: int
    part: Part


class RouteEvent(_Event):
    """Who will be asked, and the question as it was understood."""

    type: Literal["route"] = "route"
    standalone: str
    route: Route


class MemberStartEvent(_Event):
    """A member begins a reading."""

    type: Literal["member.start"] = "member.start"
    member: str
    slate: Slate
    alpha: float | None = None
    """How strongly it is steered; 0 is the base alone."""


class MemberTokenEvent(_Event):
    """Newly written text of a reading."""

    type: Literal["member.token"] = "member.token"
    member: str
    slate: Slate
    text: str


class BallotEvent(_Event):
    """A reading has ended."""

    type: Literal["ballot"] = "ballot"
    ballot: Ballot


class VoteEvent(_Event):
    """The ballots are counted."""

    type: Literal["vote"] = "vote"
    tally: Tally


class DecisionEvent(_Event):
    """What the council says; always the last event. Its fields are a contract (see docs/events.md)."""

    type: Literal["decision"] = "decision"
    question: str
    standalone: str
    outcome: Outcome
    text: str
    confidence: float = Field(ge=0.0, le=1.0)
    calibrated: bool
    agreement: float | None
    citations: list[Citation]
    dissent: list[Dissent]
    reason: str
    degraded: bool
    thread: str | None = None
    version: str | None = None
    """Which version of the council answered (`council versions`); null where none was promoted."""
    undecided: list[str] = []
    """Answers that a person is to choose from (`council.ask_between`): `Council.settle` goes on."""
    parts: list[Part] = []
    """Where the question was asked in parts: each with its own decision; `text` holds their answers."""


CouncilEvent: TypeAlias = Annotated[
    PlanEvent
    | RouteEvent
    | MemberStartEvent
    | MemberTokenEvent
    | BallotEvent
    | VoteEvent
    | PartEvent
    | DecisionEvent,
    Field(discriminator="type"),
]


_EVENTS: TypeAdapter[CouncilEvent] = TypeAdapter(CouncilEvent)


def as_event(fields: dict[str, Any]) -> CouncilEvent:
    """The event that a node reported as a plain dict."""
    return _EVENTS.validate_python(fields)


def events_schema() -> dict[str, Any]:
    """JSON Schema of one event as it is written. It allows more fields, as version 1 may get some."""
    schema = _EVENTS.json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"One event of a council, version {VERSION}",
        **_open(schema),
    }


def _open(schema: Any) -> Any:  # noqa: ANN401 (any JSON)
    """The same without what forbids further fields: ours check themselves, readers should not."""
    if isinstance(schema, list):
        return [_open(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _open(value)
        for key, value in schema.items()
        if not (key == "additionalProperties" and value is False)
    }


class Answer(BaseModel):
    """A decision with everything behind it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    decision: DecisionEvent
    route: Route
    ballots: list[Ballot]
    tally: Tally
    seconds: float
    timings: dict[str, float] = {}
    """Seconds by stage: understand, route, consult, vote, decide."""
    plan: Plan | None = None
    """What was asked instead of the question, part by part; None: it was asked whole."""
    parts: list[Answer] = []
    """The parts as answers of their own, each with its route, ballots and tally. `ballots` above are those of
    all parts; `route` and `tally` are of the part that was asked last."""

    @property
    def text(self) -> str:
        """The council's answer, a member's verbatim words; "" unless it answers."""
        return self.decision.text

    @property
    def outcome(self) -> Outcome:
        """consensus, plurality, abstain or error."""
        return self.decision.outcome

    @property
    def confidence(self) -> float:
        """In [0, 1]; see `decision.calibrated`."""
        return self.decision.confidence

    @property
    def citations(self) -> list[Citation]:
        """Spans of the sources that support the answer."""
        return self.decision.citations


NOBODY: Final = Route(members=[], probabilities={}, out_of_scope=0.0, declined=False, calibrated=False)
"""Asked, where a question was not."""
NOTHING: Final = Tally(
    groups=[], agreement=None, p_none=1.0, n_eff=None, asked=[], answered=[], abstained=[],
    missing=[], decisive=[], degraded=True,
)  # fmt: skip


def part_answer(
    part: Part, *, route: Route, ballots: list[Ballot], tally: Tally, like: DecisionEvent | None = None
) -> Answer:
    """A decided part as an answer of its own; thread and version are those of the whole, `like`."""
    decision = DecisionEvent.model_validate(
        {
            "question": part["question"],
            "standalone": part["standalone"],
            **part["decision"],
            "thread": like.thread if like else None,
            "version": like.version if like else None,
        }
    )
    seconds = max((ballot["seconds"] for ballot in ballots), default=0.0)
    return Answer(decision=decision, route=route, ballots=ballots, tally=tally, seconds=seconds)


def failed_answer(question: str, *, thread: str | None, reason: str) -> Answer:
    """The answer to a question that could not be asked."""
    decision = DecisionEvent(
        question=question,
        standalone=question,
        outcome="error",
        text="",
        confidence=0.0,
        calibrated=False,
        agreement=None,
        citations=[],
        dissent=[],
        reason=reason,
        degraded=True,
        thread=thread,
    )
    return Answer(decision=decision, route=NOBODY, ballots=[], tally=NOTHING, seconds=0.0)
