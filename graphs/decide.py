"""A count → what the council says: quorum, then doubt, then agreement. Pure; writes no word of an answer.

The text is always one ballot's own words. The reason is a sentence for whoever asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

from proxycouncil.errors import UsageError
from proxycouncil.graphs.confidence import (
    Confidence,
    ballots_of,
    confidence,
    features,
    flip_rate,
    threshold,
)
from proxycouncil.graphs.evidence import checked, distinct
from proxycouncil.graphs.state import Ballot, Citation, Decision, Dissent, Group, Outcome, Route, Tally
from proxycouncil.graphs.weighing import seat

NONE_ABOVE = 0.5
"""Abstain where "none of these" has more than this share; where votes are weighed as fitted the confidence
knows of it, and the threshold alone decides."""

FLIPS_BELOW = 0.6
"""No consensus where at least this share of the members changed its answer with the order of passages."""


@dataclass(frozen=True, slots=True)
class _Case:
    """All there is to decide on."""

    tally: Tally
    ballots: Sequence[Ballot]
    route: Route
    quorum: int
    needed: float
    sure: Confidence
    stale: Sequence[str] = ()

    @property
    def live(self) -> int:
        """Members that answered or abstained."""
        return len(self.tally["answered"]) + len(self.tally["abstained"])

    @property
    def needs(self) -> int:
        """Live members without whom nothing is decided; at least one."""
        return max(1, min(self.quorum, len(self.tally["asked"])))


def decide(
    tally: Tally,
    ballots: Iterable[Ballot],
    route: Route,
    *,
    question: str,
    quorum: int,
    target_risk: float,
    calibration: Mapping[str, Any] | None = None,
    stale: Sequence[str] = (),
    proven_only: bool = False,
) -> Decision:
    """Decide one turn.

    Args:
        tally: the count of the turn.
        ballots: the turn's ballots, for citations and causes of failure.
        route: who was asked, and why.
        question: what was asked, standing alone.
        quorum: live members needed, of those asked if that many were.
        target_risk: share of given answers that may be wrong; binding only with a calibration.
        calibration: a fitted model of confidence (see `confidence.py`).
        stale: parts of the council that have changed since it was fitted; it still orders answers then, and
            still declines, but its confidences are no probabilities any more.
        proven_only: answer only where the calibration proved the risk; never where it is stale.
    """
    held = list(ballots)
    sure = confidence(tally, features(tally, held, route, question=question), calibration)
    sure = sure._replace(calibrated=sure.calibrated and not stale)
    proof = calibration if sure.calibrated or not proven_only else None
    needed = threshold(proof, target_risk, proven_only=proven_only)
    case = _Case(tally, held, route, quorum, needed, sure, stale)
    refusal = _refusal(case)
    if refusal is not None:
        return _decision(case, *refusal)
    return _decision(case, *_answer(case))


def decide_as_told(
    tally: Tally,
    ballots: Iterable[Ballot],
    route: Route,
    *,
    question: str,
    choice: str,
    calibration: Mapping[str, Any] | None = None,
) -> Decision:
    """Decide as a person said who saw the ballots: for one of the answers, or with "" for none of them.

    The words are still a member's own. The confidence is that of the chosen answer and promises nothing:
    nobody measured that person.

    Raises:
        UsageError: the choice is none of the answers.
    """
    held = list(ballots)
    chosen = [group for group in tally["groups"] if choice in group["texts"]]
    if choice and not chosen:
        raise UsageError(
            f"nobody answered {choice!r}", hint='choose the words of one of the answers, or "" for none'
        )
    others = [group for group in tally["groups"] if group not in chosen]
    said = Tally({**tally, "groups": [*chosen, *others]})
    signals = features(said, held, route, question=question)
    sure = confidence(said, signals, calibration)._replace(calibrated=False)
    case = _Case(said, held, route, quorum=1, needed=0.0, sure=sure)
    if not choice:
        return _decision(case, "abstain", "A person who saw the ballots found none of the answers right.")
    return _decision(case, "plurality", "A person who saw the ballots chose this answer.")


def _refusal(case: _Case) -> tuple[Outcome, str] | None:
    """Why there is no answer, if there is none."""
    tally = case.tally
    if not tally["asked"]:
        return "abstain", "No member was asked: the question lies outside of the council's fields."
    if not case.live:
        return "error", f"Every member failed; the first cause: {_first_cause(case)}."
    if case.live < case.needs:
        return "abstain", f"No quorum: {_of(case.live, tally)} could be heard, and {case.needs} are needed."
    if not tally["groups"]:
        return "abstain", f"{_all_of(tally)} found no answer in the passages."
    if tally["p_none"] > NONE_ABOVE and tally.get("weighed_by") != "fitted":
        return "abstain", "More speaks for none of the answers than for all of them together."
    if math.isinf(case.needed):
        return "abstain", "Only a proven risk is to be taken, and none is proven here."
    if case.sure.value < case.needed:
        return "abstain", (
            f"The best answer is only {case.sure.value:.0%} sure, and {case.needed:.0%} is asked for."
        )
    return None


def _answer(case: _Case) -> tuple[Outcome, str]:
    """How the leading answer came to lead."""
    tally = case.tally
    first = tally["groups"][0]
    agreeing, agreement = len(first["members"]), tally["agreement"]
    if agreement is None:
        return "plurality", "Only one member answered, so there is no agreement to go by."
    if len(tally["groups"]) > 1 and _tied(*tally["groups"][:2]):
        return "plurality", "The members are evenly divided; this is one of the answers that lead."
    if agreement <= 0.5 or agreeing < 2:
        return "plurality", f"The members disagree; this answer has the largest share ({agreement:.0%})."
    if flip_rate(tally) >= FLIPS_BELOW:
        return "plurality", "The members agree, but most of them changed their answer with what they read."
    return "consensus", f"{_of(agreeing, tally)} agree."


def _decision(case: _Case, outcome: Outcome, reason: str) -> Decision:
    answers = outcome in ("consensus", "plurality")
    groups = case.tally["groups"]
    return Decision(
        outcome=outcome,
        text=groups[0]["text"] if answers else "",
        confidence=case.sure.value,
        calibrated=case.sure.calibrated,
        agreement=case.tally["agreement"],
        citations=_citations(groups[0], case.ballots) if answers else [],
        dissent=_dissent(groups, lost=groups[1:] if answers else groups),
        reason=_remarks(case, outcome) + reason,
        degraded=case.tally["degraded"],
    )


def _remarks(case: _Case, outcome: Outcome) -> str:
    """What a reader must know before the reason itself."""
    missing = case.tally["missing"]
    said = []
    if missing and case.live:
        said.append(f"Not heard: {', '.join(missing)}. ")
    if case.stale:
        said.append(f"The calibration is stale: {', '.join(case.stale)} changed since it was fitted. ")
    changed = case.tally["reconsidered"]["changed"] if "reconsidered" in case.tally else []
    if changed:
        said.append(f"On seeing the passages in dispute {', '.join(changed)} changed the answer. ")
    if case.route["declined"] and outcome in ("consensus", "plurality"):
        said.append("The question seems to lie outside of the council's fields. ")
    return "".join(said)


def _citations(group: Group, ballots: Sequence[Ballot]) -> list[Citation]:
    """What the winners cite, checked, once each; those of the words that are shown come first."""
    winners = ballots_of(group, ballots)
    shown = sorted(winners, key=lambda ballot: ballot["text"] != group["text"])
    return distinct(citation for ballot in shown for citation in checked(ballot))


def _dissent(groups: Sequence[Group], *, lost: Sequence[Group]) -> list[Dissent]:
    total = fsum(group["weight"] for group in groups)
    return [
        Dissent(text=group["text"], members=group["members"], share=group["weight"] / total if total else 0.0)
        for group in lost
    ]


def _tied(first: Group, second: Group) -> bool:
    return round(first["weight"] - second["weight"], 9) == 0


def _first_cause(case: _Case) -> str:
    """The first member's failure, in the order in which members were asked."""
    places = {seat(member): place for place, member in enumerate(case.tally["asked"])}
    failed = sorted(
        (ballot for ballot in case.ballots if seat(ballot["member"]) in places),
        key=lambda ballot: (not ballot["error"], places[seat(ballot["member"])], ballot["slate"] != "shared"),
    )
    if not failed:
        return "no ballot was handed in"
    first = failed[0]
    return f"{first['member']}: {first['error'] or _ENDINGS.get(first['status'], first['status'])}".rstrip(
        "."
    )


_ENDINGS = {"late": "out of time", "stopped": "stopped before it had read"}


def _of(number: int, tally: Tally) -> str:
    asked = len(tally["asked"])
    return f"{number} of {asked} members" if asked > 1 else f"{number} of 1 member"


def _all_of(tally: Tally) -> str:
    return "The member that was asked" if len(tally["asked"]) == 1 else "The members that were heard"
