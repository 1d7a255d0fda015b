"""Who is asked: one probability for each domain and one for "none of these", from how near the question is.

Knows affinities and a fitted calibration; knows no model, no text but the question, and not who sits behind a
name. Which domain is a softmax of one score each, with weights shared by all domains, so that what was fitted
on some transfers to others. Whether any domain is right is a logistic of the largest of each affinity. The
gate for that is loose by intention: a reader that sees the passages declines better than a router that does
not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from proxycouncil.errors import ConfigError, UnknownDomainError
from proxycouncil.graphs.context import GENERALIST
from proxycouncil.graphs.state import Route
from proxycouncil.retrieval.passage import Affinity

DOMAIN_FEATURES: Final = ("best", "mean3", "sentence", "example", "bm25")
"""Of one domain; BM25 as the logarithm of 1 + its score, which has no upper bound."""
SCOPE_FEATURES: Final = ("mean3", "sentence", "bm25")
"""Of the question: the largest of each over all domains. Beside `sentence` the other cosines say nothing
more; with them in, the fit sets one against the other."""

_UNCALIBRATED_SHARPNESS = 25.0
_UNCALIBRATED_COSINE = 0.3
"""Without a calibration "none of these" competes like a domain of this cosine. A shape, not a probability."""

_WORD = re.compile(r"[^\W_]+")
_EMPTY_WORDS = frozenset(
    "a an the this that these those it its is are was were be been am do does did has have had i you he"
    " she we they me my your of in on at to for from by with as about and or but so if then than when where"
    " what which who whom whose why how because there here not no yes s t re ll ve d m um uh hm ok".split()
)


@dataclass(frozen=True, slots=True)
class RouterCalibration:
    """The fitted router; stored as the part `route` of calibration.json.

    `scope` is the linear model of *in scope* over `SCOPE_FEATURES`, `domain` that of *this domain* over
    `DOMAIN_FEATURES`. `gate`: a question is declined from this probability of out-of-scope on.
    """

    embedder: str
    domains: tuple[str, ...]
    domain: Mapping[str, float]
    scope: Mapping[str, float]
    scope_intercept: float
    gate: float
    fitted_on: str = ""
    version: int = 1

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> RouterCalibration:
        """What `to_dict` wrote.

        Raises:
            ConfigError: something else.
        """
        try:
            fitted = cls(**{**stored, "domains": tuple(stored["domains"])})
        except (TypeError, KeyError) as error:
            raise _unreadable(f"not a fitted router: {error}") from error
        missing = [name for name in DOMAIN_FEATURES if name not in fitted.domain]
        missing += [name for name in SCOPE_FEATURES if name not in fitted.scope]
        if fitted.version != 1 or missing:
            raise _unreadable(
                f"version {fitted.version}, without {missing}" if missing else "another version"
            )
        return fitted

    def to_dict(self) -> dict[str, Any]:
        """Plain values for calibration.json."""
        return {
            "version": self.version,
            "embedder": self.embedder,
            "domains": list(self.domains),
            "domain": dict(self.domain),
            "scope": dict(self.scope),
            "scope_intercept": self.scope_intercept,
            "gate": self.gate,
            "fitted_on": self.fitted_on,
        }


def route(
    question: str,
    affinities: Mapping[str, Affinity],
    *,
    calibration: Mapping[str, Any] | None = None,
    fingerprint: str = "",
    seats: Sequence[str] | None = None,
    members: Sequence[str] | None = None,
    ask_at_most: int = 3,
    mass: float = 0.9,
) -> Route:
    """Choose who is asked.

    Domains in order of probability until they hold `mass` of what is in scope, at most `ask_at_most`, and the
    generalist. A question that is out of scope (the gate of the calibration) goes to the generalist alone,
    and one that says nothing at all, or shares no word with any passage either, to nobody; both are marked
    `declined`. A calibration that was fitted with
    another embedder or for other domains is not trusted: `calibrated` is false, nothing is declined by it.

    Args:
        affinities: of every domain to the question.
        calibration: the part `route` of calibration.json.
        fingerprint: of the embedder that the affinities come from.
        seats: members that exist, `general` among them; by default the domains and `general`.
        members: ask exactly these.

    Raises:
        UnknownDomainError: one of `members` has no seat.
    """
    known = tuple(seats) if seats is not None else (*affinities, GENERALIST)
    near = {domain: affinity for domain, affinity in affinities.items() if domain in known}
    fitted = _usable(calibration, fingerprint)
    trusted = fitted is not None and set(fitted.domains) == set(near)
    shares, out_of_scope = _probabilities(near, fitted)
    outside = trusted and fitted is not None and out_of_scope >= fitted.gate
    silent = not has_content(question) or (outside and not _shares_a_word(near))
    if members:
        chosen = _named(members, known)
    else:
        specialists = [] if outside or silent else _until(shares, mass, ask_at_most)
        chosen = specialists if silent or GENERALIST not in known else [*specialists, GENERALIST]
    return Route(
        members=chosen,
        probabilities={domain: share * (1 - out_of_scope) for domain, share in shares.items()},
        out_of_scope=out_of_scope,
        declined=(outside or silent) and not members,
        calibrated=trusted,
    )


def domain_features(affinity: Affinity) -> list[float]:
    """One domain's affinities as `DOMAIN_FEATURES`; what is not finite counts as 0."""
    cosines = (affinity.best, affinity.mean3, affinity.sentence, affinity.example)
    return [
        *(max(-1.0, min(1.0, _finite(cosine))) for cosine in cosines),
        math.log1p(max(0.0, _finite(affinity.bm25))),
    ]


