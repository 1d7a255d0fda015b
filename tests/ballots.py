"""Ballots, routes and counts made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from proxycouncil.graphs.decide import decide
from proxycouncil.graphs.state import Ballot, Citation, Decision, Route, Signals, Slate, Status, Tally
from proxycouncil.graphs.weighing import tally

TURN = "now"


def ballot(
    member: str,
    text: str | None = "",
    *,
    status: Status = "answered",
    turn: str = TURN,
    slate: Slate = "shared",
    confidence: float | None = None,
    support: float | None = None,
    citations: Sequence[Citation] = (),
    read: Sequence[str] = ("p1",),
    error: str | None = None,
) -> Ballot:
    return Ballot(
        turn=turn,
        member=member,
        slate=slate,
        status=status,
        text=text or "",
        value="",
        method="steered",
        signals=Signals(confidence=confidence, support=support, logprob=None, kl=None),
        passage_ids=list(read),
        citations=list(citations),
        error=error,
        seconds=0.0,
    )


def cite(passage_id: str = "p1", quote: str = "Paris is the capital of France.", start: int = 0) -> Citation:
    end = start + len(quote)
    return Citation(
        passage_id=passage_id, title="T", source="t.md", start=start, end=end, quote=quote, domain="d"
    )


def votes(**texts: str | None) -> list[Ballot]:
    """One answered ballot a member; None is a crash."""
    return [
        ballot(member, text) if text is not None else ballot(member, status="failed", error="crashed")
        for member, text in texts.items()
    ]


def route_of(
    asked: Sequence[str],
    probabilities: Mapping[str, float] | None = None,
    *,
    out_of_scope: float = 0.0,
    declined: bool = False,
) -> Route:
    """Every member equally likely unless said otherwise."""
    return Route(
        members=list(asked),
        probabilities=dict(probabilities or {name: 1 / len(asked) for name in asked}),
        out_of_scope=out_of_scope,
        declined=declined,
        calibrated=False,
    )


def counted(
    ballots: Sequence[Ballot],
    asked: Sequence[str] | None = None,
    *,
    probabilities: Mapping[str, float] | None = None,
    question: str = "",
) -> Tally:
    asked = list(dict.fromkeys(each["member"] for each in ballots)) if asked is None else asked
    return tally(ballots, route=route_of(asked, probabilities), turn=TURN, asked=asked, question=question)


def decided(
    ballots: Sequence[Ballot],
    asked: Sequence[str] | None = None,
    *,
    quorum: int = 2,
    probabilities: Mapping[str, float] | None = None,
    question: str = "",
    calibration: Mapping[str, object] | None = None,
    target_risk: float = 0.05,
    stale: Sequence[str] = (),
    proven_only: bool = False,
) -> Decision:
    count = counted(ballots, asked, probabilities=probabilities, question=question)
    route = route_of(count["asked"], probabilities)
    return decide(
        count,
        ballots,
        route,
        question=question,
        quorum=quorum,
        target_risk=target_risk,
        calibration=calibration,
        stale=stale,
        proven_only=proven_only,
    )
