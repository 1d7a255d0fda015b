"""The tables of `council eval starter` as text: shares with their 95 % intervals.

Knows the plain data that is measured; knows nothing of councils or models.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_QUESTION_COLUMNS = ("answered", "right", "precision", "declined_out_of_scope")
_REWORDED_COLUMNS = _QUESTION_COLUMNS[:3]
_READING_COLUMNS = (
    "right",
    "term_for_meaning",
    "meaning_of_term",
    "wrongly_declined",
    "declined_without_answer",
)


def print_tables(measured: Mapping[str, Any]) -> None:
    """Every table that was measured, to standard output."""
    from proxycouncil.council.rendering import console_for

    console = console_for(sys.stdout)
    printers: Mapping[str, Callable[[Console, Any], None]] = {
        "questions": _questions,
        "reworded": _reworded,
        "reading": _reading,
        "retrieval": _retrieval,
        "alpha": _alpha,
        "cost": _cost,
    }
    for name, data in measured.items():
        printers[name](console, data)
        console.print()


def _questions(console: Console, data: Mapping[str, Any]) -> None:
    console.print(f"{data['questions']} questions in scope, {data['out_of_scope']} out of scope\n")
    columns = ("answered", "right", "right of answered", "declined out of scope", "ECE", "tokens", "seconds")
    rows = [
        [
            arm["arm"],
            *(_share(arm[key]) for key in _QUESTION_COLUMNS),
            _error(arm),
            _tokens(arm),
            f"{arm['seconds']:.0f}",
        ]
        for arm in data["arms"]
    ]
    _print(console, ("arm", *columns), rows)
    rows = [
        [_names(one), _share(one["right"]), _share(one["when_both_answer"]), str(one["both_answered"])]
        for one in data["comparisons"]
    ]
    _print(console, ("difference in right", "all questions", "where both answer", "both"), rows)
    _samples(console, data["samples"])


def _error(arm: Mapping[str, Any]) -> str:
    """Of calibration, where an arm says how sure it is."""
    return "" if arm["calibration_error"] is None else f"{arm['calibration_error']:.3f}"


def _tokens(arm: Mapping[str, Any]) -> str:
    """A question, on average."""
    return "–" if arm.get("tokens") is None else f"{arm['tokens']:.0f}"


def _samples(console: Console, samples: Sequence[Mapping[str, Any]]) -> None:
    """The surest right answers and the surest wrong ones, whole."""
    for sample in samples:
        accepted = " | ".join(sample["accepted"]) or "nothing: it should have been declined"
        console.print(f"{'right' if sample['right'] else 'WRONG'} ({sample['confidence']:.2f})", markup=False)
        for label, text in (("Q", sample["question"]), ("A", sample["text"]), ("accepted", accepted)):
            console.print(f"  {label}: {text}", markup=False, highlight=False)
        if sample["source"]:
            console.print(f"  [1] {sample['source']}: “{sample['quote']}”", markup=False, highlight=False)


def _reworded(console: Console, data: Mapping[str, Any]) -> None:
    console.print(f"{data['questions']} questions as written and in other words\n")
    columns = ("arm", "words", "answered", "right", "right of answered", "ECE", "difference in right")
    rows = [
        [
            arm["arm"] if words == "as_written" else "",
            words.replace("_", " "),
            *(_share(arm[words][key]) for key in _REWORDED_COLUMNS),
            _error(arm[words]),
            _share(arm["difference"]) if words == "in_other_words" else "",
        ]
        for arm in data["arms"]
        for words in ("as_written", "in_other_words")
    ]
    _print(console, columns, rows)


def _reading(console: Console, data: Mapping[str, Any]) -> None:
    console.print(
        f"reading set: {data['answerable']} cases with the answer, {data['unanswerable']} without\n"
    )
    columns = ("right", "term", "meaning", "wrongly declined", "declined without answer")
    rows = [[arm["arm"], *(_share(arm[key]) for key in _READING_COLUMNS)] for arm in data["arms"]]
    _print(console, ("arm", *columns), rows)
    _print(
        console,
        ("difference in right", "all cases"),
        [[_names(one), _share(one["right"])] for one in data["comparisons"]],
    )
    if data["gap_closed"] is not None:
        console.print(f"share of the gap from base to direct tuning closed: {data['gap_closed']:.0%}")


def _retrieval(console: Console, data: Mapping[str, Any]) -> None:
    console.print(f"tuning × retrieval, {data['questions']} questions\n")
    _print(
        console,
        ("reader", "book", "right"),
        [[row["reader"], row["book"], _share(row["right"])] for row in data["tuning_and_retrieval"]],
    )
    rows = [
        [row["reader"], row["order"], str(row["excerpts"]), _share(row["right"])] for row in data["orders"]
    ]
    _print(console, ("reader", "order", "excerpts", "right"), rows)


def _alpha(console: Console, data: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        [
            f"{point['alpha']:.2f}",
            _share(point["right"]),
            _share(point["declined"]),
            "▇" * round(40 * point["right"]["estimate"]),
        ]
        for point in data
    ]
    _print(console, ("α", "right", "declined", ""), rows)


def _cost(console: Console, data: Mapping[str, Any]) -> None:
    rows = [[name, f"{speed:.1f}"] for name, speed in data["tokens_per_second"].items()]
    _print(console, ("reader", "tokens a second"), rows)


def _print(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from proxycouncil.council.rendering import plain_table

    table: Table = plain_table(*columns)
    for row in rows:
        table.add_row(*row)
    console.print(table, crop=False)
    console.print()


def _names(comparison: Mapping[str, str]) -> str:
    return f"{comparison['first']} − {comparison['second']}"


def _share(interval: Mapping[str, float]) -> str:
    return f"{interval['estimate']:.1%} [{interval['low']:.1%}, {interval['high']:.1%}]"
