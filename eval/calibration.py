"""Fits what a council needs to know how sure it is: the router, and the confidence of an answer.

Knows features and labels; knows neither questions nor models. What it returns is plain JSON for
`calibration.json`; scikit-learn and scipy are needed to fit, never to use what was fitted.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from proxycouncil.errors import UsageError
from proxycouncil.eval.metrics import Floats, auroc, ece, risk_threshold
from proxycouncil.graphs.route import (
    DOMAIN_FEATURES,
    SCOPE_FEATURES,
    RouterCalibration,
    domain_features,
    scope_features,
)
from proxycouncil.retrieval.passage import Affinity

FOLDS = 5
STRENGTHS = tuple(float(c) for c in np.logspace(-3, 3, 13))
"""Inverse regularisation strengths that cross-validation chooses from."""


@dataclass(frozen=True, slots=True)
class RoutedQuestion:
    """A question's affinities and the domain that it belongs to, "" for none."""

    affinities: Mapping[str, Affinity]
    domain: str
    group: Hashable = None
    """Questions of one group (about one entry) are never on both sides of a fold."""


def fit_router(
    cases: Sequence[RoutedQuestion], *, embedder: str, fitted_on: str, declined_at_most: float = 0.02
) -> RouterCalibration:
    """Fit the router on in-scope and out-of-scope questions.

    The gate is the loosest that declines at most `declined_at_most` of the in-scope cases, judged on folds
    that were not fitted on.
    """
    inside = [case for case in cases if case.domain]
    if not inside or len(inside) == len(cases):
        raise UsageError("a router needs questions in scope and out of scope", hint="give both kinds")
    domains = tuple(sorted({domain for case in cases for domain in case.affinities}))
    scope = _fit_logistic(
        np.array([scope_features(case.affinities) for case in cases]),
        np.array([bool(case.domain) for case in cases]),
        groups=[case.group if case.group is not None else index for index, case in enumerate(cases)],
    )
    out_of_scope = 1 - scope.held_out[[bool(case.domain) for case in cases]]
    return RouterCalibration(
        embedder=embedder,
        domains=domains,
        domain=dict(zip(DOMAIN_FEATURES, _fit_choice(inside, domains).tolist(), strict=True)),
        scope=dict(zip(SCOPE_FEATURES, (scope.coef / scope.scale).tolist(), strict=True)),
        scope_intercept=float(scope.intercept - (scope.coef * scope.mean / scope.scale).sum()),
        gate=float(np.quantile(out_of_scope, 1 - declined_at_most)),
        fitted_on=fitted_on,
    )


def fit_confidence(
    features: Sequence[Mapping[str, float]],
    labels: Sequence[bool],
    *,
    groups: Sequence[Hashable] | None = None,
    target_risk: float = 0.20,
    min_coverage: float = 0.0,
    fitted_on: str = "",
) -> dict[str, Any]:
    """A logistic confidence and the threshold to answer from, as plain JSON.

    `confidence = σ(intercept + Σ coef · (feature − mean) / scale)`. Both kinds of label weigh alike in the
    fit; the intercept is then set back to how often an answer is right, so that it stays a probability. The
    regularisation is chosen by cross-validation, and the threshold on the folds' held-out confidences.

    `threshold_rule` says how the threshold was found: "risk" if its risk is proven (Clopper–Pearson at 95 %,
    on a fixed grid) to stay below `target_risk`; "coverage" if no threshold is, or only one that answers less
    than `min_coverage`: then it is the strictest that answers `min_coverage`, and nothing is promised.
    `held_out` says how well it tells right from wrong, and how far it is off, on folds not fitted on.

    Args:
        features: one mapping a case, all with the same names, none missing.
        labels: whether the answer was right.
        groups: cases of one group are never on both sides of a fold.
    """
    names = sorted(features[0]) if features else []
    table = np.array([[case[name] for name in names] for case in features], dtype=np.float64)
    right = np.array(labels, dtype=np.bool_)
    if len(set(labels)) < 2:
        raise UsageError("a confidence needs right and wrong answers", hint="give more cases")
    fit = _fit_logistic(table, right, groups=list(groups or range(len(right))), balanced=True)
    threshold = _threshold(fit.held_out, right, target_risk=target_risk, min_coverage=min_coverage)
    return {
        "version": 1,
        "features": names,
        "mean": fit.mean.tolist(),
        "scale": fit.scale.tolist(),
        "coef": fit.coef.tolist(),
        "intercept": fit.intercept,
        "target_risk": target_risk,
        "fitted_on": fitted_on,
        "held_out": {"auroc": auroc(fit.held_out, right), "ece": ece(fit.held_out, right)},
        **threshold,
    }


