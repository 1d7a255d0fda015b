"""The table of commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer
from typer.core import TyperOption
from typer.main import get_command

from proxycouncil import __version__
from proxycouncil.council.cli import (
    ask,
    calibrate,
    chat,
    deploy,
    doctor,
    doors,
    evaluation,
    library,
    probe,
    project,
    questions,
    read,
    regress,
    report,
    revote,
    tune,
    versions,
)
from proxycouncil.council.cli.running import Debug, Process, guarded
from proxycouncil.council.cli.screen import Screen

_FOR_THOSE_WHO_KNOW = frozenset({"debug", "show_completion", "install_completion", "version"})


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"council {__version__}")
        raise typer.Exit


def _root(
    *,
    debug: Debug = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A council of proxy-tuned specialists, honest about what it does not know."""


def create_app() -> typer.Typer:
    """Every command under its name; nothing is imported or opened before one runs."""
    app = typer.Typer(
        name="council",
        cls=Screen,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    app.command("new")(project.new)
    app.command("ask")(ask.ask)
    app.command("chat")(chat.chat)
    app.command("read")(read.read)
    app.command("ingest")(library.ingest)
    app.command("inspect")(library.inspect)
    app.command("questions")(questions.questions)
    app.command("tune")(tune.tune)
    app.command("serve")(doors.serve)
    app.command("deploy")(deploy.deploy)
    app.command("mcp")(doors.mcp)
    app.command("graph")(project.graph)
    app.command("doctor")(doctor.doctor)
    app.command("calibrate")(calibrate.calibrate)
    app.command("regress")(regress.regress)
    app.command("versions")(versions.versions)
    app.command("promote")(versions.promote)
    app.command("rollback")(versions.rollback)
    app.command("probe")(probe.probe)
    app.command("revote")(revote.revote)
    app.command("report")(report.report)
    app.add_typer(evaluation.create_group(), name="eval")
    return app


def run(arguments: Sequence[str], process: Process | None = None) -> int:
    """Run one command line and return the exit code."""
    process = process or Process()
    command = get_command(create_app())
    for option in command.params:
        # Help fits one screen: every command shows --debug, and some are known without it.
        if isinstance(option, TyperOption) and option.name in _FOR_THOSE_WHO_KNOW:
            option.hidden = True

    def work() -> int:
        try:
            command.main(list(arguments), prog_name="council", obj=process)
        except SystemExit as leaving:
            return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        return 0

    return guarded(work, process)