def scope_features(affinities: Mapping[str, Affinity]) -> list[float]:
    """The question's affinities as `SCOPE_FEATURES`."""
    rows = [
        dict(zip(DOMAIN_FEATURES, domain_features(affinity), strict=True)) for affinity in affinities.values()
    ]
    return [max((row[name] for row in rows), default=0.0) for name in SCOPE_FEATURES]


def has_content(question: str) -> bool:
    """Whether a question has a word that could be looked up: not in "???", not in "what is the"."""
    words = _WORD.findall(question)
    shouted = question.isupper()
    return any(
        word.lower() not in _EMPTY_WORDS or (len(word) > 1 and word.isupper() and not shouted)
        for word in words
    )


def _unreadable(what: str) -> ConfigError:
    return ConfigError(
        f"calibration.json, route: {what}", hint="fit the router again, or leave the calibration out"
    )


def _usable(calibration: Mapping[str, Any] | None, fingerprint: str) -> RouterCalibration | None:
    """The calibration, unless it was fitted on another embedder's cosines: those mean nothing here."""
    if not calibration:
        return None
    fitted = RouterCalibration.from_dict(calibration)
    return fitted if fitted.embedder == fingerprint else None


def _probabilities(
    near: Mapping[str, Affinity], fitted: RouterCalibration | None
) -> tuple[dict[str, float], float]:
    """Each domain's share of what is in scope, most likely first, and the probability of out-of-scope."""
    if not near:
        return {}, 1.0
    if fitted is None:
        return _guesses(near)
    scores = {
        domain: _dot(fitted.domain, DOMAIN_FEATURES, domain_features(affinity))
        for domain, affinity in near.items()
    }
    in_scope = _dot(fitted.scope, SCOPE_FEATURES, scope_features(near)) + fitted.scope_intercept
    return _softmax(scores), 1.0 - _logistic(in_scope)


def _guesses(near: Mapping[str, Affinity]) -> tuple[dict[str, float], float]:
    """The shape without a calibration: sharpened cosines against that of an imagined domain."""
    best, example = DOMAIN_FEATURES.index("best"), DOMAIN_FEATURES.index("example")
    rows = {domain: domain_features(affinity) for domain, affinity in near.items()}
    scores = {domain: _UNCALIBRATED_SHARPNESS * max(row[best], row[example]) for domain, row in rows.items()}
    nowhere = _UNCALIBRATED_SHARPNESS * _UNCALIBRATED_COSINE
    return _softmax(scores), 1.0 - _logistic(max(scores.values()) - nowhere)


def _shares_a_word(near: Mapping[str, Affinity]) -> bool:
    """Whether any passage has any word of the question."""
    return any(_finite(affinity.bm25) > 0 for affinity in near.values())


def _named(members: Sequence[str], known: Sequence[str]) -> list[str]:
    """The members asked for by name, each once."""
    if unknown := [name for name in members if name not in known]:
        raise UnknownDomainError(
            f"no member {', '.join(map(repr, unknown))}", hint=f"ask one of: {', '.join(sorted(known))}"
        )
    return list(dict.fromkeys(members))


def _until(shares: Mapping[str, float], mass: float, at_most: int) -> list[str]:
    """The first domains that together hold the mass."""
    chosen: list[str] = []
    held = 0.0
    for domain, share in shares.items():
        if len(chosen) == at_most or held >= mass:
            break
        chosen.append(domain)
        held += share
    return chosen


def _softmax(scores: Mapping[str, float]) -> dict[str, float]:
    """Shares that sum to 1, largest first; equal ones by name."""
    top = max(scores.values())
    powers = {domain: math.exp(score - top) for domain, score in scores.items()}
    total = sum(powers.values())
    return {
        domain: powers[domain] / total for domain in sorted(powers, key=lambda name: (-powers[name], name))
    }


def _logistic(score: float) -> float:
    return 1 / (1 + math.exp(-score)) if score >= 0 else math.exp(score) / (1 + math.exp(score))


def _dot(weights: Mapping[str, float], names: Sequence[str], values: Sequence[float]) -> float:
    return sum(weights[name] * value for name, value in zip(names, values, strict=True))


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
