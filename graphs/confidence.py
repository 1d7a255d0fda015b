"""How sure the council may be of its leading answer. Pure; a fitted model comes in as plain data.

`features` describes a count by the numbers below; `calibration` is what a logistic regression on them said:
`{"version": 1, "features": […], "mean": […], "scale": […], "coef": […], "intercept": …, "threshold": …,
"target_risk": …, "fitted_on": …}`. Without it the confidence orders answers but promises nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any, NamedTuple

from proxycouncil.errors import ConfigError
from proxycouncil.graphs.evidence import checked, unsupported
from proxycouncil.graphs.leanings import of_leader
from proxycouncil.graphs.quoting import fits
from proxycouncil.graphs.state import Ballot, Group, Route, Tally
from proxycouncil.graphs.weighing import UNMEASURED, seat

FEATURES = (
    "share",
    "margin",
    "p_none",
    "support",
    "confidence",
    "members",
    "n_eff",
    "passages",
    "flips",
    "quoted",
    "abstained",
    "out_of_scope",
    "routing",
    "words",
    "fits",
)
"""share: leading group's weight among all weight, none included · margin: over the next group · p_none ·
support, confidence: means over the leading ballots, support once per passage cited · members: that agree ·
n_eff · passages: distinct ones cited by them · flips: share of answering members in several groups · quoted:
share of leading ballots cast by quotation · abstained: share of those asked · out_of_scope · routing: the
likeliest domain's probability · words: logarithm of the answer's length · fits: whether that length is what
the question wants (`quoting.fits`)."""

MEASURED = ("relevance", "cross_score", "p_true")
"""Features of counts in which they were measured, and of no others. relevance: mean over the leading ballots
of how near to the question what each cites is, 0 where it cites nothing · others: `leanings.of_leader`."""

_REFIT = "it was fitted by another version: fit it again, or leave `calibration` out"


@dataclass(frozen=True, slots=True)
class _Model:
    """A fitted logistic regression on standardised features."""

    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    coef: tuple[float, ...]
    intercept: float
    threshold: float
    target_risk: float
    proven: float
    """The threshold whose risk was proven; infinite where none was."""

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> _Model:
        """From plain data, checked."""
        try:
            names = tuple(str(name) for name in plain["features"])
            mean, scale, coef = (tuple(map(float, plain[key])) for key in ("mean", "scale", "coef"))
            intercept, least, risk = (float(plain[key]) for key in ("intercept", "threshold", "target_risk"))
            proven = plain.get("proven_threshold")
            strict = math.inf if proven is None else float(proven)
        except (KeyError, TypeError, ValueError) as wrong:
            raise ConfigError(f"the calibration of confidences is damaged: {wrong!r}", hint=_REFIT) from wrong
        if any(len(column) != len(names) for column in (mean, scale, coef)):
            raise ConfigError("the calibration of confidences has rows of unlike length", hint=_REFIT)
        return cls(names, mean, scale, coef, intercept, least, risk, strict)


class Confidence(NamedTuple):
    """In [0, 1]; a probability only where it is calibrated."""

    value: float
    calibrated: bool


def features(tally: Tally, ballots: Iterable[Ballot], route: Route, *, question: str) -> dict[str, float]:
    """The feature vector of a count; every value is finite, and neutral where nobody answered.

    Those of `MEASURED` are there where they were measured.
    """
    leading = leading_ballots(tally, ballots)
    found = (
        _of_leader(tally)
        | _of_council(tally)
        | {
            "support": _support(leading),
            "confidence": _mean([ballot["signals"]["confidence"] for ballot in leading]),
            "quoted": sum(ballot["method"] == "quoted" for ballot in leading) / max(1, len(leading)),
            "out_of_scope": route["out_of_scope"],
            "routing": max(route["probabilities"].values(), default=0.0),
            "fits": float(bool(leading) and fits(question, tally["groups"][0]["text"])),
        }
    )
    plain = {name: found[name] if math.isfinite(found[name]) else 0.0 for name in FEATURES}
    return plain | _relevance(leading) | of_leader(tally)


def confidence(
    tally: Tally, signals: Mapping[str, float], calibration: Mapping[str, Any] | None = None
) -> Confidence:
    """How sure the leading answer may be of being right.

    Args:
        tally: the count.
        signals: its `features`.
        calibration: a fitted logistic model; None: leading share × mean quality × being in scope, which
            orders answers well enough and is no probability.

    A degraded count is never called calibrated: the model was fitted on whole councils.
    """
    if not tally["groups"]:
        return Confidence(0.0, calibrated=False)
    if calibration is None:
        quality = (signals["support"] + signals["confidence"]) / 2
        return Confidence(
            _unit(signals["share"] * quality * (1.0 - signals["out_of_scope"])), calibrated=False
        )
    return Confidence(_logistic(signals, _Model.read(calibration)), calibrated=not tally["degraded"])


def threshold(
    calibration: Mapping[str, Any] | None, target_risk: float, *, proven_only: bool = False
) -> float:
    """The confidence that an answer needs at a risk of error; 0 without a calibration, which can't promise.

    The fitted threshold holds for the risk that it was fitted for. At a stricter risk an answer must also be
    that likely by itself; at a looser one either will do. With `proven_only` it is the threshold whose risk
    was proven, and infinite where that is not so: without a calibration, at a stricter risk, or where the
    questions that it was fitted on proved none.
    """
    if calibration is None:
        return math.inf if proven_only else 0.0
    model, likely = _Model.read(calibration), 1.0 - target_risk
    fits_risk = math.isclose(target_risk, model.target_risk)
    if proven_only:
        return model.proven if fits_risk or target_risk > model.target_risk else math.inf
    if fits_risk:
        return model.threshold
    return max(model.threshold, likely) if target_risk < model.target_risk else min(model.threshold, likely)


def flip_rate(tally: Tally) -> float:
    """Share of the answering members whose own readings fell into several groups."""
    if not tally["answered"]:
        return 0.0
    places = [sum(member in group["members"] for group in tally["groups"]) for member in tally["answered"]]
    return sum(place > 1 for place in places) / len(places)


def leading_ballots(tally: Tally, ballots: Iterable[Ballot]) -> list[Ballot]:
    """The ballots of the first group."""
    return ballots_of(tally["groups"][0], ballots) if tally["groups"] else []


def ballots_of(group: Group, ballots: Iterable[Ballot]) -> list[Ballot]:
    """The answered ballots whose words the group holds, in an order that does not depend on theirs."""
    members = {seat(member) for member in group["members"]}
    held = [
        ballot
        for ballot in ballots
        if ballot["status"] == "answered"
        and ballot["text"] in group["texts"]
        and seat(ballot["member"]) in members
    ]
    return sorted(held, key=lambda ballot: (seat(ballot["member"]), ballot["slate"], ballot["text"]))


def _of_leader(tally: Tally) -> dict[str, float]:
    if not tally["groups"]:
        return dict.fromkeys(("share", "margin", "members", "passages", "words"), 0.0)
    first = tally["groups"][0]
    shares = _shares(tally)
    return {
        "share": shares[0],
        "margin": shares[0] - max(shares[1:], default=0.0),
        "members": float(len(first["members"])),
        "passages": float(len(first["passage_ids"])),
        "words": math.log1p(len(first["text"].split())),
    }


def _shares(tally: Tally) -> list[float]:
    """Of every group among all the weight, none included; probabilities where the weights were fitted."""
    weights = [group["weight"] for group in tally["groups"]]
    sure = (1.0 - tally["p_none"]) / (fsum(weights) or 1.0)
    return [group.get("probability", sure * group["weight"]) for group in tally["groups"]]


def _of_council(tally: Tally) -> dict[str, float]:
    return {
        "p_none": tally["p_none"],
        "n_eff": tally["n_eff"] or 0.0,
        "flips": flip_rate(tally),
        "abstained": len(tally["abstained"]) / max(1, len(tally["asked"])),
    }


def _support(ballots: Sequence[Ballot]) -> float:
    """Mean over the passages cited of the best support each gives: one passage cited by three is one."""
    by_passage: dict[str, list[float | None]] = {}
    for ballot in ballots:
        support = 0.0 if unsupported(ballot) else ballot["signals"]["support"]
        for passage in [citation["passage_id"] for citation in checked(ballot)] or [""]:
            by_passage.setdefault(passage, []).append(support)
    best = [
        max((value for value in values if value is not None), default=None) for values in by_passage.values()
    ]
    return _mean(best)


def _relevance(leading: Sequence[Ballot]) -> dict[str, float]:
    """Nothing where a ballot does not say, as those of earlier versions don't."""
    if not leading or any("relevance" not in ballot["signals"] for ballot in leading):
        return {}
    near = [ballot["signals"].get("relevance") or 0.0 for ballot in leading]
    return {"relevance": fsum(near) / len(near)} if all(map(math.isfinite, near)) else {}


def _mean(values: Sequence[float | None]) -> float:
    measured = [value for value in values if value is not None and math.isfinite(value)]
    return fsum(measured) / len(measured) if measured else UNMEASURED


def _logistic(signals: Mapping[str, float], model: _Model) -> float:
    unknown = [name for name in model.features if name not in signals and name not in MEASURED]
    if unknown:
        raise ConfigError(f"the calibration uses an unknown feature: {unknown[0]!r}", hint=_REFIT)
    columns = zip(model.features, model.mean, model.scale, model.coef, strict=True)
    # What could not be measured this time is taken to be as it mostly was.
    terms = [coef * (signals.get(name, mean) - mean) / (scale or 1.0) for name, mean, scale, coef in columns]
    logit = max(-60.0, min(60.0, fsum([*terms, model.intercept])))
    return 1.0 / (1.0 + math.exp(-logit))


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0) if math.isfinite(value) else 0.0
