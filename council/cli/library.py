"""`council ingest` and `council inspect`: what goes into the library, and what is in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from proxycouncil.council.cli.running import ConfigFile, Debug, fallen, process_of
from proxycouncil.errors import UnknownDomainError, UsageError

if TYPE_CHECKING:
    from proxycouncil.council.config import CouncilConfig
    from proxycouncil.council.council import Council
    from proxycouncil.graphs.state import Citation
    from proxycouncil.retrieval.ingest import Advance, IngestReport, Progress
    from proxycouncil.retrieval.library import Library

FAILED = 2


def ingest(
    ctx: typer.Context,
    domain: Annotated[
        str | None, typer.Argument(help="A specialist of council.toml; all of them when left out.")
    ] = None,
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files, and folders of them, instead of council.toml's.")
    ] = None,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay, and follow what changes in these folders.")
    ] = False,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Take documents into the library.

    PDF, Word, PowerPoint, Excel, HTML, EPUB, Markdown, text and code. Doing it again changes
    nothing: changed, moved and vanished files are noticed. What can't be read is named, the rest goes in.
    """
    with process_of(ctx).open_draft(config) as council:
        wanted = _wanted(domain, paths or [], council.config)
        failed = [_ingest(council, one, documents) for one, documents in wanted.items()]
    if watch:
        from proxycouncil.council.cli.watching import follow, touched

        def again(one: str) -> None:
            with process_of(ctx).open_draft(config) as council:
                _ingest(council, one, wanted[one])

        follow(touched(wanted), again)
    raise typer.Exit(FAILED if any(failed) else 0)


def _wanted(domain: str | None, paths: Sequence[Path], config: CouncilConfig) -> Mapping[str, Sequence[Path]]:
    """Which documents go into which domain."""
    if domain is not None:
        return {domain: _documents(domain, paths, config)}
    named = {name: one.documents for name, one in config.specialists.items() if one.documents}
    if not named:
        raise UsageError("no specialist names documents", hint="set specialists.NAME.documents")
    return named


def _ingest(council: Council, domain: str, documents: Sequence[Path]) -> bool:
    """Whether something failed."""
    library = library_of(council)
    sentences = council.config.retrieval.slate == "sentences"
    with _progress_bar(domain) as progress:
        report = library.ingest(domain, *documents, sentences=sentences, progress=progress)
    _tell(report)
    if not (report.unchanged or report.passages or report.failed or report.removed):
        typer.echo(f"nothing to read in {', '.join(map(str, documents))}", err=True)
    return bool(report.failed)


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
def _progress_bar(domain: str) -> Iterator[Progress]:
    """A bar on stderr with rate and remaining time; rich leaves it out where there is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[files]} files, {task.fields[passages]} passages, {task.fields[rate]}/s"),
        TimeRemainingColumn(),
    )
    started = perf_counter()

    def tell(advance: Advance) -> None:
        bar.update(
            task,
            completed=advance.bytes_done,
            total=advance.bytes,
            files=f"{advance.files_done} of {advance.files}",
            passages=f"{advance.passages:,}",
            rate=f"{advance.passages / (perf_counter() - started):.0f}",
        )

    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(domain, total=None, files="looking at", passages="0", rate="–")
        yield tell


def _tell(report: IngestReport) -> None:
    """What became of the documents: counts on stdout; what was left out, and what failed, on stderr."""
    parts = {
        "added": report.added,
        "changed": report.changed,
        "moved": report.moved,
        "unchanged": report.unchanged,
        "removed": report.removed,
    }
    counts = ", ".join(f"{len(found)} {name}" for name, found in parts.items() if found or name != "moved")
    unread = f", {len(report.failed)} not read" if report.failed else ""
    typer.echo(f"{report.domain}: {counts}{unread}; {report.passages} passages written")
    for source, before in report.moved.items():
        typer.echo(f"moved: {before} → {source}", err=True)
    if report.skipped:
        typer.echo(f"skipped, of no readable kind: {', '.join(report.skipped)}", err=True)
    for source, notes in report.notes.items():
        typer.echo(f"note: {source}: {'; '.join(notes)}", err=True)
    for source, why in report.failed.items():
        told = why.removeprefix(f"{source}: ").removeprefix(f"{Path(source).name}: ")
        typer.echo(f"error: {source}: {told}", err=True)


def inspect(
    ctx: typer.Context,
    question: Annotated[str | None, typer.Argument(help="Show what would be routed and read for it.")] = None,
    *,
    cited: Annotated[
        Path | None, typer.Option("--cited", help="Saved answers: say which citations no longer stand.")
    ] = None,
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
        if cited is not None:
            _tell_cited(council, cited)
            return
        if question is not None:
            show_question(console, council, question)
            return
        console.print(members_table(council.config))
        console.print()
        show_library(console, council.library)
        console.print()
        console.print(settings_table(council.config))


def _tell_cited(council: Council, file: Path) -> None:
    """Each citation of a file of answers that can't be looked up as it was read, and how many can."""
    from proxycouncil.council.rendering import one_line, place_of

    citations = list(_citations(file))
    lost = [(one, said) for one in citations if (said := fallen(council.library, one))]
    for one, said in lost:
        typer.echo(f"{one_line(place_of(one))}{said}: “{one_line(one['quote'], 80)}”")
    typer.echo(f"{len(citations) - len(lost)} of {len(citations)} citations stand")


def _citations(file: Path) -> Iterator[Citation]:
    """Of JSON Lines: events of `council ask --json`, or runs of `--save`."""
    from proxycouncil.eval.splits import read_records

    for record in read_records(file):
        decision = record.get("decision", record)
        yield from decision.get("citations", []) if isinstance(decision, dict) else []
