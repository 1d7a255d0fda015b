"""`council read`: a question about one long document, by a plan that may be edited first."""

from __future__ import annotations

import hashlib
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxycouncil.council.cli.running import ConfigFile, Debug, process_of
from proxycouncil.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxycouncil.council.council import Council
    from proxycouncil.council.long_reading import Result
    from proxycouncil.council.reading_plan import Step
    from proxycouncil.council.rendering import Locate
    from proxycouncil.retrieval.library import Library

_DOMAIN = "document"


def read(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="The document, of any kind that `council ingest` reads.")],
    question: Annotated[str | None, typer.Argument(help="May have several parts.")] = None,
    *,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="Carry out this plan instead of making one.")
    ] = None,
    plan_only: Annotated[
        bool, typer.Option("--plan-only", help="Print the plan, to be edited and given back by --plan.")
    ] = False,
    model: Annotated[
        str | None, typer.Option("--model", help="A chat model that plans, openai:gpt-5 for example.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a step.")] = False,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Answer a question about a long document by a plan.

    Each step is a question that the council votes on, and is cited: find, list, count, compare, summarise.
    """
    from proxycouncil.council.long_reading import Focus, LongReading, readers_of, reading_council
    from proxycouncil.council.reading_plan import format_plan
    from proxycouncil.council.rendering import place_of

    steps = _steps(question, plan, model)
    if plan_only:
        typer.echo(format_plan(steps), nl=False)
        return
    with process_of(ctx).open(config) as council, _library(file, council) as library:
        focus = Focus(library, [name for name in council.members if name != "general"])
        members = readers_of(council, question or steps[0].text)
        with reading_council(council, focus) as reading:
            results = LongReading(reading, focus, library, members).carry_out(steps)
            _tell(results, partial(place_of, find=library.resolve), as_json=as_json)


def _steps(question: str | None, plan: Path | None, model: str | None) -> list[Step]:
    from proxycouncil.council.question_models import open_model
    from proxycouncil.council.reading_plan import parse_plan, plan_by_model, plan_by_rule

    if plan is not None:
        try:
            return parse_plan(plan.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"can't read the plan {plan}: {error}", hint="--plan-only prints one") from error
    if question is None or not question.strip():
        raise UsageError("no question and no plan", hint='council read FILE "…"')
    return plan_by_model(question, open_model(model)) if model else plan_by_rule(question)


def _library(file: Path, council: Council) -> Library:
    """The document alone, embedded once: kept in the user's cache by its place and content."""
    import platformdirs

    from proxycouncil.retrieval.library import Library

    if not file.is_file():
        raise UsageError(f"{file}: no such file", hint="name a document")
    place = hashlib.sha256(f"{file.resolve()} {council.library.embedder_fingerprint}".encode()).hexdigest()
    home = platformdirs.user_cache_path("proxycouncil") / "read" / place[:16]
    library = Library(home, embedder=council.config.retrieval.embedder, root=file.resolve().parent)
    try:
        report = library.ingest(_DOMAIN, file)
        if report.failed:
            raise UsageError("; ".join(report.failed.values()), hint="see docs/documents.md")
    except BaseException:
        library.close()
        raise
    return library


def _tell(results: Iterable[Result], locate: Locate, *, as_json: bool) -> None:
    from proxycouncil.council.rendering import citation_line, console_for, one_line

    console = console_for(sys.stdout)
    for number, result in enumerate(results, start=1):
        if as_json:
            step = {"step": number, "action": result.step.action, "asked": result.step.text}
            typer.echo(json.dumps({**step, "items": result.items, "citations": result.citations}))
            continue
        console.print(f"{number}. {result.step.action}: {one_line(result.step.text)}", style="bold")
        for item in result.items or (result.text,):
            console.print(f"   {one_line(item)}")
        if result.step.action not in ("count", "compare"):
            for place, cited in enumerate(result.citations, start=1):
                console.print(citation_line(place, cited, locate=locate))
