"""What a calibration was fitted on, as fingerprints, and which of it has changed since. Loads no weights.

A calibration speaks of one council: these models, these experts at these strengths, these passages, this
embedder, these settings. With another it still orders answers but promises nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proxycouncil.council.config import CouncilConfig
    from proxycouncil.graphs.protocols import Searcher

_SETTINGS = (
    "ask_at_most",
    "mass",
    "ballots",
    "quorum",
    "max_new_tokens",
    "unsure_below",
    "verbatim",
    "early_stop",
)
_READING = ("slate", "excerpts", "budget_tokens", "order")

ANSWERING = 2
"""How this package ranks what is read and binds what is said: raised where a change of it makes councils
answer otherwise under the same settings, so that what was fitted before is called stale."""


def fingerprints(
    config: CouncilConfig, searcher: Searcher, *, alphas: Mapping[str, float], own_engine: bool
) -> dict[str, str]:
    """Part → fingerprint. Models are left out where they are somebody else's.

    Raises:
        FamilyError: weights that are not there.
    """
    found = {
        "settings": settings_fingerprint(config),
        "embedder": searcher.embedder_fingerprint,
    }
    if own_engine:
        found |= _models(config, alphas)
    passages = passages_fingerprint(searcher)
    if passages is not None:
        found["library"] = passages
    return found


def changed(calibration: Mapping[str, Any] | None, now: Mapping[str, str]) -> tuple[str, ...]:
    """The parts that are not what they were when the calibration was fitted; unknown ones are not counted."""
    fitted = (calibration or {}).get("fingerprints")
    if not isinstance(fitted, Mapping):
        return ()
    return tuple(sorted(name for name, value in now.items() if name in fitted and fitted[name] != value))


def settings_fingerprint(config: CouncilConfig) -> str:
    """Of the settings that decide an answer, whatever the models and passages."""
    return _digest(*_settings(config))


def _settings(config: CouncilConfig) -> list[str]:
    council = [f"{name}={getattr(config.council, name)}" for name in _SETTINGS]
    reading = [f"{name}={getattr(config.retrieval, name)}" for name in _READING]
    # By its last name alone: where a model lies differs from machine to machine.
    shots = [f"{name}:{_content(one.shots)}" for name, one in sorted(config.specialists.items()) if one.shots]
    if shots:
        reading += [*shots, str(config.few_shot)]
    # What is left as it was changes nothing that was fitted before there was a choice.
    if config.retrieval.own_order != "shuffled":
        reading.append(f"own_order={config.retrieval.own_order}")
    if config.retrieval.own_excerpts is not None:
        reading.append(f"own_excerpts={config.retrieval.own_excerpts}")
    locales = {name: one.locale for name, one in sorted(config.specialists.items()) if one.locale}
    if locales or config.council.locale:
        reading.append(f"locale={config.council.locale} {locales}")
    if config.vote != type(config.vote)():
        reading.append(str(config.vote))
    reading.append(f"answering={ANSWERING}")
    return [*council, *reading, f"entailment={Path(config.council.entailment or '').name}"]


def _content(file: Path) -> str:
    return _digest(file.read_text(encoding="utf-8")) if file.is_file() else ""


def _models(config: CouncilConfig, alphas: Mapping[str, float]) -> dict[str, str]:
    from proxycouncil.specialists.checkpoint import open_checkpoint

    def of(source: str | None) -> str:
        return open_checkpoint(source).fingerprint if source else ""

    members = {**config.specialists, "general": config.generalist}
    experts = [
        f"{name}:{alphas.get(name, one.alpha)}:{of(one.expert)}" for name, one in sorted(members.items())
    ]
    return {
        "family": _digest(of(config.family.base), of(config.family.antiexpert)),
        "experts": _digest(*experts),
    }


def passages_fingerprint(searcher: Searcher) -> str | None:
    """Passage ids are hashes of their content, so they stand for it; None where there is no list of them."""
    from proxycouncil.retrieval.library import Library

    if not isinstance(searcher, Library):
        return None
    return _digest(*sorted(f"{passage.domain}:{passage.id}" for passage in searcher.passages()))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
