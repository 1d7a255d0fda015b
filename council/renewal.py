"""From one version to the next while questions go on: what is tried before the switch, and freed after."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from proxycouncil.council.live import Live, OpeningLibrary, members_of, stamp_of
from proxycouncil.errors import ConfigError, CouncilError

if TYPE_CHECKING:
    from proxycouncil.council.config import CouncilConfig
    from proxycouncil.specialists.family import Family

_numbers = count(1)


def renewed(
    old: Live,
    config: CouncilConfig,
    version: str | None,
    *,
    family: Family | None,
    try_out: Callable[[str], None],
    reopened: Callable[[CouncilConfig], OpeningLibrary],
) -> Live | None:
    """What answers from now on: experts tried and library open, before anybody is sent there.

    Args:
        family: that experts are made known to; None: the models are somebody else's.
        try_out: has an expert write a word; raises where it can't.
        reopened: the library of the new settings.

    Returns:
        None where nothing has changed.

    Raises:
        ConfigError: base or anti-expert changed, which takes a new process.
        CouncilError: an expert or the library can't be used; the old version goes on answering.
    """
    config = _kept_running(old.config, config)
    moved = {name for name, one in members_of(config).items() if old.stamps.get(name) != stamp_of(one)}
    if not moved and config == old.config and version == old.version:
        return None
    library = old.library if _same_passages(old.config, config) else reopened(config)
    experts = _names(old, config, moved, version=version) if family else {}
    fresh = {name: experts[name] for name in experts.keys() & moved}
    try:
        library.get()
        if family is not None:
            _introduce(family, config, fresh, try_out=try_out)
        new = Live(config, version=version, library=library, experts=experts)
    except BaseException:
        _free(family, fresh.values(), None if library is old.library else library)
        raise
    gone = set(_known_as(old)) - set(experts.values()) if family else set()
    weakref.finalize(old, _free_aside, family, gone, None if library is old.library else old.library)
    old.successor = new
    return new


def _kept_running(old: CouncilConfig, new: CouncilConfig) -> CouncilConfig:
    """The new settings, with what a running council can't change as it is."""
    if new.family != old.family:
        raise ConfigError("[family] has changed, and a running council keeps its base", hint="start it again")
    council = new.council.model_copy(update={"checkpoints": old.council.checkpoints})
    return new.model_copy(update={"council": council})


def _same_passages(old: CouncilConfig, new: CouncilConfig) -> bool:
    """Whether the open library serves the new settings, too: same place, domains described alike."""

    def told(config: CouncilConfig) -> list[tuple[object, ...]]:
        return [(name, one.description, one.examples) for name, one in config.specialists.items()]

    keys = ("path", "url", "embedder")
    same = all(getattr(old.retrieval, key) == getattr(new.retrieval, key) for key in keys)
    return same and told(old) == told(new)


def _names(old: Live, config: CouncilConfig, moved: set[str], *, version: str | None) -> dict[str, str]:
    """New experts get names of their own: a question in flight goes on with the old one of its member."""
    return {
        name: f"{name}@{version or 'draft'}-{next(_numbers)}"
        if name in moved
        else old.experts.get(name, name)
        for name, one in members_of(config).items()
        if one.expert
    }


def _known_as(live: Live) -> list[str]:
    return [live.experts.get(name, name) for name, one in members_of(live.config).items() if one.expert]


def _introduce(
    family: Family, config: CouncilConfig, fresh: Mapping[str, str], *, try_out: Callable[[str], None]
) -> None:
    members = members_of(config)
    for member, name in fresh.items():
        source = members[member].expert
        if source is not None:
            family.add_expert(name, source)
            try_out(name)


def _free_aside(family: Family | None, experts: set[str], library: OpeningLibrary | None) -> None:
    """In a thread: the last to let go may be an event loop, which must not wait for a lock."""
    threading.Thread(target=_free, args=(family, experts, library), name="council-free", daemon=True).start()


def _free(family: Family | None, experts: Iterable[str], library: OpeningLibrary | None) -> None:
    for name in experts:
        if family is not None:
            family.remove_expert(name, unused=True)
    opened = library.opened if library is not None else None
    if opened is not None and hasattr(opened, "close"):
        with suppress(CouncilError):
            opened.close()
