"""Everything worth knowing about a file of votes, as plain data: figures, curves, members, council sizes.

Knows polls and rules; knows neither files nor how any of it is shown.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from statistics import mean
from typing import Any

import numpy as np

from proxycouncil.errors import UsageError
from proxycouncil.eval.dependence import effective_votes
from proxycouncil.eval.joint import Pull, fit_joint
from proxycouncil.eval.metrics import Floats, risk_coverage, wilson
from proxycouncil.eval.polls import LabelledPoll
from proxycouncil.eval.revote import Revote, figures, revote
from proxycouncil.eval.rules import RULES, Decider, Joint
from proxycouncil.eval.seats import seat_sizes

COMPARED = ("joint", "cold", "majority-best", "majority", "best", "log-odds")
BINS = 15
_CURVE_POINTS = 60
_STEADY_STRENGTH = 3.0
"""Of the joint rule's pull in the curve of sizes: the middle of what cross-validation finds, so that hundreds
of small councils are fitted in seconds."""


def report(
    cases: Sequence[LabelledPoll],
    members: Sequence[str],
    *,
    fit_on: Sequence[LabelledPoll] | None = None,
    records: Sequence[Mapping[str, Any]] = (),
    draws: int = 8,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure every rule, look closely at the joint one, and at councils of every size.

    Args:
        cases: labelled polls.
        members: who votes.
        fit_on: other polls to fit on; None: five-fold cross-validation.
        records: of a council's own runs what each case was made of: its sizes are then the first members in
            the order in which they were routed, with what they cost.
        draws: councils of each size.
        seed: of their members' places.
    """
    marked = [case for case in cases if case.labelled]
    if not marked:
        raise UsageError("none of the votes is labelled", hint='give each line a "gold" or "accepted"')
    voted = {name: revote(marked, RULES[name], members=members, fit_on=fit_on) for name in COMPARED}
    joint = voted["joint"]
    return {
        "questions": len(marked),
        "members": list(members),
        "rules": {name: figures(one, rule=name) for name, one in voted.items()},
        "reliability": reliability(joint.confidence, joint.right),
        "risk_coverage": curve(joint),
        "per_member": list(per_member(joint)),
        "sizes": _sizes(cases, members, records, draws=draws, seed=seed),
        "draws": draws,
    }


def _sizes(
    cases: Sequence[LabelledPoll],
    members: Sequence[str],
    records: Sequence[Mapping[str, Any]],
    *,
    draws: int,
    seed: int,
) -> list[dict[str, float]]:
    if not records:
        return list(sizes([case for case in cases if case.labelled], members, draws=draws, seed=seed))
    kept = [(case, one) for case, one in zip(cases, records, strict=True) if case.labelled]
    return seat_sizes([case for case, _ in kept], [one for _, one in kept], joint=_steady)


def reliability(confidence: Floats, right: Floats, *, bins: int = BINS) -> list[dict[str, float]]:
    """Mean confidence and accuracy of bins of equal mass, as the calibration error sees them."""
    order = np.argsort(confidence, kind="stable")
    return [
        {
            "questions": int(part.size),
            "confidence": float(confidence[part].mean()),
            "accuracy": float(right[part].mean()),
        }
        for part in np.array_split(order, bins)
        if part.size
    ]


def curve(voted: Revote) -> list[dict[str, float]]:
    """Risk against coverage, thinned to what can be seen; ties count as wrong unless wholly right."""
    points = risk_coverage(voted.confidence, voted.right >= 1.0)
    step = max(1, len(points) // _CURVE_POINTS)
    kept = [*points[::step], *([points[-1]] if (len(points) - 1) % step else [])]
    return [asdict(point) for point in kept]


def per_member(voted: Revote) -> Iterator[dict[str, Any]]:
    """How each member did alone, what it weighs, and how often it voted with the council."""
    weights: Mapping[str, float] = voted.decider.weights
    for name in voted.members:
        shares = [case.share_right(name) for case in voted.cases]
        alone = wilson(sum(shares), len(shares))
        agreed = [
            max((case.poll.votes[place].get(name, 0.0) for place in verdict.leading), default=0.0)
            for case, verdict in zip(voted.cases, voted.verdicts, strict=True)
        ]
        yield {
            "member": name,
            "accuracy": alone.estimate,
            "interval": [alone.low, alone.high],
            "abstained": mean(case.poll.abstained.get(name, 0.0) for case in voted.cases),
            "with_council": mean(agreed),
            "weight": weights.get(name, 0.0),
        }


def sizes(
    cases: Sequence[LabelledPoll], members: Sequence[str], *, draws: int, seed: int
) -> Iterator[dict[str, float]]:
    """Councils of 1 to all members: accuracy of rules, effective votes, the best member, means over councils.

    What a council costs is its size: one reading a member.
    """
    circle = list(members)
    random.Random(seed).shuffle(circle)
    for size in range(1, len(circle) + 1):
        rows = [_council(cases, council) for council in _councils(circle, size, draws)]
        yield {"size": size, "councils": len(rows)} | {
            name: mean(row[name] for row in rows) for name in rows[0]
        }


def _councils(circle: Sequence[str], size: int, draws: int) -> list[tuple[str, ...]]:
    """Neighbours in a circle, from evenly spaced beginnings.

    So every member sits in nearly as many councils as any other, whatever their size: with councils drawn one
    by one the curve would show more of who was drawn than of how many.
    """
    beginnings = min(draws, len(circle))
    places = [place * len(circle) // beginnings for place in range(beginnings)]
    twice = [*circle, *circle]
    return sorted({tuple(sorted(twice[place : place + size])) for place in places})


def _council(cases: Sequence[LabelledPoll], council: Sequence[str]) -> dict[str, float]:
    part = [case.only(council) for case in cases]
    found = {
        name: float(revote(part, rule, members=council).right.mean())
        for name, rule in (("joint", _steady), ("majority", RULES["majority-best"]), ("best", RULES["best"]))
    }
    equal = dict.fromkeys(council, 1.0)
    return found | {
        "n_eff": effective_votes(part, equal) or 0.0,
        "none_right": mean(not case.right for case in part),
    }


def _steady(cases: Sequence[LabelledPoll], members: Sequence[str]) -> Decider:
    return Joint(fit_joint(cases, members, pull=Pull(_STEADY_STRENGTH)))
