"""Rules that turn a poll into one answer: ours and the plain ones that it has to beat. Each is fitted first.

A rule sees labelled polls and returns a decider; the decider sees votes alone. Knows no files and no figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Protocol, TypeAlias

from proxycouncil.errors import UsageError
from proxycouncil.eval.joint import PRIOR_LABELS, fit_cold, fit_joint
from proxycouncil.eval.polls import LabelledPoll
from proxycouncil.graphs.joint import JointRule
from proxycouncil.graphs.poll import Poll


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says of one poll."""

    leading: tuple[int, ...]
    """The candidates that lead: one, several at a tie, none where nothing is named."""
    confidence: float
    """That any one of the leading candidates is right."""
    none: float | None = None
    """That no candidate is right; None where the rule has no opinion."""

    def share_right(self, right: frozenset[int]) -> float:
        """How far the answer is right; a tie is broken at random."""
        return len(right.intersection(self.leading)) / len(self.leading) if self.leading else 0.0


class Decider(Protocol):
    """A fitted rule."""

    @property
    def weights(self) -> Mapping[str, float]:
        """What each member's vote weighs."""
        ...

    def decide(self, poll: Poll) -> Verdict:
        """Name the leading candidates."""
        ...


Rule: TypeAlias = Callable[[Sequence[LabelledPoll], Sequence[str]], Decider]
"""Fits itself to labelled polls of these members."""


@dataclass(frozen=True, slots=True)
class Joint:
    """The joint rule always names what leads; whether to say it is the reader's to decide, by `none`."""

    rule: JointRule

    @property
    def weights(self) -> Mapping[str, float]:
        """As fitted."""
        return self.rule.weights

    def decide(self, poll: Poll) -> Verdict:
        """The likeliest candidates; their probability is the confidence."""
        odds = self.rule.odds(poll)
        return Verdict(leading(odds.candidates), max(odds.candidates, default=0.0), odds.none)


@dataclass(frozen=True, slots=True)
class Weighted:
    """Sums of fixed weights; the confidence is the leader's share of all the weight that was cast."""

    weights: Mapping[str, float]
    break_ties_by: str = ""

    def decide(self, poll: Poll) -> Verdict:
        """The candidates with most weight; at a tie the one that a trusted member voted for, if any."""
        sums = [
            fsum(self.weights.get(name, 0.0) * part for name, part in votes.items()) for votes in poll.votes
        ]
        first = leading(sums)
        if self.break_ties_by and len(first) > 1:
            trusted = [poll.votes[place].get(self.break_ties_by, 0.0) for place in first]
            first = tuple(first[place] for place in leading(trusted))
        none = fsum(self.weights.get(name, 0.0) * part for name, part in poll.abstained.items())
        total = fsum(sums) + none
        return Verdict(first, max(sums, default=0.0) / total if total > 0 else 0.0)


@dataclass(frozen=True, slots=True)
class Single:
    """One member decides alone, as sure of itself as it was right before."""

    member: str
    accuracy: float

    @property
    def weights(self) -> Mapping[str, float]:
        """All weight is its own."""
        return {self.member: 1.0}

    def decide(self, poll: Poll) -> Verdict:
        """What it voted for; nothing where it abstained."""
        parts = [votes.get(self.member, 0.0) for votes in poll.votes]
        if not any(parts):
            return Verdict((), 0.0)
        return Verdict(leading(parts), self.accuracy)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A rule that was chosen among others; how sure it may be of its answer, the joint rule says."""

    name: str
    decider: Decider
    joint: JointRule

    @property
    def weights(self) -> Mapping[str, float]:
        """Of the chosen rule."""
        return self.decider.weights

    def decide(self, poll: Poll) -> Verdict:
        """The chosen rule names, the joint fit gives the probability of what is named."""
        named = self.decider.decide(poll).leading
        odds = self.joint.odds(poll)
        sure = fsum(odds.candidates[place] for place in named) / len(named) if named else 0.0
        return Verdict(named, sure, odds.none)


@dataclass(frozen=True, slots=True)
class LogOdds:
    """Nitzan & Paroush's weights ln(p / (1 − p)), as if members erred independently; may be negative."""

    weights: Mapping[str, float]

    def decide(self, poll: Poll) -> Verdict:
        """The candidates with the highest sum, sure by a softmax over the candidates."""
        sums = [
            fsum(self.weights.get(name, 0.0) * part for name, part in votes.items()) for votes in poll.votes
        ]
        if not sums:
            return Verdict((), 0.0)
        masses = [math.exp(value - max(sums)) for value in sums]
        return Verdict(leading(sums), 1.0 / fsum(masses))


