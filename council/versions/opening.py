"""From a reference (`council.toml`, `council.toml@VERSION`, `council.toml@draft`) to the settings meant."""

from __future__ import annotations

from pathlib import Path

from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.versions.store import DRAFT, Store


def split_reference(reference: str | Path) -> tuple[Path, str | None]:
    """The file, and the version that is named after an @, if one is."""
    path, _, version = str(reference).rpartition("@")
    if version and path.endswith(".toml") and not Path(reference).exists():
        return Path(path), version
    return Path(reference), None


def drafted(reference: str | Path) -> Path:
    """The same settings as they are written: what ingesting, tuning and calibrating work on."""
    file, version = split_reference(reference)
    return Path(reference) if version else Path(f"{file}@{DRAFT}")


def open_config(reference: str | Path) -> tuple[CouncilConfig, str | None]:
    """Settings with the parts of the version meant, and its id.

    Without a version that is the promoted one; where nothing was promoted, and for `@draft`, the settings are
    as they are written, and there is no id.

    Raises:
        ConfigError: a setting, the pointer or the version can't be used.
        UsageError: no such version.
    """
    file, named = split_reference(reference)
    config = CouncilConfig.load(file)
    store = Store(file)
    version = store.current if named is None else named
    if version is None or version == DRAFT:
        return config, None
    release = store.release(version)
    return release.applied(config, store.root), release.id
