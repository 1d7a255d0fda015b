"""`council report`: what a file of votes says about its council, on the terminal, as JSON or as a page."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from proxycouncil.council.cli.revote import FitFile, MemberNames, VotesFile, named
from proxycouncil.council.cli.running import Debug
from proxycouncil.errors import UsageError


def report(
    file: VotesFile,
    *,
    members: MemberNames = None,
    fit: FitFile = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write one self-contained page.")] = None,
    draws: Annotated[int, typer.Option(min=1, help="Councils of each size.")] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Report on saved votes, in the terminal or HTML.

    Rules, reliability, risk and coverage, members, councils of every size.
    """
    from proxycouncil.eval.polls import members_of
    from proxycouncil.eval.report import report as measured
    from proxycouncil.eval.runs import read_polls

    names = named(members)
    cases = read_polls(file, members=names)
    fitted_on = None if fit is None else read_polls(fit, members=names)
    found = measured(
        cases, names or members_of(cases), fit_on=fitted_on, records=_own_runs(file), draws=draws
    )
    if html is not None:
        _write_page(html, found, file.name)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        _print(found)


def _own_runs(file: Path) -> list[dict[str, Any]]:
    """The lines of a council's own runs, which say who was asked in which order; none of any other file."""
    from proxycouncil.eval.splits import read_records

    records = list(read_records(file))
    return records if all("route" in record and "ballots" in record for record in records) else []


def _write_page(target: Path, found: dict[str, Any], name: str) -> None:
    from proxycouncil.eval.report_page import page

    try:
        target.write_text(page(found, name=name), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"can't write {target}: {error.strerror}", hint="name another file") from error


def _print(found: dict[str, Any]) -> None:
    from proxycouncil.council.rendering import console_for, plain_table

    console = console_for(sys.stdout)
    joint = found["rules"]["joint"]
    console.print(
        f"{found['questions']} questions, {len(found['members'])} members worth "
        f"{_shown(joint['n_eff_equal'])} independent votes; nobody right on {joint['none_right']:.1%}\n"
    )
    columns = ("accuracy", "ece", "auroc", "brier", "p_none")
    rules = plain_table("rule", *columns)
    for name, one in found["rules"].items():
        rules.add_row(name, *(_shown(one[key]) for key in columns))
    each = plain_table("member", "right", "abstained", "with council", "weight")
    for row in sorted(found["per_member"], key=lambda row: (-row["weight"], row["member"])):
        each.add_row(
            row["member"], *(f"{row[key]:.3f}" for key in ("accuracy", "abstained", "with_council", "weight"))
        )
    bins = plain_table("confidence", "right", "questions")
    for row in found["reliability"]:
        bins.add_row(f"{row['confidence']:.3f}", f"{row['accuracy']:.3f}", str(row["questions"]))
    answered = plain_table("share answered", "wrong among those", "from confidence")
    for row in _spread(found["risk_coverage"]):
        answered.add_row(f"{row['coverage']:.3f}", f"{row['risk']:.3f}", f"{row['threshold']:.3f}")
    costed = [key for key in ("readings", "tokens") if key in found["sizes"][0]]
    headings = ("joint", "majority", "best member", "effective votes", "nobody right", *costed)
    sizes = plain_table("first members asked" if costed else "members", *headings)
    for row in found["sizes"]:
        keys = ("joint", "majority", "best", "n_eff", "none_right")
        costs = [f"{row[key]:.1f}" for key in costed]
        sizes.add_row(str(row["size"]), *(f"{row[key]:.3f}" for key in keys), *costs)
    for table in (rules, each, bins, answered, sizes):
        console.print(table, crop=False)
        console.print()


def _spread(points: list[dict[str, float]], rows: int = 10) -> list[dict[str, float]]:
    """So many points of a curve, the last one among them."""
    step = max(1, len(points) // rows)
    return points[::-1][::step][::-1]


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
