"""Fits votes, confidence and threshold to a council's own runs, and says in one sentence what that buys.

Knows saved runs; knows neither models nor where anything is kept. What holds: on questions like those it was
fitted on, at most `target_risk` of what is answered is wrong, at 95 % confidence (Clopper–Pearson on a fixed
grid, over confidences of folds that were not fitted on).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any

from proxycouncil.errors import UsageError
from proxycouncil.eval.calibration import fit_confidence
from proxycouncil.eval.fitting import VotedRun, accuracy_by_member, enough, fit_vote, fit_without
from proxycouncil.eval.joint import ENOUGH
from proxycouncil.eval.metrics import risk_bound
from proxycouncil.eval.runs import Record, asked_of, ballots_of_turn, is_marked, leader_is_right, voted_run
from proxycouncil.graphs.confidence import MEASURED, features
from proxycouncil.graphs.fitted import FittedVote
from proxycouncil.graphs.state import Tally

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Promise:
    """What a fit on some questions bought."""

    questions: int
    spoken: int
    """Those on which any answer was given."""
    right: int
    """Those on which the leading answer was right."""
    confidence: Mapping[str, Any]
    """The part `confidence` of a calibration file."""
    vote: FittedVote | None
    """The part `vote`; None where there were too few labels, so that route and evidence weigh the votes."""
    members: Mapping[str, float]
    """How often each was right, of the questions that it was heard on; empty without a fitted vote."""

    @property
    def kept(self) -> bool:
        """Whether the risk is proven; else the threshold is a wish."""
        return bool(self.confidence["threshold_rule"] == "risk")

    @property
    def coverage(self) -> float:
        """Share of all questions that is answered at this threshold."""
        return float(self.confidence["coverage"]) * self.spoken / self.questions

    def sentence(self) -> str:
        """What was bought, for people."""
        risk = self.confidence["target_risk"]
        if self.kept:
            return (
                f"answers {self.coverage:.0%} of questions; at most {risk:.0%} of those wrong, "
                f"at {LEVEL:.0%} confidence"
            )
        return (
            f"{self._proof()}; as it stands it answers {self.coverage:.0%} of questions and promises nothing"
        )

    def _proof(self) -> str:
        """Where the risk would be proven, or what that takes."""
        risk, strict = self.confidence["target_risk"], self.confidence["proven_coverage"]
        if strict is not None:
            share = strict * self.spoken / self.questions
            return f"wrong answers at {risk:.0%} are proven only where {share:.0%} of questions are answered"
        return (
            f"no threshold is proven to keep wrong answers at {risk:.0%}: that takes at least {needed(risk)} "
            f"answers above it, more if one is wrong, and {self.right} of {self.spoken} were right at all"
        )

    def votes(self) -> str:
        """How votes will be weighed, for people."""
        if self.vote is None:
            return f"fewer than {ENOUGH} answered questions: votes stay weighed by the route and the evidence"
        kind = "votes by route and evidence" if self.vote.weighed else "one vote a member"
        leader = {"joint": "", "best": f" (the answer is {self.vote.best}'s)"}.get(
            self.vote.leads, f" (the answer is that of the {self.vote.leads} rule)"
        )
        weights = ", ".join(
            f"{name} {weight:.2f} (right {self.members[name]:.0%})"
            for name, weight in sorted(self.vote.joint.weights.items(), key=lambda one: (-one[1], one[0]))
        )
        return (
            f"weights fitted to {kind}{leader}: {weights}; "
            f"correlation between members {self.vote.correlation:.2f}"
        )

    def parts(self) -> dict[str, Any]:
        """What a calibration file keeps of it."""
        fitted = {"confidence": dict(self.confidence)}
        return fitted if self.vote is None else fitted | {"vote": self.vote.plain()}


def needed(risk: float, *, errors: int = 0) -> int:
    """Answers that prove a risk although so many of them are wrong."""
    count = errors + 1
    while risk_bound(errors, count, level=LEVEL) > risk:
        count += 1
    return count


def fit_promise(
    records: Sequence[Record], *, target_risk: float, min_coverage: float = 0.0, fitted_on: str = ""
) -> Promise:
    """Fit to saved runs that were made without a threshold.

    Args:
        records: own runs, marked.
        target_risk: share of given answers that may be wrong, in (0, 1).
        min_coverage: share of all questions to answer even where no risk can be proven.
        fitted_on: what the questions were, for the file.
    """
    if not 0 < target_risk < 1:
        raise UsageError("the target risk is a share above 0 and below 1", hint="--target-risk 0.05")
    marked = [record for record in records if is_marked(record)]
    if not marked:
        raise UsageError(
            "no question says what is right", hint='give each line "accepted": […] or "gold": "…"'
        )
    runs = [voted_run(record) for record in marked]
    vote = fit_vote(runs) if enough(runs) else None
    if vote is None and any(record["tally"].get("weighed_by") == "fitted" for record in marked):
        raise UsageError(
            f"these runs were weighed by a calibration, and fewer than {ENOUGH} are too few to weigh anew",
            hint="ask again without `council.calibration`, or give more questions",
        )
    tallies = [record["tally"] for record in marked] if vote is None else _recounted(marked, runs, vote)
    spoken = [(record, tally) for record, tally in zip(marked, tallies, strict=True) if tally["groups"]]
    labels = [leader_is_right(record, tally) for record, tally in spoken]
    described = [
        features(tally, ballots_of_turn(record), record["route"], question=asked_of(record))
        for record, tally in spoken
    ]
    fitted = fit_confidence(
        _completed(described),
        labels,
        groups=[str(record.get("entry") or record["id"]) for record, _ in spoken],
        target_risk=target_risk,
        min_coverage=min(1.0, min_coverage * len(marked) / max(1, len(spoken))),
        fitted_on=fitted_on,
    )
    accuracy = {} if vote is None else accuracy_by_member(runs)
    return Promise(len(marked), len(spoken), sum(labels), fitted, vote, accuracy)


def _completed(cases: Sequence[Mapping[str, float]]) -> list[Mapping[str, float]]:
    """All with the same features: one that could not be measured in a case is taken to be as it mostly is."""
    means: dict[str, float] = {}
    for name in MEASURED:
        values = [case[name] for case in cases if name in case]
        if values:
            means[name] = fsum(values) / len(values)
    return [{**means, **case} for case in cases]


def _recounted(records: Sequence[Record], runs: Sequence[VotedRun], vote: FittedVote) -> list[Tally]:
    """Every count by weights that were fitted without its fold, as they will be to questions to come."""
    unseen = fit_without(runs, vote)
    return [
        unseen[run.equal.fold].recount(
            record["tally"], ballots_of_turn(record), record["route"], question=asked_of(record)
        )
        for record, run in zip(records, runs, strict=True)
    ]
