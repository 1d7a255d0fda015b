"""`council eval two-part`: questions of two parts, asked whole and asked part by part."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from proxycouncil.council.cli.running import ConfigFile, Debug, process_of
from proxycouncil.errors import UsageError

if TYPE_CHECKING:
    from proxycouncil.council.council import Council
    from proxycouncil.council.events import Answer
    from proxycouncil.eval.two_part import Told, TwoPart

ARMS = ("whole", "planned", "given parts")
PAIRS = (("planned", "whole"), ("given parts", "whole"), ("planned", "given parts"))
_COLUMNS = ("both_right", "first_right", "second_right", "answered", "in_part", "right_of_given")
_HEADINGS = ("both right", "first", "second", "all answered", "in part", "right of what was said", "words")

Wish: TypeAlias = Callable[["TwoPart"], bool | tuple[str, ...]]


def two_part(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A question a line: id, question, parts, accepted, relation.")],
    *,
    arms: Annotated[
        str | None, typer.Option(help=f"Just those of {', '.join(ARMS)}; comma between them.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="An even spread of so many questions.")] = None,
    plans_only: Annotated[
        bool, typer.Option("--plans-only", help="Only how the rules split; asks nobody.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write everything there as JSON, too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Ask questions of two parts whole, part by part as planned, and by the parts the file gives.

    A question is right where every part is, in at most forty words together. Dependent and independent
    parts are told apart; differences are paired.
    """
    from proxycouncil.eval.starter import spread
    from proxycouncil.eval.two_part import load_two_part, split_report, two_part_report

    cases = spread(load_two_part(file), limit)
    measured: dict[str, Any] = {"plans": split_report(cases, _singles())}
    if not plans_only:
        with process_of(ctx).open(config) as council:
            replies = {name: list(_replies(name, council, cases)) for name in _named(arms)}
        measured |= two_part_report(cases, replies, pairs=PAIRS)
    if out:
        out.write_text(json.dumps(measured), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(measured))
    else:
        _print(measured)


def _named(arms: str | None) -> list[str]:
    wanted = [name.strip() for name in (arms or ",".join(ARMS)).split(",") if name.strip()]
    unknown = sorted(set(wanted) - set(ARMS))
    if unknown:
        raise UsageError(f"no arm is called {unknown[0]!r}", hint=f"arms are {', '.join(ARMS)}")
    return wanted


def _singles() -> list[str]:
    """The starter's questions of one part: none of them should be split."""
    from proxycouncil.council.measure import questions_folder
    from proxycouncil.eval.splits import load_questions

    return [question.text for question in load_questions(questions_folder())]


def _replies(name: str, council: Council, cases: Sequence[TwoPart]) -> Iterator[Told]:
    """One arm's replies, one question after another, so that its seconds are its own."""
    from proxycouncil.council.questions import Question

    wishes: Mapping[str, Wish] = {
        "whole": lambda _: False,
        "planned": lambda _: True,
        "given parts": lambda case: case.parts,
    }
    for done, case in enumerate(cases, start=1):
        yield _told(council.ask(Question(case.text, plan=wishes[name](case))))
        if sys.stderr.isatty() or done == len(cases):
            typer.echo(f"\r{name}: {done}/{len(cases)}", err=True, nl=done == len(cases))


def _told(answer: Answer) -> Told:
    from proxycouncil.eval.two_part import Told

    return Told(
        text=answer.text,
        parts=tuple(part.text for part in answer.parts),
        asked=tuple(part.decision.standalone for part in answer.parts),
        seconds=answer.seconds,
    )


def _print(measured: Mapping[str, Any]) -> None:
    from proxycouncil.council.rendering import console_for, plain_table

    console = console_for(sys.stdout)
    plans = measured["plans"]
    console.print(
        f"split by rule into as many parts: {_share(plans['as_many_parts'])}; dependence seen: "
        f"{_share(plans['dependence_seen'])}; questions of one part that were split: "
        f"{len(plans['singles_split'])} of {plans['singles']}\n"
    )
    if "arms" not in measured:
        return
    table = plain_table("questions", "arm", *_HEADINGS)
    for group, count in measured["questions"].items():
        for arm in measured["arms"]:
            row = arm["groups"][group]
            shares = [_share(row[key]) for key in _COLUMNS]
            table.add_row(f"{group} ({count})", arm["arm"], *shares, f"{row['words']:.0f}")
    compared = plain_table("difference in both right", "questions", "paired", "p")
    for one in measured["comparisons"]:
        names = f"{one['first']} − {one['second']}"
        compared.add_row(names, one["group"], _share(one["both_right"]), f"{one['p_value']:.3f}")
    for each in (table, compared):
        console.print(each, crop=False)
        console.print()
    seconds = ", ".join(f"{arm['arm']} {arm['seconds']:.0f}" for arm in measured["arms"])
    console.print(f"seconds: {seconds}")


def _share(interval: Mapping[str, float]) -> str:
    return f"{interval['estimate']:.1%} [{interval['low']:.1%}, {interval['high']:.1%}]"