def leading(scores: Sequence[float]) -> tuple[int, ...]:
    """Places of the highest score; scores that differ by rounding alone are tied."""
    best = max(scores, default=0.0)
    return tuple(place for place, score in enumerate(scores) if math.isclose(score, best, abs_tol=1e-9))


def accuracies(cases: Sequence[LabelledPoll], members: Sequence[str]) -> dict[str, float]:
    """How often each member is right; a question that it left open counts."""
    return {
        name: fsum(case.share_right(name) for case in cases) / len(cases) if cases else 0.0
        for name in members
    }


def best_member(cases: Sequence[LabelledPoll], members: Sequence[str]) -> Single:
    """The member that is right most often; ties by name."""
    shares = accuracies(cases, members)
    name = min(shares, key=lambda name: (-shares[name], name))
    return Single(name, (shares[name] * len(cases) + 0.5) / (len(cases) + 1))


def majority(_: Sequence[LabelledPoll], members: Sequence[str]) -> Decider:
    """One member, one vote."""
    return Weighted(dict.fromkeys(members, 1.0))


def majority_best(cases: Sequence[LabelledPoll], members: Sequence[str]) -> Decider:
    """One member, one vote; ties go to the member that is right most often."""
    return Weighted(dict.fromkeys(members, 1.0), best_member(cases, members).member)


def log_odds(cases: Sequence[LabelledPoll], members: Sequence[str]) -> Decider:
    """The textbook's weights, of accuracies shrunk to the pool's and clipped to 1–99 %."""
    shares = accuracies(cases, members)
    pool = fsum(shares.values()) / len(shares)
    return LogOdds(
        {
            name: math.log(p / (1 - p))
            for name, share in shares.items()
            for p in [_clipped((share * len(cases) + PRIOR_LABELS * pool) / (len(cases) + PRIOR_LABELS))]
        }
    )


def joint(cases: Sequence[LabelledPoll], members: Sequence[str]) -> Decider:
    """Weights fitted together with a none-of-these slot."""
    return Joint(fit_joint(cases, members))


def cold(cases: Sequence[LabelledPoll], members: Sequence[str]) -> Decider:
    """One shared positive weight shape, shrunk per member: the joint rule where labels are few."""
    return Joint(fit_cold(cases, members))


def auto(cases: Sequence[LabelledPoll], members: Sequence[str]) -> Decider:
    """Joint, best member or majority with ties to the best, chosen by cross-validation."""
    name, fitted = chosen(cases, members), fit_joint(cases, members)
    decider = Joint(fitted) if name == "joint" else CANDIDATES[name](cases, members)
    return Chosen(name, decider, fitted)


def chosen(cases: Sequence[LabelledPoll], members: Sequence[str]) -> str:
    """The rule that `auto` takes: joint, unless another is right more often on folds that were not fitted on.

    More often by one standard error of the difference: less is luck, and the joint rule has the better
    probabilities.
    """
    folds = sorted({case.fold for case in cases})
    if len(folds) < 2:
        return next(iter(CANDIDATES))
    right: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    for fold in folds:
        seen = [case for case in cases if case.fold != fold]
        unseen = [case for case in cases if case.fold == fold]
        for name, rule in CANDIDATES.items():
            decider = rule(seen, members)
            right[name] += [decider.decide(case.poll).share_right(case.right) for case in unseen]
    return max(CANDIDATES, key=lambda name: standard_lead(right[name], right["joint"]))


def standard_lead(mine: Sequence[float], joint: Sequence[float]) -> float:
    """By how much more than one standard error a rule is ahead; 0 for the joint rule itself."""
    ahead = [a - b for a, b in zip(mine, joint, strict=True)]
    mean = fsum(ahead) / len(ahead)
    spread = math.sqrt(fsum((one - mean) ** 2 for one in ahead) / max(1, len(ahead) - 1) / len(ahead))
    return round(mean - spread, 9)


CANDIDATES: Mapping[str, Rule] = {"joint": joint, "best": best_member, "majority-best": majority_best}

RULES: Mapping[str, Rule] = {
    **CANDIDATES,
    "auto": auto,
    "cold": cold,
    "majority": majority,
    "log-odds": log_odds,
}


def rule_called(name: str) -> Rule:
    """A rule by its name."""
    if name not in RULES:
        raise UsageError(f"no rule is called {name!r}", hint=f"rules are {', '.join(RULES)}")
    return RULES[name]


def _clipped(share: float) -> float:
    return min(max(share, 0.01), 0.99)
