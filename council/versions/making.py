"""A version out of what council.toml names now: parts are copied in by content, then named together.

Knows models' files and the library's directory; loads no weights.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from proxycouncil.council.fingerprints import passages_fingerprint
from proxycouncil.council.versions.release import Kept, KeptExpert, Release
from proxycouncil.graphs.context import GENERALIST
from proxycouncil.specialists.checkpoint import open_checkpoint

if TYPE_CHECKING:
    from proxycouncil.council.config import CouncilConfig, MemberConfig
    from proxycouncil.council.versions.store import Store

_DIGITS = 16


def make_release(config: CouncilConfig, store: Store) -> Release:
    """Copy what is not yet kept, and say what the version is made of.

    Raises:
        FamilyError: weights that are not there or damaged.
        LibraryError: a library that can't be read, or is being written.
    """
    members: dict[str, MemberConfig] = {**config.specialists, GENERALIST: config.generalist}
    release = Release(
        family=_family(config),
        experts={name: _expert(one, store) for name, one in sorted(members.items())},
        library=_library(config, store),
        calibration=_calibration(config.council.calibration, store),
    )
    store.keep(release)
    return release


def damage(release: Release, store: Store) -> list[str]:
    """The parts of a version whose content is no longer what was promoted, or is gone."""
    from proxycouncil.errors import CouncilError

    found: list[str] = []
    for name, kept in release.experts.items():
        if kept is not None and kept.here:
            try:
                whole = open_checkpoint(kept.at(store.root)).fingerprint[:_DIGITS] == kept.fingerprint
            except CouncilError:
                whole = False
            found += [] if whole else [name]
    for part in ("library", "calibration"):
        kept = getattr(release, part)
        if kept is not None and kept.here and not Path(kept.at(store.root)).exists():
            found.append(part)
    if release.calibration and "calibration" not in found:
        file = Path(release.calibration.at(store.root))
        found += [] if _digest(file) == release.calibration.fingerprint else ["calibration"]
    return found


def _family(config: CouncilConfig) -> str:
    """Of the models that are here; one behind a server is known by its name alone."""
    named = config.family
    base = f"{named.base_url} {named.base}" if named.base_url else open_checkpoint(named.base).fingerprint
    small = open_checkpoint(named.antiexpert).fingerprint if named.antiexpert else ""
    return hashlib.sha256(f"{base}\0{small}".encode()).hexdigest()[:_DIGITS]


def _expert(member: MemberConfig, store: Store) -> KeptExpert | None:
    if member.expert is None:
        return None
    found = open_checkpoint(member.expert)
    fingerprint = found.fingerprint[:_DIGITS]
    here = Path(member.expert).is_dir()
    place = store.keep_folder(found.path, "experts", fingerprint) if here else member.expert
    return KeptExpert(place=place, fingerprint=fingerprint, here=here, alpha=member.alpha)


def _library(config: CouncilConfig, store: Store) -> Kept | None:
    """Copied while it is held open for reading, so that nobody writes meanwhile."""
    from proxycouncil.council.assembly import open_library
    from proxycouncil.retrieval.lock import LOCK_FILE, NOTES

    where = config.retrieval
    if not where.url and not where.path.is_dir():
        return None
    with open_library(config) as library:
        parts = f"{passages_fingerprint(library)}\0{library.embedder_fingerprint}"
        fingerprint = hashlib.sha256(parts.encode()).hexdigest()[:_DIGITS]
        if where.url:
            return Kept(place=where.url, fingerprint=fingerprint, here=False)
        place = store.keep_folder(where.path, "libraries", fingerprint, leave=(LOCK_FILE, NOTES))
    return Kept(place=place, fingerprint=fingerprint)


def _calibration(file: Path | None, store: Store) -> Kept | None:
    from proxycouncil.council.assembly import load_calibration

    if file is None or load_calibration(file) is None:
        return None
    fingerprint = _digest(file)
    return Kept(place=store.keep_file(file, "calibrations", fingerprint), fingerprint=fingerprint)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:_DIGITS]
