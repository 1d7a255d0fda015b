"""Fits the joint rule to labelled polls: weights ≥ 0 and a none-of-these slot, together, by L-BFGS-B.

The loss is the log-loss of the slot that is right (any right candidate, or none of them), convex in the
weights. Ridge: weights are drawn to their common mean, doubts to theirs; how strongly, and at which
temperature, is settled on folds that were not fitted on. With few labels all weights share one positive
shape (`cold_shape`), and only its scale is fitted.

Knows polls and labels; knows neither files nor models. scipy is needed to fit, never to use what was fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from proxycouncil.eval.metrics import Floats
from proxycouncil.eval.polls import LabelledPoll
from proxycouncil.graphs.joint import JointRule

ENOUGH = 50
"""Labels; with fewer a weight for every member says more about luck than about the member."""

STRENGTHS = tuple(float(strength) for strength in np.logspace(-1, 2, 7))
"""Of the pull to the common mean."""

_ANCHOR = 0.01
"""Of the pull of common means to where they begin: only so that the fit has one optimum."""
_FIRM = 5.0
"""The same with few labels, of the shared scale: worth so many questions."""
_NONE_AT_FIRST = 1.0
"""Where the none slot begins: it ties with one vote of the mean member."""

PRIOR_LABELS = 10.0
"""How many labels the pool's mean accuracy is worth against a member's own."""
PRIOR_SAME_WRONG = 0.2
"""How often two wrong members say the same, before it is measured."""


@dataclass(frozen=True, slots=True)
class _Table:
    """Polls as arrays; polls without a candidate teach nothing and are left out."""

    votes: Floats
    """question × candidate × member"""
    real: npt.NDArray[np.bool_]
    """question × slot: the candidates that there are, and none of them"""
    abstained: Floats
    """question × member"""
    right: npt.NDArray[np.bool_]
    """question × slot"""
    fold: npt.NDArray[np.int64]

    @classmethod
    def of(cls, cases: Sequence[LabelledPoll], members: Sequence[str]) -> _Table:
        cases = [case for case in cases if case.poll.candidates]
        widest = max((len(case.poll.candidates) for case in cases), default=0)
        votes = np.zeros((len(cases), widest, len(members)))
        abstained = np.zeros((len(cases), len(members)))
        real = np.zeros((len(cases), widest + 1), dtype=np.bool_)
        right = np.zeros_like(real)
        for row, case in enumerate(cases):
            for place, candidate in enumerate(case.poll.votes):
                votes[row, place] = [candidate.get(name, 0.0) for name in members]
            abstained[row] = [case.poll.abstained.get(name, 0.0) for name in members]
            real[row, [*range(len(case.poll.candidates)), widest]] = True
            right[row, sorted(case.right) or [widest]] = True
        fold = np.array([case.fold for case in cases], dtype=np.int64)
        return cls(votes, real, abstained, right, fold)

    def __len__(self) -> int:
        return len(self.fold)

    def part(self, rows: npt.NDArray[np.bool_]) -> _Table:
        return _Table(
            self.votes[rows], self.real[rows], self.abstained[rows], self.right[rows], self.fold[rows]
        )

    def scores(self, fitted: _Fitted) -> Floats:
        """question × slot; slots that there are not are at −∞."""
        none = fitted.none + self.abstained @ fitted.doubt
        scores = np.concatenate([self.votes @ fitted.weights, none[:, None]], axis=1)
        return np.where(self.real, scores, -np.inf)


@dataclass(frozen=True, slots=True)
class _Fitted:
    weights: Floats
    doubt: Floats
    none: float


@dataclass(frozen=True, slots=True)
class Pull:
    """How strongly weights are drawn to their common mean, and what their scores are then divided by."""

    strength: float
    temperature: float = 1.0


def fit_joint(
    cases: Sequence[LabelledPoll], members: Sequence[str], *, pull: Pull | None = None
) -> JointRule:
    """The joint rule of these members; with fewer than `ENOUGH` labels the cold one.

    Args:
        cases: labelled polls of these members.
        members: whose weights are wanted, in any order.
        pull: to the common mean; None: `best_pull`.
    """
    seats = sorted(members)
    table = _Table.of(cases, seats)
    if len(table) < ENOUGH:
        return fit_cold(cases, members)
    pull = pull or best_pull(cases, members)
    return _rule(_fit(table, pull.strength), seats, pull.temperature)


def best_pull(cases: Sequence[LabelledPoll], members: Sequence[str]) -> Pull:
    """Strength and temperature of the least log-loss on folds that were not fitted on."""
    table = _Table.of(cases, sorted(members))
    held_out = _held_out(table)
    best = min(STRENGTHS, key=lambda strength: (_log_loss(held_out[strength], table.right), -strength))
    return Pull(best, _temperature(held_out[best], table.right))


def fit_cold(cases: Sequence[LabelledPoll], members: Sequence[str]) -> JointRule:
    """One shape for all, shrunk per member; its scale and the none slot by what labels there are."""
    seats = sorted(members)
    shape = cold_shape(cases, seats)
    table = _Table.of(cases, seats)
    together = replace(
        table,
        votes=(table.votes @ shape)[..., None],
        abstained=table.abstained.mean(axis=1, keepdims=True) if len(table) else table.abstained[:, :1],
    )
    shared = _fit(together, 0.0, anchor=_FIRM)
    fitted = _Fitted(shared.weights[0] * shape, shared.doubt[0] / len(seats) + 0 * shape, shared.none)
    return _rule(fitted, seats, 1.0)


def cold_shape(cases: Sequence[LabelledPoll], members: Sequence[str]) -> Floats:
    """Weights of mean 1 that are positive whatever a member's accuracy.

    A vote for a candidate is p / ((1 − p)·c) times likelier if the candidate is right than if it is not,
    where c is how often wrong members meet in one answer. ln(1 + ·) of that is the log of the odds for good
    members and goes to 0, never below, for bad ones; below one half the plain log-odds would count a vote
    against its own candidate. Accuracies are shrunk to their mean by `PRIOR_LABELS`.
    """
    right = np.array([[case.share_right(name) for name in members] for case in cases]).reshape(
        len(cases), len(members)
    )
    pool = (right.sum() + 0.5 * PRIOR_LABELS) / (right.size + PRIOR_LABELS)
    skill = (right.sum(axis=0) + PRIOR_LABELS * pool) / (len(cases) + PRIOR_LABELS)
    shape = np.log1p(skill / (1 - skill) / PRIOR_SAME_WRONG)
    return np.asarray(shape / shape.mean(), dtype=np.float64)


def _rule(fitted: _Fitted, seats: Sequence[str], temperature: float) -> JointRule:
    return JointRule(
        weights=dict(zip(seats, fitted.weights.tolist(), strict=True)),
        doubt=dict(zip(seats, fitted.doubt.tolist(), strict=True)),
        none=float(fitted.none),
        temperature=temperature,
    )


def _fit(table: _Table, strength: float, *, anchor: float = _ANCHOR, begin: _Fitted | None = None) -> _Fitted:
    """The one optimum, wherever the search begins; a near beginning is found from sooner."""
    from scipy.optimize import minimize

    size = table.votes.shape[2]

    def loss(theta: Floats) -> tuple[float, Floats]:
        fitted = _Fitted(theta[:size], theta[size:-1], theta[-1])
        value, (weights, doubt, none) = _data_loss(table, fitted)
        pulls = _pull(fitted.weights, 1.0, strength, anchor), _pull(fitted.doubt, 0.0, strength, anchor)
        offset = fitted.none - _NONE_AT_FIRST
        gradient = np.concatenate([weights + pulls[0][1], doubt + pulls[1][1], [none + 2 * anchor * offset]])
        return value + pulls[0][0] + pulls[1][0] + anchor * offset**2, gradient

    first = begin or _Fitted(np.ones(size), np.zeros(size), _NONE_AT_FIRST)
    start = np.concatenate([first.weights, first.doubt, [first.none]])
    bounds = [(0.0, None)] * size + [(None, None)] * (size + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}).x
    return _Fitted(found[:size], found[size:-1], float(found[-1]))


def _data_loss(table: _Table, fitted: _Fitted) -> tuple[float, tuple[Floats, Floats, float]]:
    """Log-loss summed over the questions, and its gradient by weights, doubts and the none slot."""
    if not len(table):
        return 0.0, (np.zeros_like(fitted.weights), np.zeros_like(fitted.doubt), 0.0)
    shares = _shares(table.scores(fitted))
    hit = (shares * table.right).sum(axis=1)
    excess = shares - shares * table.right / hit[:, None]
    by_weight = excess[:, :-1].ravel() @ table.votes.reshape(-1, fitted.weights.size)
    return float(-np.log(hit).sum()), (by_weight, excess[:, -1] @ table.abstained, float(excess[:, -1].sum()))


def _pull(values: Floats, home: float, strength: float, anchor: float) -> tuple[float, Floats]:
    """Ridge to the common mean, and of the mean to its home; the gradient beside it."""
    mean = values.mean()
    apart = values - mean
    value = strength * apart @ apart + anchor * (mean - home) ** 2
    return float(value), 2 * strength * apart + 2 * anchor * (mean - home) / values.size


def _shares(scores: Floats, temperature: float = 1.0) -> Floats:
    masses = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature)
    return np.asarray(masses / masses.sum(axis=1, keepdims=True), dtype=np.float64)


def _held_out(table: _Table) -> dict[float, Floats]:
    """By strength, the scores of every question by a fit that has not seen its fold."""
    scores = {strength: np.full(table.real.shape, -np.inf) for strength in STRENGTHS}
    for fold in np.unique(table.fold):
        here = table.fold == fold
        unseen, seen = table.part(here), table.part(~here)
        fitted: _Fitted | None = None
        for strength in sorted(STRENGTHS, reverse=True):
            fitted = _fit(seen, strength, begin=fitted)
            scores[strength][here] = unseen.scores(fitted)
    return scores


def _log_loss(scores: Floats, right: npt.NDArray[np.bool_], temperature: float = 1.0) -> float:
    hit = (_shares(scores, temperature) * right).sum(axis=1)
    return float(-np.log(np.maximum(hit, 1e-12)).mean())


def _temperature(scores: Floats, right: npt.NDArray[np.bool_]) -> float:
    """What held-out scores have to be divided by (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log: _log_loss(scores, right, float(np.exp(log))), bounds=(-1.5, 1.5), method="bounded"
    )
    return float(np.exp(found.x))
