"""Questions with known answers, and which part of them may be used for what.

Knows the file format, the one split, and when a reply counts as right. Knows nothing of passages,
models or domains other than by name.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from proxycouncil.errors import UsageError

Part: TypeAlias = Literal["test", "calibration", "tuning"]

_FOLDS = 8
_TEST, _CALIBRATION, _HELD_OUT = 0, 1, 7
_SHORT_KINDS = {"span", "term"}
_SHORT_WORDS, _LONG_WORDS = 12, 40


class Question(BaseModel):
    """One question about one entry. `answer` is None where nothing in the documents answers it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    entry: str
    kind: str
    question: str
    answer: str | None
    accepted: tuple[str, ...] = ()
    """Any of these, as whole words, makes a reply right."""


def fold(domain: str, entry: str) -> int:
    """In 0–7: all questions about an entry share it, so no entry is on both sides of a split."""
    digest = hashlib.md5((domain + entry).encode(), usedforsecurity=False).hexdigest()
    return int(digest, 16) % _FOLDS


def part(domain: str, entry: str) -> Part:
    """Which part an entry belongs to; routing, calibration, tuning and every table obey it."""
    number = fold(domain, entry)
    return "test" if number == _TEST else "calibration" if number == _CALIBRATION else "tuning"


def is_held_out(domain: str, entry: str) -> bool:
    """Whether an entry of the tuning part decides when to stop rather than being learnt."""
    return fold(domain, entry) == _HELD_OUT


def mentions(text: str, accepted: Iterable[str]) -> bool:
    """Whether an accepted string stands in the text as whole words, case ignored."""
    return any(re.search(rf"(?<!\w){re.escape(string)}(?!\w)", text, re.IGNORECASE) for string in accepted)


def is_right(reply: str, question: Question) -> bool:
    """Whether the reply has an accepted string and is short (a whole passage would contain anything)."""
    return is_short(reply, question.kind) and mentions(reply, question.accepted)


def is_short(reply: str, kind: str) -> bool:
    """At most 12 words for the kinds span and term, 40 for the others."""
    return len(reply.split()) <= (_SHORT_WORDS if kind in _SHORT_KINDS else _LONG_WORDS)


def read_questions(path: str | Path) -> list[Question]:
    """Read JSON Lines; the error names the line that is malformed."""
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"can't read questions from {path}: {error}", hint="give a JSON Lines file"
        ) from error
    return [_parse(line, path, number) for number, line in enumerate(lines, 1) if line.strip()]


def of_part(questions: Sequence[Question], domain: str, wanted: Part) -> list[Question]:
    """The questions whose entries belong to the wanted part."""
    return [question for question in questions if part(domain, question.entry) == wanted]


def _parse(line: str, path: str | Path, number: int) -> Question:
    try:
        return Question.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "line"
        raise UsageError(
            f"{path}, line {number}: {field}: {first['msg']}",
            hint='a line reads {"id": …, "entry": …, "kind": …, "question": …, "answer": …, "accepted": […]}',
        ) from error
