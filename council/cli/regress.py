"""`council regress`: is the new version worse than the old one, where, and what else has changed?"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxycouncil.council.cli.running import Debug, Process, process_of
from proxycouncil.errors import UsageError

if TYPE_CHECKING:
    from proxycouncil.council.comparing import Progress
    from proxycouncil.council.questions import Question
    from proxycouncil.eval.regress import Compared, Regression

WORSE = 1
"""Exit code where the new version is worse."""

QuestionsPlace = Annotated[
    Path | None,
    typer.Option(
        "--questions",
        "-q",
        help='JSON Lines with "accepted" or "gold", or a folder of DOMAIN.jsonl, of which the test part '
        "is asked; by default questions/ beside council.toml.",
    ),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="An even spread of so many questions.")]
Changed = Annotated[
    str | None,
    typer.Option(
        "--changed", help="Domains meant to change, with commas; the rest is tested for forgetting."
    ),
]
Margin = Annotated[
    float, typer.Option("--margin", min=0.001, max=0.5, help="A loss that could be borne, as a share.")
]


def regress(
    ctx: typer.Context,
    old: Annotated[str, typer.Argument(help="A council.toml, council.toml@VERSION, starter, or saved runs.")],
    new: Annotated[str, typer.Argument(help="The same, of the new version.")],
    *,
    questions: QuestionsPlace = None,
    limit: Limit = None,
    changed: Changed = None,
    margin: Margin = 0.05,
    save: Annotated[
        Path | None, typer.Option("--save", help="Folder for the runs made here: old.jsonl, new.jsonl.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Compare two versions on the same questions.

    Better, same or worse, over all and in each domain; answers that changed although what was read did not;
    tokens and seconds. A council is asked; saved runs (`council ask --save`) are read, and the other side
    is then asked their questions. Exit code 1 where the new version is worse.
    """
    from proxycouncil.eval.regress import regress as compare

    before, after = _runs(process_of(ctx), old, new, questions=questions, limit=limit, save=save)
    found = compare(before, after, changed=named(changed), margin=margin)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        print_regression(found)
    if found.verdict == "worse":
        raise typer.Exit(WORSE)


def named(text: str | None) -> list[str]:
    """The names of a list with commas."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def progress_of(name: str) -> Progress:
    """A counter on standard error."""

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty():
            typer.echo(
                f"\r{name}: {done}/{total}\x1b[K{chr(10) if done == total else ''}", err=True, nl=False
            )
        elif done == total:
            typer.echo(f"{name}: {total} answers", err=True)

    return show


def print_regression(found: Regression) -> None:
    """The tables, and the verdict last."""
    from proxycouncil.council.rendering import console_for, pairs_table, plain_table

    console = console_for(sys.stdout)
    columns = ("", "questions", "old", "new", "difference", "better", "worse", "p", "would see", "verdict")
    table = plain_table(*columns)
    for one in (*found.overall, *found.domains):
        table.add_row(*_row(one))
    console.print(table, crop=False)
    console.print()
    console.print(pairs_table(_lines(found)))


def _row(one: Compared) -> Sequence[str]:
    low, high = one.difference.low, one.difference.high
    return (
        one.name,
        str(one.questions),
        f"{one.old:.1%}",
        f"{one.new:.1%}",
        f"{one.difference.estimate:+.1%} [{low:+.1%}, {high:+.1%}]",
        str(one.better),
        str(one.worse),
        "–" if one.p is None else f"{one.p:.3f}",
        f"{-one.detectable:.1%}",
        one.verdict,
    )


def _lines(found: Regression) -> dict[str, str]:
    drift = found.drift
    lines = {
        "drift": f"{drift.changed.estimate:.1%} [{drift.changed.low:.1%}, {drift.changed.high:.1%}] of "
        f"{drift.same_passages} answers changed though what was read did not: {drift.right_to_wrong} right → "
        f"wrong, {drift.wrong_to_right} wrong → right"
    }
    for name, cost in found.cost.items():
        ratio = "" if cost.ratio is None else f" (× {cost.ratio.estimate:.2f} [{cost.ratio.low:.2f}, "
        ratio += "" if cost.ratio is None else f"{cost.ratio.high:.2f}])"
        lines[name.replace("_", " ")] = f"{cost.old:.4g} → {cost.new:.4g} a question{ratio}"
    if found.unpaired:
        lines["left out"] = f"{found.unpaired} questions that only one of the two was asked"
    return lines | {"verdict": "; ".join((found.verdict, *found.reasons))}


def _runs(
    process: Process, old: str, new: str, *, questions: Path | None, limit: int | None, save: Path | None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The runs of both: those that are saved first, since they say what the other is asked."""
    from proxycouncil.council.comparing import questions_of_runs, read_runs

    saved = {side: read_runs(Path(side)) for side in {old, new} if not _is_council(side)}
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
    put = next((questions_of_runs(runs) for runs in saved.values()), None)
    found: list[list[dict[str, Any]]] = []
    for name, side in (("old", old), ("new", new)):
        if side in saved:
            found.append(saved[side])
            continue
        keep = save / f"{name}.jsonl" if save else None
        put, runs = _ask(process, side, put, place=questions, limit=limit, keep=keep, name=name)
        found.append(runs)
    return found[0], found[1]


def _ask(
    process: Process,
    side: str,
    put: list[Question] | None,
    *,
    place: Path | None,
    limit: int | None,
    keep: Path | None,
    name: str,
) -> tuple[list[Question], list[dict[str, Any]]]:
    from proxycouncil.council.comparing import asked, default_questions, questions_at

    with process.open(Path(side)) as council:
        if put is None:
            put = questions_at(place or default_questions(council), limit=limit)
        return put, asked(council, put, keep=keep, progress=progress_of(name))


def _is_council(side: str) -> bool:
    """Whether it is asked rather than read."""
    path, _, version = side.rpartition("@")
    if side == "starter" or side.endswith(".toml") or (version and path.endswith(".toml")):
        return True
    if not Path(side).is_file():
        raise UsageError(
            f"{side} is neither a council.toml nor a file of saved runs",
            hint="OLD and NEW are one of the two",
        )
    return False
