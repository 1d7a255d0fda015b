"""`council doctor`: what a council needs, checked one by one, each with its cure."""

from __future__ import annotations

import sys
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from proxycouncil.council.cli.running import ConfigFile, Debug, process_of

if TYPE_CHECKING:
    from rich.text import Text

    from proxycouncil.council.checks import Check

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    ctx: typer.Context,
    *,
    config: ConfigFile = None,
    memory: Annotated[
        bool, typer.Option("--memory", help="Load the weights, let every member write, and look at memory.")
    ] = False,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Check what a council needs, with cures.

    Packages, weights, embedder, library, disk and threads; exit code 2 if anything fails. With --memory
    also what is held while all members write at once, against weights once and caches as computed.
    """
    from rich.text import Text

    from proxycouncil.council.checks import examine, examined
    from proxycouncil.council.memory import weigh
    from proxycouncil.council.rendering import console_for, one_line

    console = console_for(sys.stdout)
    failed = False
    with process_of(ctx).open(config) as council:
        weighed = [("memory", partial(weigh, council.config))] if memory else []
        for check in chain(examine(council), examined(weighed)):
            failed = failed or check.status == "fail"
            console.print(_line(check))
            if check.cure:
                console.print(Text(f"       → {one_line(check.cure)}", style="dim"))
    raise typer.Exit(2 if failed else 0)


def _line(check: Check) -> Text:
    from rich.text import Text

    from proxycouncil.council.rendering import one_line

    line = Text(f"{check.status:<5}", style=_STYLES[check.status])
    return line.append(f" {check.name:<18} {one_line(check.detail)}", style="default")
