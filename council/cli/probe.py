"""`council probe`: has a model changed behind our back, of a provider for example?"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxycouncil.council.cli.regress import progress_of
from proxycouncil.council.cli.running import ConfigFile, Debug, Process, process_of
from proxycouncil.errors import UsageError

if TYPE_CHECKING:
    from proxycouncil.eval.probe import Probe

CHANGED = 1
"""Exit code where answers changed by more than they vary anyway."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def probe(
    ctx: typer.Context,
    questions: Annotated[Path, typer.Argument(help="JSON Lines with a question each, or a folder of them.")],
    *,
    folder: Annotated[
        Path, typer.Option("--folder", help="Where the first answers and the log are kept.")
    ] = Path("probe"),
    schedule: Annotated[
        str | None, typer.Option("--schedule", help="Ask again and again, as 30m, 6h or 1d says; else once.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="An even spread of them.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each comparison as a JSON object.")] = False,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Ask again and say whether a model has changed.

    The first time the questions are asked twice, which says how much answers vary anyway. Later answers and
    their log-probabilities are compared with the first; exit code 1 where they changed by more. With
    --schedule it goes on until it is interrupted, and each line of log.jsonl is one comparison.
    """
    process, pause = process_of(ctx), None if schedule is None else seconds_of(schedule)
    while True:
        found = _once(process, config, questions, folder=folder, limit=limit)
        if found is not None:
            _tell(found, as_json=as_json)
        if pause is None:
            break
        _sleep(pause)
    if found is not None and found.changed:
        raise typer.Exit(CHANGED)


def seconds_of(text: str) -> int:
    """`30m`, `6h`, `1d` in seconds."""
    found = re.fullmatch(r"(\d+)([smhd])", text.strip())
    if not found or not int(found[1]):
        raise UsageError(f"--schedule takes 30m, 6h or 1d, not {text!r}", hint="or leave it to cron")
    return int(found[1]) * _UNITS[found[2]]


_sleep: Callable[[float], None] = time.sleep


def _once(
    process: Process, config: Path | None, place: Path, *, folder: Path, limit: int | None
) -> Probe | None:
    """One asking; None where it was the first."""
    from proxycouncil.council.comparing import asked, questions_at, read_runs
    from proxycouncil.eval.probe import probe as compare

    first, again = folder / "first.jsonl", folder / "again.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    put = questions_at(place, limit=limit)
    with process.open(config) as council:
        for file in (first, again):
            if not file.is_file():
                unfinished = file.with_suffix(".part")
                unfinished.unlink(missing_ok=True)
                asked(council, put, keep=unfinished, progress=progress_of(file.stem))
                unfinished.rename(file)
                if file == again:
                    typer.echo(f"kept in {folder}: from now on answers are compared with these", err=True)
                    return None
        found = compare(read_runs(first), read_runs(again), asked(council, put, progress=progress_of("now")))
    line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **asdict(found)}
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
    return found


def _tell(found: Probe, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        sys.stdout.flush()
        return
    answers, logprobs = found.answers, found.logprobs
    typer.echo(
        f"{'changed' if found.changed else 'unchanged'}: {answers.now:.1%} of {answers.questions} answers "
        f"differ (at the start {answers.noise:.1%}, p = {answers.p:.2g}); log-probabilities by "
        f"{logprobs.now:.2g} nats a token (at the start {logprobs.noise:.2g}, p = {logprobs.p:.2g})"
        + (f"; {found.failed} questions failed" if found.failed else "")
    )
