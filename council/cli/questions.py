"""`council questions`: cases for tuning and calibration from the documents themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxycouncil.council.cli.library import library_of
from proxycouncil.council.cli.running import ConfigFile, Debug, process_of
from proxycouncil.errors import UnknownDomainError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxycouncil.council.question_making import Made


def questions(
    ctx: typer.Context,
    domain: Annotated[
        str | None, typer.Argument(help="A specialist with documents in the library; all when left out.")
    ] = None,
    *,
    model: Annotated[
        str | None, typer.Option("--model", help="A chat model that asks too, openai:gpt-5 for example.")
    ] = None,
    per_passage: Annotated[int, typer.Option("--per-passage", min=1, help="At most so many of each.")] = 4,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Ask about so many passages, evenly chosen.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder; by default questions beside council.toml.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Another number gives another choice.")] = 0,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Make questions from a domain's documents.

    By rule, and by a chat model where one is named. Each is kept only where its passage holds the answer
    verbatim. `council tune` reads DOMAIN.jsonl, `council calibrate` reads calibration/all.jsonl.
    """
    from proxycouncil.council.question_making import make_questions, write_questions
    from proxycouncil.council.question_models import open_model

    asker = open_model(model) if model else None
    with process_of(ctx).open(config) as council:
        library = library_of(council)
        folder = out or _default_folder(council.config.directory)
        for name in _named(domain, library.domains):
            passages = library.passages(name)
            some = passages if limit is None else passages[:: max(1, -(-len(passages) // limit))]
            made = make_questions(name, some, model=asker, per_passage=per_passage, seed=seed)
            calibration = write_questions(made, folder / f"{name}.jsonl")
            _tell(made, folder / f"{name}.jsonl")
    tuned = domain or "DOMAIN"
    typer.echo(f"next: council tune {tuned} --use; council calibrate {calibration} --use", err=True)


def _default_folder(directory: Path) -> Path:
    """Beside council.toml; the embedded starter's own questions are part of the package and left alone."""
    from proxycouncil.council import starter

    return Path("questions") if directory.is_relative_to(starter.DIRECTORY) else directory / "questions"


def _named(domain: str | None, held: Sequence[str]) -> Sequence[str]:
    if not held or (domain is not None and domain not in held):
        raise UnknownDomainError(
            f"the library has no domain {domain!r}" if domain else "the library holds no documents",
            hint=f"it holds {', '.join(held)}" if held else "council ingest",
        )
    return held if domain is None else [domain]


def _tell(made: Made, file: Path) -> None:
    """The rate kept, by kind and by reason."""
    proposed = made.proposed.total()
    rate = len(made.questions) / proposed if proposed else 0.0
    parts = ", ".join(f"{made.parts[name]} {name}" for name in ("tuning", "calibration", "test"))
    kept = f"{len(made.questions)} of {proposed} kept ({rate:.0%}) from {made.passages} passages"
    typer.echo(f"{made.domain}: {kept}: {parts}")
    for kind, count in made.kept.most_common():
        typer.echo(f"  {count:5d} {kind}", err=True)
    for why, count in made.dropped.most_common():
        typer.echo(f"  {count:5d} dropped, {why}", err=True)
    typer.echo(f"wrote {file}", err=True)
