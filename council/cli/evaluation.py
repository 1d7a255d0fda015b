"""`council eval`: measure a council beside its parts."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxycouncil.council.cli.pairs import pairs
from proxycouncil.council.cli.running import ConfigFile, Debug, process_of
from proxycouncil.council.cli.two_part import two_part
from proxycouncil.errors import UsageError

if TYPE_CHECKING:
    from proxycouncil.council.measure import Table
    from proxycouncil.specialists import Engine


def create_group() -> typer.Typer:
    """The commands below `council eval`."""
    group = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, help="Measure a council beside its parts."
    )
    group.callback()(_group)
    group.command("starter")(starter)
    group.command("pairs")(pairs)
    group.command("two-part")(two_part)
    return group


def _group() -> None:
    """Measure a council beside its parts."""


def starter(
    ctx: typer.Context,
    *,
    tables: Annotated[
        str | None,
        typer.Option(
            help="Just those of questions, reworded, reading, retrieval, alpha, cost; comma between them."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="An even spread of so many questions.")] = None,
    arms: Annotated[
        str | None,
        typer.Option(
            help="Just those of the questions' arms. By name only: cross-scored, reconsidered, and with one "
            "reading a member before: one ballot, cross-scored once, reconsidered once."
        ),
    ] = None,
    target_risk: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Of the councils, instead of council.toml's; 1 answers all it can."
        ),
    ] = None,
    direct: Annotated[
        Path | None, typer.Option(help="The base tuned directly, an adapter, as one more single reading.")
    ] = None,
    verbatim: Annotated[
        bool, typer.Option("--verbatim", help="Single readings only say what stands in their slate.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write everything there as JSON, too.")] = None,
    save: Annotated[
        Path | None, typer.Option(help="Keep the council's ballots there, for revote, report, calibrate.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Put the starter's test questions and reading set to the council, its parts and retrieval alone.

    All tables take an hour on two cores; each says what it is.
    """
    from proxycouncil.council.cli.tables import print_tables
    from proxycouncil.council.measure import Bench
    from proxycouncil.council.saving import opened_runs

    with ExitStack() as stack:
        council = stack.enter_context(process_of(ctx).open(config))
        generator = (
            stack.enter_context(_direct_engine(council.config.family.base, direct)) if direct else None
        )
        runs = stack.enter_context(opened_runs(save)) if save else None
        bench = Bench(
            council, direct=generator, limit=limit, verbatim=verbatim, progress=_progress, runs=runs,
            target_risk=target_risk,
        )  # fmt: skip
        measured = bench.measure(_tables(tables), arms=_names(arms))
    if out:
        out.write_text(json.dumps(measured), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(measured))
    else:
        print_tables(measured)


def _tables(names: str | None) -> Sequence[Table]:
    from proxycouncil.council.measure import TABLES

    wanted = _names(names)
    unknown = set(wanted) - set(TABLES)
    if unknown:
        raise UsageError(f"no table is called {min(unknown)!r}", hint=f"tables are {', '.join(TABLES)}")
    return [table for table in TABLES if not wanted or table in wanted]


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _direct_engine(base: str, adapter: Path) -> Engine:
    """The base as a small model whose only expert is the directly tuned adapter."""
    from proxycouncil.specialists import Engine, Family

    return Engine(Family(base, base, experts={"direct": adapter}))


def _progress(arm: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"\r{arm}: {done}/{total}\x1b[K{chr(10) if done == total else ''}", err=True, nl=False)
    elif done == total:
        typer.echo(f"{arm}: {total} replies", err=True)
