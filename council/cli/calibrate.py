"""`council calibrate`: how sure an answer must be, bought with questions whose answers are known."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxycouncil.council.cli.running import ConfigFile, Debug, process_of, use
from proxycouncil.errors import UsageError

if TYPE_CHECKING:
    from proxycouncil.council.council import Council
    from proxycouncil.eval.promise import Promise

_AT_ONCE = 4
_FITTED = ("confidence", "vote")
"""Parts of the calibration that are fitted here; what is fitted elsewhere stays as it is."""


def calibrate(
    ctx: typer.Context,
    questions: Annotated[
        Path,
        typer.Argument(
            help='Lines of {"id", "question", "accepted": […]}, or "gold"; of an empty list nothing is right.'
        ),
    ],
    *,
    target_risk: Annotated[
        float | None,
        typer.Option(help="Share of given answers that may be wrong; by default council.toml's."),
    ] = None,
    min_coverage: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Answer so many even where no risk can be proven.")
    ] = 0.0,
    runs: Annotated[
        Path | None,
        typer.Option(help="Keep the council's runs there; where the file is there, nobody is asked again."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; by default council.toml's, else calibration.json.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what was bought as one JSON object.")
    ] = False,
    use_it: Annotated[
        bool, typer.Option("--use", help="Write into council.toml that the council uses it.")
    ] = False,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Fit a threshold that keeps a promised risk.

    Confidences are fitted, too, and from 50 questions on what every member's vote weighs: the live count uses
    it. Questions must be like those to come and must not be those that experts were tuned on. The file also
    holds fingerprints of models, experts, library, embedder and settings: a council that has changed since
    says that its calibration is stale.
    """
    from proxycouncil.eval.promise import fit_promise

    with process_of(ctx).open_draft(config) as council:
        records = _records(council, questions, runs)
        risk = council.config.council.target_risk if target_risk is None else target_risk
        bought = fit_promise(
            records, target_risk=risk, min_coverage=min_coverage, fitted_on=f"{questions.name}"
        )
        target = out or _default_target(council)
        _write(target, council, bought)
        named = council.config.council.calibration is not None
    _tell(bought, target, as_json=as_json)
    if use_it:
        typer.echo(f"council.toml: {use(config, 'council', 'calibration', target)}", err=True)
    elif not named:
        typer.echo(f'next: [council] calibration = "{target}"', err=True)


def _records(council: Council, questions: Path, runs: Path | None) -> list[dict[str, Any]]:
    """The runs of these questions: those that were kept, else made now, without a threshold."""
    from proxycouncil.eval.splits import read_records

    asked = list(read_records(questions))
    if any(not isinstance(one.get("question"), str) for one in asked):
        raise UsageError(
            f"{questions} has a line without a question", hint='{"question": …, "accepted": […]}'
        )
    if runs is None or not runs.exists():
        return _ask(council, questions, runs)
    kept = list(read_records(runs))
    if [one.get("question") for one in kept] != [" ".join(one["question"].split()) for one in asked]:
        raise UsageError(
            f"{runs} holds runs of other questions", hint="delete it to ask anew, or name another file"
        )
    return kept


def _ask(council: Council, questions: Path, runs: Path | None) -> list[dict[str, Any]]:
    from tempfile import TemporaryDirectory

    from proxycouncil.council.question_lines import read_questions
    from proxycouncil.council.saving import opened_runs
    from proxycouncil.eval.splits import read_records

    council.calibration = {k: v for k, v in (council.calibration or {}).items() if k not in _FITTED}
    with TemporaryDirectory() as folder:
        file = runs or Path(folder) / "runs.jsonl"
        with opened_runs(file) as kept, questions.open(encoding="utf-8") as lines:
            put = kept.put(read_questions(line for line in lines if line.strip()))
            for number, _ in enumerate(kept.keep(council.ask_many(put, at_once=_AT_ONCE)), start=1):
                if sys.stderr.isatty():
                    typer.echo(f"\r{number} answers\x1b[K", err=True, nl=False)
        return list(read_records(file))


def _default_target(council: Council) -> Path:
    """Where council.toml says, else beside it; the embedded starter is part of the package and left alone."""
    from proxycouncil.council import starter

    set_there, home = council.config.council.calibration, council.config.directory
    if home.is_relative_to(starter.DIRECTORY):
        return Path("calibration.json")
    return set_there or home / "calibration.json"


def _write(target: Path, council: Council, bought: Promise) -> None:
    kept = {name: part for name, part in (council.calibration or {}).items() if name not in _FITTED}
    whole = kept | bought.parts() | {"fingerprints": council.fingerprints()}
    try:
        target.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"can't write {target}: {error.strerror}", hint="--out names another") from error


def _tell(bought: Promise, target: Path, *, as_json: bool) -> None:
    if as_json:
        told = {
            "questions": bought.questions,
            "spoken": bought.spoken,
            "right": bought.right,
            "coverage": bought.coverage,
            "kept": bought.kept,
            "sentence": bought.sentence(),
            "file": str(target),
            **{key: bought.confidence[key] for key in ("threshold", "threshold_rule", "risk", "target_risk")},
            "vote": bought.parts().get("vote"),
            "members": dict(bought.members),
        }
        typer.echo(json.dumps(told))
    else:
        typer.echo(bought.sentence())
        typer.echo(bought.votes())
        typer.echo(f"wrote {target}", err=True)
