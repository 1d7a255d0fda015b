"""Decides polls again by a rule, without a model, and says how good the rule is. Knows no files.

Without polls to fit on, every question is decided by a rule that was fitted on the other four folds. All
figures are over the labelled questions; a question on which nothing is named counts as wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from proxycouncil.errors import UsageError
from proxycouncil.eval.dependence import effective_votes, same_wrong
from proxycouncil.eval.metrics import Floats, Interval, auroc, brier, ece, paired_bootstrap, wilson
from proxycouncil.eval.polls import LabelledPoll, members_of
from proxycouncil.eval.rules import Chosen, Decider, Rule, Verdict, best_member

_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Revote:
    """Every question with its verdict, in file order."""

    cases: tuple[LabelledPoll, ...]
    verdicts: tuple[Verdict, ...]
    best: tuple[Verdict, ...]
    """What the best member of the questions fitted on says of the same questions."""
    decider: Decider
    """Fitted on everything there was to fit on."""
    best_name: str
    members: tuple[str, ...]

    @property
    def right(self) -> Floats:
        """How far each verdict is right."""
        return _right(self.cases, self.verdicts)

    @property
    def confidence(self) -> Floats:
        """Of each verdict."""
        return np.array([verdict.confidence for verdict in self.verdicts])


def revote(
    cases: Sequence[LabelledPoll],
    rule: Rule,
    *,
    members: Sequence[str] = (),
    fit_on: Sequence[LabelledPoll] | None = None,
) -> Revote:
    """Decide every poll.

    Args:
        cases: the polls.
        rule: how.
        members: who votes; everybody who was heard by default.
        fit_on: other labelled polls to fit on; None: five-fold cross-validation over the cases.
    """
    seats = tuple(members) or members_of(cases)
    learnt = [case for case in (cases if fit_on is None else fit_on) if case.labelled]
    if fit_on is not None and not learnt:
        raise UsageError("none of the votes to fit on is labelled", hint='give each line a "gold"')
    whole, best = rule(learnt, seats), best_member(learnt, seats)
    if fit_on is not None:
        verdicts = [whole.decide(case.poll) for case in cases]
        singles = [best.decide(case.poll) for case in cases]
    else:
        verdicts = _crossed(cases, lambda seen: rule(seen, seats))
        singles = _crossed(cases, lambda seen: best_member(seen, seats))
    return Revote(tuple(cases), tuple(verdicts), tuple(singles), whole, best.member, seats)


def _crossed(
    cases: Sequence[LabelledPoll], fit: Callable[[Sequence[LabelledPoll]], Decider]
) -> list[Verdict]:
    """Every case decided by what was fitted on the labelled cases of the other folds."""
    deciders = {
        fold: fit([case for case in cases if case.labelled and case.fold != fold])
        for fold in sorted({case.fold for case in cases})
    }
    return [deciders[case.fold].decide(case.poll) for case in cases]


def figures(voted: Revote, *, rule: str = "") -> dict[str, Any]:
    """Everything there is to say about a revote, as plain data; intervals at 95 % stand beside the numbers.

    Accuracy by Wilson's interval, the others by a percentile bootstrap over the questions (which can only
    add noise to a calibration error, so its interval leans upwards). Without labels only what needs none.
    """
    weights = dict(voted.decider.weights)
    found: dict[str, Any] = {
        "rule": rule,
        "questions": len(voted.cases),
        "members": list(voted.members),
        "answered": float(np.mean([bool(verdict.leading) for verdict in voted.verdicts])),
        "weights": weights,
        "p_none": _mean_none(voted.verdicts),
    }
    if isinstance(voted.decider, Chosen):
        found["chosen"] = voted.decider.name
    marked = [place for place, case in enumerate(voted.cases) if case.labelled]
    if not marked:
        return found
    part = Revote(
        tuple(voted.cases[place] for place in marked),
        tuple(voted.verdicts[place] for place in marked),
        tuple(voted.best[place] for place in marked),
        voted.decider,
        voted.best_name,
        voted.members,
    )
    return found | _measured(part) | {"best_member": _best(part)} | _together(part, weights)


def _measured(voted: Revote) -> dict[str, Any]:
    """How right and how honest."""
    right, sure = voted.right, voted.confidence
    names: Mapping[str, Callable[[Floats, Floats], float]] = {"ece": ece, "auroc": auroc, "brier": brier}
    intervals = {"accuracy": wilson(float(right.sum()), len(right))}
    intervals |= {name: _bootstrap(measure, sure, right) for name, measure in names.items()}
    return {
        **{name: _number(interval.estimate) for name, interval in intervals.items()},
        "none_right": float(np.mean([not case.right for case in voted.cases])),
        "labelled": len(voted.cases),
        "intervals": {name: _ends(interval) for name, interval in intervals.items()},
    }


def _best(voted: Revote) -> dict[str, Any]:
    """The best member on the same questions; chosen where the rule was fitted, so it may differ by fold."""
    alone = _right(voted.cases, voted.best)
    share = wilson(float(alone.sum()), len(alone))
    ahead = paired_bootstrap(voted.right, alone)
    return {
        "name": voted.best_name,
        "accuracy": share.estimate,
        "interval": _ends(share),
        "ahead": ahead.estimate,
        "ahead_interval": _ends(ahead),
    }


def _together(voted: Revote, weights: Mapping[str, float]) -> dict[str, Any]:
    """What the members have in common."""
    alike = same_wrong(voted.cases, voted.members)
    rates = [pair.rate for pair in alike]
    return {
        "n_eff": effective_votes(voted.cases, weights),
        "n_eff_equal": effective_votes(voted.cases, dict.fromkeys(voted.members, 1.0)),
        "same_wrong": float(np.median(rates)) if rates else None,
        "most_alike": [
            {"members": list(pair.members), "rate": pair.rate, "both_wrong": pair.both_wrong}
            for pair in alike[:3]
        ],
    }


def _right(cases: Sequence[LabelledPoll], verdicts: Sequence[Verdict]) -> Floats:
    return np.array([verdict.share_right(case.right) for case, verdict in zip(cases, verdicts, strict=True)])


def _mean_none(verdicts: Sequence[Verdict]) -> float | None:
    stated = [verdict.none for verdict in verdicts if verdict.none is not None]
    return float(np.mean(stated)) if stated else None


def _bootstrap(measure: Callable[[Floats, Floats], float], sure: Floats, right: Floats) -> Interval:
    random = np.random.default_rng(0)
    picks = random.integers(0, len(right), size=(_DRAWS, len(right)))
    drawn = [measure(sure[pick], right[pick]) for pick in picks]
    low, high = np.nanquantile(drawn, [0.025, 0.975]) if not np.all(np.isnan(drawn)) else (np.nan, np.nan)
    return Interval(measure(sure, right), float(low), float(high))


def _number(value: float) -> float | None:
    """JSON knows no NaN: what can't be measured (no wrong answer to rank below a right one) is null."""
    return value if math.isfinite(value) else None


def _ends(interval: Interval) -> list[float | None]:
    return [_number(interval.low), _number(interval.high)]
