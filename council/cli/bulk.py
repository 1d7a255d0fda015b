"""`council ask --file QUESTIONS --out ANSWERS`: a table of questions becomes a table of answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import typer

from proxycouncil.errors import UsageError

if TYPE_CHECKING:
    from proxycouncil.council.bulk.asking import Answered, Row
    from proxycouncil.council.bulk.running import Asker, Progress
    from proxycouncil.council.council import Council

_TOLD_EVERY_S = 1.0


def ask_table(
    questions: str | None,
    out: Path,
    council: Council,
    *,
    members: tuple[str, ...],
    at_once: int,
    pool: tuple[int, int] | None = None,
) -> int:
    """Answer a table; the exit code.

    Args:
        questions: the file that was named.
        out: the table of answers.
        council: answers; with a pool it only says who the workers' councils are.
        members: ask just those.
        at_once: rows in flight.
        pool: workers on a Ray cluster, and rows in flight in each.

    Raises:
        UsageError: no file of questions, or one that can't be used.
    """
    from proxycouncil.council.bulk.running import answer_table, council_key, part_of

    if questions is None or questions == "-":
        raise UsageError("--out needs a file of questions", hint="council ask --file QUESTIONS --out ANSWERS")

    asker = _here(council, members, at_once) if pool is None else _on_ray(council, members, *pool)
    key = council_key(council.config, council.version, members)
    with _kept_if_broken_off(part_of(out)), _shown() as progress:
        outcomes = answer_table(Path(questions), out, asker, council=key, progress=progress)
    counted = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    typer.echo(f"{out}: {sum(outcomes.values())} rows ({counted or 'no rows'})", err=True)
    from proxycouncil.council.cli.ask import ALL_FAILED

    return ALL_FAILED if outcomes and set(outcomes) == {"error"} else 0


def check_alone(out: Path | None, **others: object) -> None:
    """Refuse options that a table of answers has no use for.

    Raises:
        UsageError: one of them is given.
    """
    if out is None:
        return
    for name, value in others.items():
        if value:
            shown = "a question" if name == "question" else f"--{name.replace('_', '-')}"
            raise UsageError(f"{shown} and --out exclude each other", hint="leave one of them out")


def _here(council: Council, members: tuple[str, ...], at_once: int) -> Asker:
    def ask(rows: Iterable[Row], _: int) -> Iterator[Answered]:
        from proxycouncil.council.bulk.asking import ask_rows

        return ask_rows(council, rows, members=members, at_once=at_once)

    return ask


def _on_ray(council: Council, members: tuple[str, ...], workers: int, at_once: int) -> Asker:
    """By the same version of the same council in every worker, whatever is promoted meanwhile."""
    from functools import partial

    from proxycouncil.council.cluster import cluster, import_ray
    from proxycouncil.council.deploy.application import open_named
    from proxycouncil.council.versions.opening import split_reference

    import_ray()
    file, _ = split_reference(council.origin)
    pinned = f"{file}@{council.version}" if council.version else council.origin

    def ask(rows: Iterable[Row], count: int) -> Iterator[Answered]:
        from proxycouncil.council.bulk.on_ray import Pool, ask_rows_on_ray

        with cluster(cpus=workers):
            pool = Pool(workers=workers, at_once=at_once)
            opener = partial(open_named, pinned)
            yield from ask_rows_on_ray(opener, rows, count, pool=pool, members=members)

    return ask


@contextmanager
def _kept_if_broken_off(part: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        if part.is_file():
            typer.echo(f"what was answered is kept in {part}: the same command goes on", err=True)
        raise


@contextmanager
def _shown() -> Iterator[Progress]:
    """A line on stderr, where somebody looks at it: rows, rate, remaining time."""
    show = _counter(monotonic) if sys.stderr.isatty() else lambda _done, _total: None
    try:
        yield show
    finally:
        if sys.stderr.isatty():
            typer.echo("", err=True)


def _counter(clock: Callable[[], float]) -> Progress:
    began, first, told = clock(), -1, 0.0

    def show(done: int, total: int) -> None:
        nonlocal first, told
        now = clock()
        if first < 0:
            first = done - 1
        if now - told < _TOLD_EVERY_S and done < total:
            return
        told = now
        rate = (done - first) / max(now - began, 1e-9)
        left = (total - done) / rate
        typer.echo(f"\r{done}/{total} rows, {rate:.1f} a second, {left:.0f} s left\x1b[K", err=True, nl=False)

    return show
