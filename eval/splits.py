"""The questions a council is measured on, and the one split that everything obeys.

Knows the files and which part a question belongs to (the rule itself is the tuner's: what was tuned on must
never be tested on); knows nothing of models, routes or scores.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from proxycouncil.errors import UsageError
from proxycouncil.specialists.questions import Part, part

OUT_OF_SCOPE = "out-of-scope"
"""Name of the file of questions that no domain answers."""

REWORDED = "reworded"
"""Name of the file of questions in other words."""

_NOT_DOMAINS = frozenset({OUT_OF_SCOPE, REWORDED, "two-part", "follow-up"})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Question:
    """One question with what counts as its answer; `accepted` is empty where nothing is right."""

    id: str
    kind: str
    text: str
    domain: str = ""
    """"" for a question that belongs to no domain."""
    entry: str = ""
    """Title of the passage that answers it."""
    answer: str | None = None
    accepted: tuple[str, ...] = ()

    @property
    def part(self) -> Part:
        """Where the split puts it."""
        return part(self.domain, self.entry)


def halves(items: Sequence[_T]) -> tuple[list[_T], list[_T]]:
    """First half to fit on, second half to test on, in file order."""
    middle = len(items) // 2
    return list(items[:middle]), list(items[middle:])


def load_questions(folder: Path, *, only: Part | None = None) -> list[Question]:
    """Every domain's questions (`FOLDER/DOMAIN.jsonl`), of one part or of all, in file order."""
    files = [file for file in sorted(folder.glob("*.jsonl")) if file.stem not in _NOT_DOMAINS]
    if not files:
        raise UsageError(f"no questions in {folder}", hint="name a folder that holds DOMAIN.jsonl files")
    found = [question for file in files for question in read_questions(file, domain=file.stem)]
    return [question for question in found if only is None or question.part == only]


def load_out_of_scope(folder: Path) -> list[Question]:
    """The questions that should be declined, in file order."""
    return list(read_questions(folder / f"{OUT_OF_SCOPE}.jsonl", domain=""))


def read_records(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-lines file; a broken line is an error that names it."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as missing:
        raise UsageError(f"no file {file}", hint="check the path of the questions") from missing
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except json.JSONDecodeError as broken:
            raise UsageError(
                f"{file}, line {number}: not JSON: {broken.msg}", hint="mend that line"
            ) from broken


def read_questions(file: Path, *, domain: str | None = None) -> Iterator[Question]:
    """The questions of a file, of this domain or each of the one that its line names."""
    for record in read_records(file):
        yield Question(
            id=record["id"],
            kind=record["kind"],
            text=record["question"],
            domain=record["domain"] if domain is None else domain,
            entry=record.get("entry") or "",
            answer=record.get("answer"),
            accepted=tuple(record.get("accepted", ())),
        )
