"""Two versions asked the same questions: what `council regress` and `council promote` compare.

Knows where questions come from (a folder of DOMAIN.jsonl, a file, the other version's saved runs) and how a
council is asked; how answers are compared is `eval/regress.py`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

from proxycouncil.council.questions import Question
from proxycouncil.errors import UsageError
from proxycouncil.eval.runs import MARKS
from proxycouncil.eval.splits import read_records
from proxycouncil.eval.starter import spread

if TYPE_CHECKING:
    from proxycouncil.council.council import Council

Run: TypeAlias = dict[str, Any]
Progress: TypeAlias = Callable[[int, int], None]
"""Answers so far, answers in all."""

_AT_ONCE = 4
_NEEDED = ("id", "question", "ballots", "decision", "seconds")
FOLDER = "questions"


def read_runs(file: Path) -> list[Run]:
    """Saved runs (`--save`).

    Raises:
        UsageError: no file, or a line that is none.
    """
    runs = list(read_records(file))
    for number, run in enumerate(runs, start=1):
        missing = [name for name in _NEEDED if not isinstance(run, dict) or name not in run]
        if not missing and "domain" not in run and "route" not in run:
            missing = ["route"]  # says which domain it belongs to
        if missing:
            raise UsageError(
                f"{file}, line {number}: not a saved run: {missing[0]!r} is missing",
                hint="give what `council ask --save` wrote, or a council.toml",
            )
    if not runs:
        raise UsageError(
            f"{file} holds no runs", hint="`council ask --file QUESTIONS --save FILE` makes some"
        )
    return runs


def questions_of_runs(runs: Sequence[Run]) -> list[Question]:
    """The same questions again, with their ids and what is right."""
    return [
        Question(
            str(run["question"]),
            id=str(run["id"]),
            marking={name: run[name] for name in MARKS if name in run},
        )
        for run in runs
    ]


def questions_at(place: Path, *, limit: int | None = None) -> list[Question]:
    """The questions of a file, or of a folder of DOMAIN.jsonl those that nothing was tuned on.

    A line of a file is `{"id", "question", "accepted": […]}` or has "gold"; "domain" and "entry" if it likes.

    Raises:
        UsageError: nothing there, or a line without a question.
    """
    found = _of_folder(place) if place.is_dir() else _of_file(place)
    if not found:
        raise UsageError(f"{place} holds no questions to test with", hint="give questions about more entries")
    return spread(found, limit)


def default_questions(council: Council) -> Path:
    """`questions/` beside council.toml.

    Raises:
        UsageError: there is no such folder.
    """
    folder = council.config.directory / FOLDER
    if not folder.is_dir():
        raise UsageError(
            f"there are no questions to compare on: no folder {folder}", hint="name some with --questions"
        )
    return folder


def asked(
    council: Council, questions: Sequence[Question], *, keep: Path | None = None, progress: Progress
) -> list[Run]:
    """The council's runs of these questions, kept in that file where one is named."""
    from proxycouncil.council.saving import opened_runs

    with _file(keep) as file:
        with opened_runs(file) as runs:
            answers = runs.keep(council.ask_many(runs.put(iter(questions)), at_once=_AT_ONCE))
            for number, _ in enumerate(answers, start=1):
                progress(number, len(questions))
        return list(read_records(file))


@contextmanager
def _file(keep: Path | None) -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield keep or Path(folder) / "runs.jsonl"


def _of_folder(folder: Path) -> list[Question]:
    from proxycouncil.eval.splits import OUT_OF_SCOPE, halves, load_out_of_scope, load_questions

    inside = load_questions(folder, only="test")
    outside = halves(load_out_of_scope(folder))[1] if (folder / f"{OUT_OF_SCOPE}.jsonl").is_file() else []
    return [
        Question(
            one.text,
            id=f"{one.domain}/{one.id}",
            marking={
                "accepted": list(one.accepted),
                "kind": one.kind,
                "entry": one.entry,
                "domain": one.domain,
            },
        )
        for one in (*inside, *outside)
    ]


def _of_file(file: Path) -> list[Question]:
    return [_question(record, file, number) for number, record in enumerate(read_records(file), start=1)]


def _question(record: Mapping[str, Any], file: Path, number: int) -> Question:
    text = record.get("question") if isinstance(record, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise UsageError(
            f"{file}, line {number}: no question", hint='a line is {"id", "question", "accepted": […]}'
        )
    return Question(text, id=str(record.get("id", number)), marking=record)
