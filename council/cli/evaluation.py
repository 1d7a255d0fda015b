"""`council eval`: measure a council beside its parts."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxycouncil.council.cli.running import ConfigFile, Debug, process_of

if TYPE_CHECKING:
    from rich.table import Table

_PERCENT = ("answered", "right", "precision", "declined_out_of_scope")


def create_group() -> typer.Typer:
    """The commands below `council eval`."""
    group = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, help="Measure a council beside its parts."
    )
    group.callback()(_group)
    group.command("starter")(starter)
    return group


def _group() -> None:
    """Measure a council beside its parts."""


def starter(
    ctx: typer.Context,
    *,
    limit: Annotated[int | None, typer.Option(min=1, help="An even spread of so many questions.")] = None,
    arms: Annotated[str | None, typer.Option(help="Just those, comma between them.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Put the starter's test questions to the council, to its parts and to retrieval alone."""
    from proxycouncil.council.measure import PAIRS, questions_folder
    from proxycouncil.council.measure import arms as arms_of
    from proxycouncil.eval.starter import load_material, report

    only = [name.strip() for name in (arms or "").split(",") if name.strip()]
    material = load_material(questions_folder(), limit=limit)
    with process_of(ctx).open(config) as council:
        measured = report(arms_of(council, only=only), material, pairs=PAIRS, progress=_progress)
    if as_json:
        typer.echo(json.dumps(measured))
    else:
        _print(measured)


def _progress(arm: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"\r{arm}: {done}/{total}\x1b[K{chr(10) if done == total else ''}", err=True, nl=False)
    elif done == total:
        typer.echo(f"{arm}: {total} replies", err=True)


def _print(measured: dict[str, Any]) -> None:
    from proxycouncil.council.rendering import console_for

    console = console_for(sys.stdout)
    console.print(f"{measured['questions']} questions in scope, {measured['out_of_scope']} out of scope\n")
    console.print(_scores(measured["arms"]), crop=False)
    console.print()
    console.print(_comparisons(measured["comparisons"]), crop=False)


def _scores(arms: list[dict[str, Any]]) -> Table:
    """95 % Wilson intervals in brackets."""
    from proxycouncil.council.rendering import plain_table

    table = plain_table("arm", "answered", "right", "right of answered", "declined out of scope", "seconds")
    for arm in arms:
        table.add_row(arm["arm"], *(_share(arm[key]) for key in _PERCENT), f"{arm['seconds']:.0f}")
    return table


def _comparisons(comparisons: list[dict[str, Any]]) -> Table:
    from proxycouncil.council.rendering import plain_table

    table = plain_table("difference in right", "all questions", "where both answer", "both")
    for one in comparisons:
        name = f"{one['first']} − {one['second']}"
        table.add_row(name, _share(one["right"]), _share(one["when_both_answer"]), str(one["both_answered"]))
    return table


def _share(interval: dict[str, float]) -> str:
    return f"{interval['estimate']:.1%} [{interval['low']:.1%}, {interval['high']:.1%}]"
