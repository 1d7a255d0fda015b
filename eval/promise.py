"""Fits confidence and threshold to a council's own runs, and says in one sentence what that buys.

Knows saved runs; knows neither models nor where anything is kept. What holds: on questions like those it was
fitted on, at most `target_risk` of what is answered is wrong, at 95 % confidence (Clopper–Pearson on a fixed
grid, over confidences of folds that were not fitted on).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxycouncil.errors import UsageError
from proxycouncil.eval.calibration import fit_confidence
from proxycouncil.eval.metrics import risk_bound
from proxycouncil.eval.runs import Record, is_marked, leader_is_right
from proxycouncil.graphs.confidence import features

LEVEL = 0.95
_ERRORS = 2
"""So many must be affordable where the walk over thresholds begins (`metrics.risk_threshold`)."""


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
            f"no threshold is proven to keep wrong answers at {risk:.0%}: that takes at least "
            f"{needed(risk, errors=_ERRORS)} answers above it with no more than {_ERRORS} wrong, and "
            f"{self.right} of {self.spoken} were right at all; as it stands it answers {self.coverage:.0%} "
            f"of questions and promises nothing"
        )


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
    spoken = [record for record in marked if record["tally"]["groups"]]
    labels = [leader_is_right(record) for record in spoken]
    fitted = fit_confidence(
        [features(record["tally"], record["ballots"], record["route"]) for record in spoken],
        labels,
        groups=[str(record.get("entry") or record["id"]) for record in spoken],
        target_risk=target_risk,
        min_coverage=min(1.0, min_coverage * len(marked) / max(1, len(spoken))),
        fitted_on=fitted_on,
    )
    return Promise(len(marked), len(spoken), sum(labels), fitted)
