"""Answers kept with everything behind them, a line each, for `council revote`, `report` and `calibrate`.

Knows the file; what a line holds is said by `eval/runs.py`, which reads it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from proxycouncil.council.events import Answer
from proxycouncil.council.questions import Question
from proxycouncil.errors import UsageError
from proxycouncil.eval.runs import line_of, run_record


class Runs:
    """An open file of runs: questions go through it to the council, answers come back through it."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._asked: deque[Question] = deque()
        self._count = 0

    def put(self, questions: Iterable[Question]) -> Iterator[Question]:
        """The questions, each remembered until its answer comes; answers come in the same order."""
        for question in questions:
            self._asked.append(question)
            yield question

    def keep(self, answers: Iterable[Answer]) -> Iterator[Answer]:
        """The answers, each written before it is passed on, so that a run that breaks off has its part.

        A question asked in parts is so many questions with a vote each: `7.1`, `7.2`, which nobody marked.
        """
        for answer in answers:
            question = self._asked.popleft()
            self._count += 1
            name = question.id or str(self._count)
            if answer.plan is None:
                self._write(answer, name, question.marking)
            else:
                for place, part in enumerate(answer.parts, start=1):
                    if part.route["members"]:
                        self._write(part, f"{name}.{place}", {})
            self._file.flush()
            yield answer

    def _write(self, answer: Answer, name: str, marking: Mapping[str, Any]) -> None:
        record = run_record(answer.model_dump(mode="json"), id=name, marking=marking)
        self._file.write(line_of(record))


@contextmanager
def opened_runs(file: Path) -> Iterator[Runs]:
    """A new file of runs; one that is there is refused, because asking again costs hours."""
    try:
        opened = file.open("x", encoding="utf-8")
    except FileExistsError as error:
        raise UsageError(f"{file} is there already", hint="name another file, or move that one") from error
    except OSError as error:
        raise UsageError(f"can't write {file}: {error.strerror}", hint="name another file") from error
    with opened:
        yield Runs(opened)
