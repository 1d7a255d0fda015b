"""The state of the graph: plain dicts, lists and scalars, so that any checkpointer can hold it.

What flows: question → `Route` → `Ballot`s → `Tally` → `Decision`. Everything here survives
`LANGGRAPH_STRICT_MSGPACK=true` unchanged.
"""

from __future__ import annotations

import operator
from typing import Annotated, Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

Status: TypeAlias = Literal["answered", "abstained", "failed", "late", "stopped"]
Method: TypeAlias = Literal["steered", "quoted", "alone"]
Slate: TypeAlias = Literal["shared", "own", "disputed"]
"""What a reading reads: what all members do, its own member's passages in an order of its own, or, in a round
of reconsideration, what the answers in dispute cite."""
Outcome: TypeAlias = Literal["consensus", "plurality", "abstain", "error"]


class Citation(TypedDict):
    """A span of a source that supports an answer: `source[start:end] == quote`."""

    place: NotRequired[str]
    """Page, slide or cells, where the source has such parts."""

    passage_id: str
    title: str
    source: str
    start: int
    end: int
    quote: str
    domain: str


class ExcerptRecord(TypedDict):
    """A piece of text as a member reads it: `source[start:end] == text`."""

    place: NotRequired[str]

    passage_id: str
    title: str
    text: str
    source: str
    start: int
    end: int
    domain: str
    score: float


class Memory(TypedDict):
    """What a user asked to remember; `about` is the question it answers, "" where it stands for itself."""

    key: str
    text: str
    about: str
    at: str
    """When it was said: ISO 8601, UTC."""


class Recalled(Memory):
    """A memory that is near to the question."""

    cosine: float


class Message(TypedDict):
    """One turn of the conversation as it was decided; `subject` is the title of what was cited first."""

    question: str
    standalone: str
    answer: str
    subject: str
    parts: NotRequired[list[Said]]
    """Where the question was asked in parts: each, in its order."""


class Said(TypedDict):
    """One part of a turn, for whoever reads the conversation."""

    standalone: str
    answer: str
    subject: str


class Route(TypedDict):
    """Who is asked, and how likely each domain is. Probabilities sum to 1 with `out_of_scope`."""

    members: list[str]
    probabilities: dict[str, float]
    out_of_scope: float
    declined: bool
    calibrated: bool


class Signals(TypedDict):
    """What speaks for a ballot. `None`: not measured."""

    confidence: float | None
    """In [0, 1]: how sure this reading is of itself."""
    support: float | None
    """In [0, 1]: share of the answer's content words that stand in the cited excerpt."""
    logprob: float | None
    """Mean log-probability of the answer's tokens."""
    kl: float | None
    """Mean KL(steered‖base) in nats."""
    relevance: NotRequired[float | None]
    """How near the cited excerpt is to the question, on its searcher's scale; None where none is cited."""


class Trace(TypedDict):
    """What steering did at each token that a reading wrote (see `SteeringTrace`).

    An engine's lists are of one length; another generator may leave some empty.
    """

    token_ids: list[int]
    logprobs: list[float]
    kl: list[float]
    base_top: list[int]
    steered_top: list[int]


class Usage(TypedDict):
    """Tokens of one reading, as the base counts them."""

    prompt_tokens: int
    completion_tokens: int


class Ballot(TypedDict):
    """One reading by one member. Made only by consult; never altered after."""

    turn: str
    member: str
    slate: Slate
    status: Status
    text: str
    value: str
    """Canonical form of the text, "" where the ballot is not an answer."""
    method: Method
    """`quoted`: the member's own reading was unsure and it cast its best excerpt verbatim. `alone`: its
    expert wrote without the base, whose server was gone; `error` says so."""
    signals: Signals
    passage_ids: list[str]
    """What was read, in the order it was read."""
    citations: list[Citation]
    error: str | None
    seconds: float
    locale: NotRequired[str]
    """How its numbers and dates were read, where that was declared."""
    trace: NotRequired[Trace]
    """Of what the member wrote itself, also where it then quoted; not there where it finished nothing."""
    usage: NotRequired[Usage]
    """Left out where no generation came back: crashed, stopped, late without a word."""


class Group(TypedDict):
    """Ballots that mean the same. `text` is the words of the ballot that stands for them."""

    text: str
    value: str
    texts: list[str]
    """Every wording in the group, verbatim and sorted: which ballots it holds."""
    members: list[str]
    weight: float
    passage_ids: list[str]
    probability: NotRequired[float]
    """That this answer is right, by fitted weights alone; only where the council is calibrated so."""


class CrossScore(TypedDict):
    """How likely one reading would have written every answer of the council, under its own passages and
    steering: natural log-probabilities per token."""

    member: str
    slate: Slate
    logprobs: dict[str, float]
    """By an answer's words."""
    none: float
    """Of saying that the passages do not hold it."""
    p_true: NotRequired[dict[str, float]]
    """By an answer's words, how likely the reading calls it true rather than false (Kadavath et al. 2022)."""
    usage: NotRequired[Usage]
    """What was read for it: the reading's prompt again, and everything that was scored behind it."""


