"""A table of questions becomes a table of answers: begun, broken off, gone on with, finished.

Knows the table and the journal; who answers the rows is handed in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from proxycouncil.council.bulk.asking import Answered, Row
from proxycouncil.council.bulk.journal import Journal
from proxycouncil.council.bulk.tables import (
    ANSWER_COLUMNS,
    QuestionTable,
    check_written,
    question_of,
    write_answers,
)

if TYPE_CHECKING:
    from proxycouncil.council.config import CouncilConfig

Asker: TypeAlias = Callable[[Iterable[Row], int], Iterator[Answered]]
"""Answers rows, of which it is told how many there are, in whatever order they end."""
Progress: TypeAlias = Callable[[int, int], None]
"""Rows answered so far, rows in all."""


def answer_table(
    questions: Path, out: Path, ask: Asker, *, council: str, progress: Progress
) -> dict[str, int]:
    """Answer what has no answer yet, then write the table; how often each outcome came.

    Args:
        questions: a table (docs/bulk.md).
        out: written once all is answered; until then the answers stand in `OUT.part`.
        ask: answers rows.
        council: what must be the same when the run goes on (`council_key`).
        progress: is told after each row.

    Raises:
        UsageError: a file can't be used, or the journal is of another run.
        CouncilError: the council can't answer; what was answered is kept.
    """
    check_written(out)
    table = QuestionTable.open(questions)
    begun_with = {"file of questions": table.fingerprint, "council or members": council}
    with Journal(part_of(out), begun_with=begun_with) as journal:
        done = journal.count
        if done < table.count:
            for number, answer in ask(_waiting(table, journal), table.count - done):
                done += journal.keep(number, answer)
                progress(done, table.count)
        rows = ({name: answer[name] for name in ANSWER_COLUMNS} for answer in journal.answers())
        write_answers(out, table, rows)
        outcomes = journal.outcomes()
        journal.delete()
    return outcomes


def part_of(out: Path) -> Path:
    """Where answers stand until the table is written."""
    return out.with_name(f"{out.name}.part")


def council_key(config: CouncilConfig, version: str | None, members: Iterable[str]) -> str:
    """Changes with the settings, the promoted version and who is asked."""
    parts = [config.model_dump_json(), version or "", *sorted(members)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _waiting(table: QuestionTable, journal: Journal) -> Iterator[Row]:
    missing = journal.missing(table.count)
    wanted = next(missing, None)
    for number, fields in enumerate(table.rows()):
        if number == wanted:
            yield number, question_of(fields)
            wanted = next(missing, None)
