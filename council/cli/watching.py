"""Which domains' documents changed, and taking them in again. Knows paths and waiting; opens no library."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import typer

from proxycouncil.errors import LibraryLockedError, UsageError

_LOOK_EVERY_MS = 5_000


def touched(wanted: Mapping[str, Sequence[Path]]) -> Iterator[set[str]]:
    """Domains in whose documents something changed, as it happens; an empty set every few seconds.

    Raises:
        UsageError: watchfiles is not installed, or there is no folder to watch.
    """
    try:
        from watchfiles import watch
    except ImportError as error:
        raise UsageError("--watch needs watchfiles", hint='pip install "proxycouncil[documents]"') from error
    paths = [path for documents in wanted.values() for path in documents if path.exists()]
    if not paths:
        raise UsageError("there is nothing to watch", hint="make the folders that council.toml names")
    typer.echo(f"watching {', '.join(map(str, paths))}; Ctrl-C ends it", err=True)
    for changes in watch(
        *paths, rust_timeout=_LOOK_EVERY_MS, yield_on_timeout=True, raise_interrupt=False, debounce=2_000
    ):
        yield {domain for _, path in changes for domain in _domains_of(Path(path), wanted)}


def follow(events: Iterable[set[str]], again: Callable[[str], None]) -> None:
    """Take in what changed; a library that somebody else has open is tried again later."""
    waiting: dict[str, None] = {}
    for changed in events:
        waiting |= dict.fromkeys(sorted(changed))
        for domain in list(waiting):
            try:
                again(domain)
            except LibraryLockedError as error:
                if domain in changed:
                    typer.echo(f"{domain}: {error}; trying again", err=True)
            else:
                del waiting[domain]


def _domains_of(path: Path, wanted: Mapping[str, Sequence[Path]]) -> list[str]:
    return [
        domain
        for domain, documents in wanted.items()
        if any(path.is_relative_to(one.resolve()) for one in documents)
    ]
