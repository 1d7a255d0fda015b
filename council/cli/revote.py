"""`council revote`: decide saved votes again, by any rule, without a model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxycouncil.council.cli.running import Debug
from proxycouncil.errors import UsageError

if TYPE_CHECKING:
    from proxycouncil.eval.revote import Revote

VotesFile = Annotated[
    Path,
    typer.Argument(
        help='Saved runs (--save), or {"id", "gold", "answers": {member: answer or null}} a line.'
    ),
]
RuleName = Annotated[
    str,
    typer.Option("--rule", "-r", help="joint, auto, best, majority, majority-best, cold or log-odds."),
]
MemberNames = Annotated[str | None, typer.Option("--members", "-m", help="Only their votes: a,b,c.")]
FitFile = Annotated[
    Path | None,
    typer.Option("--fit", help="Fit on these votes; by default five-fold cross-validation on FILE itself."),
]


def revote(
    file: VotesFile,
    *,
    rule: RuleName = "joint",
    members: MemberNames = None,
    fit: FitFile = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write a line per question: answer, confidence, P(none of these)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as one JSON object.")] = False,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Decide saved votes again, without a model.

    By any rule; says how right and how honest it is.

    The joint rule always names the likeliest answer, with its probability as confidence and the probability
    that no answer is right apart from it; it names nothing only where nobody voted.
    """
    from proxycouncil.eval.revote import figures

    voted = revoted(file, rule=rule, members=members, fit=fit)
    found = figures(voted, rule=rule)
    if out is not None:
        _write(out, voted)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        _print(found)


def revoted(file: Path, *, rule: str, members: str | None, fit: Path | None) -> Revote:
    """The votes of a file, decided again."""
    from proxycouncil.eval.polls import members_of
    from proxycouncil.eval.revote import revote as decide_again
    from proxycouncil.eval.rules import rule_called
    from proxycouncil.eval.runs import read_polls

    chosen, names = rule_called(rule), named(members)
    cases = read_polls(file, members=names)
    fitted_on = None if fit is None else read_polls(fit, members=names)
    seats = names or members_of([*cases, *(fitted_on or ())])
    return decide_again(cases, chosen, members=seats, fit_on=fitted_on)


def named(members: str | None) -> tuple[str, ...]:
    """The members of `--members`, each once."""
    names = tuple(dict.fromkeys(name.strip() for name in (members or "").split(",") if name.strip()))
    if members is not None and not names:
        raise UsageError("--members names nobody", hint="--members a,b,c")
    return names


def _write(file: Path, voted: Revote) -> None:
    lines = [
        {
            "id": case.id,
            "answer": case.poll.candidates[verdict.leading[0]] if verdict.leading else None,
            "confidence": verdict.confidence,
            "p_none": verdict.none,
        }
        for case, verdict in zip(voted.cases, voted.verdicts, strict=True)
    ]
    try:
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"can't write {file}: {error.strerror}", hint="name another file") from error


def _print(found: dict[str, Any]) -> None:
    from proxycouncil.council.rendering import console_for, pairs_table, plain_table

    console = console_for(sys.stdout)
    console.print(pairs_table(_lines(found)))
    table = plain_table("member", "weight")
    for name, weight in sorted(found["weights"].items(), key=lambda item: (-item[1], item[0])):
        table.add_row(name, f"{weight:.3f}")
    console.print()
    console.print(table, crop=False)


def _lines(found: dict[str, Any]) -> dict[str, str]:
    """What is said of a revote, a line each."""
    rule = f"{found['rule']} ({found['chosen']})" if "chosen" in found else found["rule"]
    lines = {"rule": rule, "questions": str(found["questions"]), "answered": f"{found['answered']:.1%}"}
    if found["p_none"] is not None:
        lines["P(none)"] = f"{found['p_none']:.3f}"
    if "accuracy" not in found:
        return lines | {"labels": "none, so nothing can be said of accuracy"}
    lines["no answer right"] = f"{found['none_right']:.3f}"
    for name in ("accuracy", "ece", "auroc", "brier"):
        low, high = found["intervals"][name]
        lines[name] = f"{_shown(found[name])} [{_shown(low)}, {_shown(high)}]"
    best = found["best_member"]
    low, high = best["ahead_interval"]
    lines["best member"] = f"{best['name']}: {best['accuracy']:.3f}"
    lines["ahead of it"] = f"{best['ahead']:+.3f} [{low:+.3f}, {high:+.3f}]"
    lines["effective votes"] = f"{_shown(found['n_eff'])} of {len(found['members'])}"
    lines["same wrong answer"] = f"{_shown(found['same_wrong'])} (median pair, both wrong)"
    return lines


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
