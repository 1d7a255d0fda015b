"""Fits how votes are weighed to a council's own runs: `graphs/fitted.py` uses what this finds.

Two ways to see a vote are tried, one member one vote and each vote as heavy as route and evidence make it;
the joint rule is fitted to both, and the one whose probabilities are better on folds that it has not seen is
kept. Another rule names the answer only where it was right more often there, by more than a standard error.
Knows labelled polls; knows neither files nor models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum

from proxycouncil.eval.dependence import mean_correlation
from proxycouncil.eval.joint import ENOUGH, Pull, best_pull, fit_joint
from proxycouncil.eval.polls import LabelledPoll, members_of
from proxycouncil.eval.rules import (
    Joint,
    Rule,
    accuracies,
    best_member,
    majority,
    majority_best,
    standard_lead,
)
from proxycouncil.graphs.fitted import FittedVote, Leads

_LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True, slots=True)
class VotedRun:
    """One labelled run, its votes seen both ways."""

    equal: LabelledPoll
    weighed: LabelledPoll


def enough(runs: Sequence[VotedRun]) -> bool:
    """Whether a weight for every member can be fitted at all."""
    return sum(bool(run.equal.poll.candidates) for run in runs) >= ENOUGH


def fit_vote(runs: Sequence[VotedRun]) -> FittedVote:
    """Weights, none-of-these slot, temperature and rule of a council.

    Args:
        runs: labelled, at least `ENOUGH` of them with an answer.
    """
    equal, weighed = [run.equal for run in runs], [run.weighed for run in runs]
    members = members_of(equal)
    pulls = {False: best_pull(equal, members), True: best_pull(weighed, members)}
    seen_not = {
        kind: _held_out(cases, members, pulls[kind]) for kind, cases in ((False, equal), (True, weighed))
    }
    kind = min((False, True), key=lambda kind: (seen_not[kind].loss, kind))
    leads = _leads(equal, weighed, members, seen_not[kind].right)
    kind = {"count": True, "best": False, "majority-best": False}.get(leads, kind)
    return FittedVote(
        joint=fit_joint(weighed if kind else equal, members, pull=pulls[kind]),
        leads=leads,
        best=best_member(equal, members).member,
        weighed=kind,
        correlation=mean_correlation(equal, members),
        pull=pulls[kind].strength,
    )


def fit_without(runs: Sequence[VotedRun], fitted: FittedVote) -> dict[int, FittedVote]:
    """By fold, the same kind of fit on all other folds: what it says of a fold, it has not seen.

    Kind, rule, pull and temperature stay those of the whole fit.
    """
    cases = [run.weighed if fitted.weighed else run.equal for run in runs]
    members, pull = members_of(cases), Pull(fitted.pull, fitted.joint.temperature)
    return {
        fold: replace(
            fitted,
            joint=fit_joint([case for case in cases if case.fold != fold], members, pull=pull),
            best=best_member([run.equal for run in runs if run.equal.fold != fold], members).member,
        )
        for fold in sorted({case.fold for case in cases})
    }


def accuracy_by_member(runs: Sequence[VotedRun]) -> dict[str, float]:
    """How often each member was right, of the questions that it was heard on."""
    cases = [run.equal for run in runs]
    return {
        name: accuracies([case for case in cases if name in case.poll.members], [name])[name]
        for name in members_of(cases)
    }


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """The joint rule on folds that it has not seen."""

    loss: float
    """Mean log-loss of the slot that is right."""
    right: tuple[float, ...]


def _held_out(cases: Sequence[LabelledPoll], members: Sequence[str], pull: Pull) -> _HeldOut:
    rules = {
        fold: fit_joint([case for case in cases if case.fold != fold], members, pull=pull)
        for fold in {case.fold for case in cases}
    }
    losses, right = [], []
    for case in cases:
        odds = rules[case.fold].odds(case.poll)
        hit = fsum(odds.candidates[place] for place in case.right) if case.right else odds.none
        losses.append(-math.log(max(hit, _LEAST_PROBABILITY)))
        right.append(Joint(rules[case.fold]).decide(case.poll).share_right(case.right))
    return _HeldOut(fsum(losses) / len(losses), tuple(right))


def _leads(
    equal: Sequence[LabelledPoll],
    weighed: Sequence[LabelledPoll],
    members: Sequence[str],
    joint: Sequence[float],
) -> Leads:
    """Who names the answer: the joint rule, unless another is ahead of it by more than a standard error."""
    rivals: Mapping[Leads, tuple[Sequence[LabelledPoll], Rule]] = {
        "best": (equal, best_member),
        "majority-best": (equal, majority_best),
        "count": (weighed, majority),
    }
    leads: dict[Leads, float] = {"joint": 0.0}
    for name, (cases, fit) in rivals.items():
        leads[name] = standard_lead(_right(cases, members, fit), joint)
    return max(leads, key=lambda name: leads[name])


def _right(cases: Sequence[LabelledPoll], members: Sequence[str], fit: Rule) -> list[float]:
    deciders = {
        fold: fit([case for case in cases if case.fold != fold], members)
        for fold in {case.fold for case in cases}
    }
    return [deciders[case.fold].decide(case.poll).share_right(case.right) for case in cases]
