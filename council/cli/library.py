"""`council ingest` and `council inspect`: what goes into the library, and what is in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxycouncil.council.cli.running import ConfigFile, Debug, process_of
from proxycouncil.errors import UnknownDomainError, UsageError

if TYPE_CHECKING:
    from proxycouncil.council.config import CouncilConfig
    from proxycouncil.council.council import Council
    from proxycouncil.retrieval.ingest import IngestReport, Progress
    from proxycouncil.retrieval.library import Library

FAILED = 2


def ingest(
    ctx: typer.Context,
    domain: Annotated[str, typer.Argument(help="A specialist of council.toml.")],
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Markdown and text files, and folders of them.")
    ] = None,
    *,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Take documents into a domain.

    Without paths, those that council.toml names. Doing it again changes nothing; changed and vanished files
    are noticed.
    """
    with process_of(ctx).open_draft(config) as council:
        documents = _documents(domain, paths or [], council.config)
        library = library_of(council)
        with _progress_bar() as progress:
            report = library.ingest(
                domain, *documents, sentences=council.config.retrieval.slate == "sentences", progress=progress
            )
    _tell(report)
    raise typer.Exit(FAILED if report.failed else 0)


def library_of(council: Council) -> Library:
    """The council's library, where it has one of its own to write to."""
    from proxycouncil.retrieval.library import Library

    found = council.library
    if not isinstance(found, Library):
        raise UsageError("this council's searcher can't be written", hint="set [retrieval] in council.toml")
    return found


def _documents(domain: str, paths: Sequence[Path], config: CouncilConfig) -> Sequence[Path]:
    specialist = config.specialists.get(domain)
    if specialist is None:
        names = ", ".join(config.specialists) or "none yet"
        raise UnknownDomainError(
            f"no specialist is called {domain!r}; there are {names}",
            hint=f"add [specialists.{domain}] to council.toml",
        )
    documents = paths or specialist.documents
    if not documents:
        raise UsageError(
            f"no documents for {domain}", hint=f"name some, or set specialists.{domain}.documents"
        )
    return documents


@contextmanager
def _progress_bar() -> Iterator[Progress]:
    """A bar on stderr; rich leaves it out where there is no terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("embedding", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _tell(report: IngestReport) -> None:
    """What became of the documents: counts on stdout, what went wrong on stderr."""
    parts = {
        "added": report.added,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "removed": report.removed,
    }
    counts = ", ".join(f"{len(sources)} {name}" for name, sources in parts.items())
    typer.echo(f"{report.domain}: {counts}; {report.passages} passages written")
    if report.skipped:
        typer.echo(f"skipped, of no readable kind: {', '.join(report.skipped)}", err=True)
    for source, reason in report.failed.items():
        typer.echo(f"error: {source}: {reason}", err=True)


def inspect(
    ctx: typer.Context,
    question: Annotated[str | None, typer.Argument(help="Show what would be routed and read for it.")] = None,
    *,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Show members, library and settings.

    With a question: who would be asked, and what all of them would read first.
    """
    from proxycouncil.council.inspection import members_table, settings_table, show_library, show_question
    from proxycouncil.council.rendering import console_for

    console = console_for(sys.stdout)
    with process_of(ctx).open(config) as council:
        if question is not None:
            show_question(console, council, question)
            return
        console.print(members_table(council.config))
        console.print()
        show_library(console, council.library)
        console.print()
        console.print(settings_table(council.config))