class Reconsidered(TypedDict):
    """A round of reconsideration. Whoever changed has one ballot in force, of slate `disputed`."""

    turn: str
    margin: float
    """Lead of the first answer over the next before it, as a share of the answering weight."""
    shown: list[ExcerptRecord]
    """What every live member read: passages that the answers in dispute cite."""
    first: list[Ballot]
    """All ballots as they were cast before."""
    second: list[Ballot]
    """All readings of what was shown, those that changed nothing among them."""
    changed: list[str]


class Tally(TypedDict):
    """The count. Weights of groups, abstention and nothing else; shares are of their sum."""

    groups: list[Group]
    agreement: float | None
    """Share of the answering weight in the first group; None with fewer than two answering members."""
    p_none: float
    """Probability that none of the groups is right."""
    n_eff: float | None
    """Effective number of independent votes among the answering members."""
    asked: list[str]
    answered: list[str]
    abstained: list[str]
    missing: list[str]
    """Members asked who are not live: failed, late, stopped or never heard of."""
    decisive: list[str]
    """Members without whom another group (or none) would have led, and missing ones whose vote could have
    made another lead."""
    degraded: bool
    grouped_by: NotRequired[Literal["words", "entailment"]]
    """How free texts were compared: by their words and numbers alone, or by what follows from what, too."""
    entropy: NotRequired[float]
    """Semantic entropy in nats: how far the answering members scatter over the groups, corrected for
    answers that nobody happened to give."""
    weighed_by: NotRequired[Literal["route", "fitted"]]
    """What a vote weighs: as the route and the evidence say, or as fitted to labelled questions."""
    voted_by: NotRequired[Literal["ballots", "cross_scores"]]
    """Whether a reading's vote is its own answer's, or spread over all answers as it would have given them.
    Only where cross-scoring is asked for; `ballots` there where it could not be had."""
    cross_scores: NotRequired[list[CrossScore]]
    """Only where they were asked for, as votes or as signals."""
    reconsidered: NotRequired[Reconsidered]
    """Only where there was a round of reconsideration: this count is the one after it."""


class Dissent(TypedDict):
    """An answer that lost, with who gave it."""

    text: str
    members: list[str]
    share: float


class Decision(TypedDict):
    """What the council says. `text` is a ballot's verbatim words, "" unless it answers; where a question was
    asked in parts, their answers under numbers."""

    outcome: Outcome
    text: str
    confidence: float
    calibrated: bool
    agreement: float | None
    citations: list[Citation]
    dissent: list[Dissent]
    reason: str
    degraded: bool


class PlanStep(TypedDict):
    """One sub-question of a plan."""

    question: str
    """As planned: "When was he born?"; `{1}` stands for the answer to step 1."""
    needs: list[int]
    """Steps, counted from 1, without whose answers it can't be asked."""


class Plan(TypedDict):
    """A question of several parts and what is asked instead, in this order."""

    standalone: str
    """The whole question."""
    steps: list[PlanStep]
    made_by: Literal["rules", "model", "caller"]


class Part(TypedDict):
    """A step of a plan once it is decided."""

    question: str
    standalone: str
    """As it was asked, with the answers it needs filled in."""
    needs: list[int]
    decision: Decision


class PartRecord(TypedDict):
    """A decided step with everything behind it; ballots carry the turn of their own step."""

    part: Part
    route: Route
    ballots: list[Ballot]
    tally: Tally


class CouncilState(TypedDict, total=False):
    """One conversation. Ballots are reset at the start of each turn and stamped with it as well."""

    question: str
    turn: str
    standalone: str
    members: list[str]
    """Asked for by the caller; empty: the router chooses."""
    route: Route
    slate: list[ExcerptRecord]
    """What every member reads first, the same text in the same order."""
    recalls: list[Recalled]
    """What the user once asked to remember and is near to the question."""
    ballots: Annotated[list[Ballot], operator.add]
    tally: Tally
    disputed: list[ExcerptRecord]
    """What is to be read again, between the first count and the round of reconsideration."""
    reconsidered: Reconsidered
    """Of this turn, or of one before it."""
    decision: Decision
    history: list[Message]
    sub_questions: list[str]
    """A plan given by the caller; used up by the turn that it came with."""
    plan: Plan | None
    """None: the question is asked whole."""
    parts: list[PartRecord]
    """The steps of the plan that are decided."""


class Assignment(TypedDict):
    """What one member is sent."""

    turn: str
    member: str
    question: str
    slate: list[ExcerptRecord]
    route: NotRequired[Route]
    """Who else was asked: whether this member's ballots settle the outcome depends on it."""
    recalls: NotRequired[list[Recalled]]
    """What its own slate holds beside the library's."""


class CouncilInput(TypedDict, total=False):
    """What a caller puts in; `members` asks just those.

    `history` is for callers that keep the conversation themselves; without it the checkpointer's is used.
    `sub_questions` are asked instead of the question, one after another (see `planning`).
    """

    question: str
    members: list[str]
    history: list[Message]
    sub_questions: list[str]


class CouncilOutput(TypedDict, total=False):
    """What a caller gets out."""

    standalone: str
    route: Route
    ballots: list[Ballot]
    tally: Tally
    decision: Decision
    plan: Plan | None
    parts: list[PartRecord]