def _threshold(
    confidence: Floats, right: npt.NDArray[np.bool_], *, target_risk: float, min_coverage: float
) -> dict[str, Any]:
    """The threshold, by which rule, and what it does on held-out folds."""
    proven = risk_threshold(confidence, right, target=target_risk)
    by_risk = proven is not None and proven.coverage >= min_coverage
    threshold = proven.threshold if proven and by_risk else float(np.quantile(confidence, 1 - min_coverage))
    answered = confidence >= threshold
    return {
        "threshold": threshold,
        "threshold_rule": "risk" if by_risk else "coverage",
        "proven_threshold": proven.threshold if proven else None,
        "proven_coverage": proven.coverage if proven else None,
        "coverage": float(answered.mean()),
        "risk": float(1 - right[answered].mean()) if answered.any() else 0.0,
    }


@dataclass(frozen=True, slots=True)
class _Logistic:
    """A fitted logistic over standardised features, and what it said of cases it had not seen."""

    mean: Floats
    scale: Floats
    coef: Floats
    intercept: float
    held_out: Floats


def _fit_logistic(
    table: Floats, labels: npt.NDArray[np.bool_], *, groups: Sequence[Hashable], balanced: bool = False
) -> _Logistic:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    mean, scale = table.mean(axis=0), table.std(axis=0)
    scale[scale == 0] = 1.0
    standard = (table - mean) / scale
    numbers = np.unique([repr(group) for group in groups], return_inverse=True)[1]
    folds = list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(standard, labels, numbers))
    prior = float(np.log(labels.mean() / (1 - labels.mean()))) if balanced else 0.0
    weight = "balanced" if balanced else None

    def held_out(strength: float) -> Floats:
        model = LogisticRegression(C=strength, class_weight=weight, max_iter=1000)
        scores = cross_val_predict(model, standard, labels, cv=folds, method="decision_function")
        return np.asarray(1 / (1 + np.exp(-(scores + prior))), dtype=np.float64)

    predictions = {strength: held_out(strength) for strength in STRENGTHS}
    best = min(STRENGTHS, key=lambda strength: (log_loss(labels, predictions[strength]), strength))
    model = LogisticRegression(C=best, class_weight=weight, max_iter=1000).fit(standard, labels)
    return _Logistic(mean, scale, model.coef_[0], float(model.intercept_[0]) + prior, predictions[best])


def _fit_choice(cases: Sequence[RoutedQuestion], domains: Sequence[str], *, ridge: float = 1e-3) -> Floats:
    """Weights of a softmax over domains that share them (McFadden's conditional logit), by L-BFGS.

    No weight is negative: being nearer to a domain never speaks against it.
    """
    from scipy.optimize import minimize

    table = np.array([[domain_features(case.affinities[name]) for name in domains] for case in cases])
    truth = np.array([domains.index(case.domain) for case in cases])
    rows = np.arange(len(cases))
    spread = table.std(axis=(0, 1))
    spread[spread == 0] = 1.0
    standard = table / spread

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = standard @ weights
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        shares /= shares.sum(axis=1, keepdims=True)
        gradient = (np.einsum("cd,cdf->f", shares, standard) - standard[rows, truth].sum(axis=0)) / len(rows)
        value = -np.log(shares[rows, truth]).mean() + ridge * (weights**2).sum()
        return float(value), gradient + 2 * ridge * weights

    found = minimize(
        loss, np.zeros(table.shape[2]), jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * table.shape[2]
    )
    return np.asarray(found.x / spread, dtype=np.float64)
