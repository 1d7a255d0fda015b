"""Open-book cases: a question, what there is to read, and the answer or the refusal it should get.

Knows how cases are stored, which are held out and how two kinds are mixed. Knows nothing of
tokens, models or where the passages come from.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from proxycouncil.errors import UsageError
from proxycouncil.specialists.questions import is_held_out
from proxycouncil.specialists.request import Snippet

REFUSAL = "That is not in the passages."
"""What a reader says when the slate does not hold the answer."""


@dataclass(frozen=True, slots=True)
class Case:
    """One reading exercise. `group` and `entry` say what it is about, and so whether it is held out."""

    question: str
    snippets: tuple[Snippet, ...]
    answer: str
    group: str
    """The domain, or "general"."""
    entry: str
    """Cases that share an entry stay on one side of the split."""
    source: str = ""
    """The work the text is from, where it is not the user's own."""
    license: str = ""

    @property
    def held_out(self) -> bool:
        """Whether it decides when to stop rather than being learnt."""
        return is_held_out(self.group, self.entry)

    @property
    def is_refusal(self) -> bool:
        """Whether the slate does not hold the answer."""
        return self.answer == REFUSAL


def read_cases(path: str | Path) -> list[Case]:
    """Read JSON Lines, plain or gzipped; the error names the line that is malformed."""
    path = Path(path)
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UsageError(
            f"can't read cases from {path}: {error}", hint="give a file of JSON Lines"
        ) from error
    lines = enumerate(text.split("\n"), 1)
    return [_parse(line, path, number) for number, line in lines if line.strip()]


def write_cases(path: str | Path, cases: Iterable[Case]) -> None:
    """Write JSON Lines, gzipped if the name ends in .gz; equal cases give equal bytes."""
    path = Path(path)
    raw = "".join(map(_format, cases)).encode("utf-8")
    path.write_bytes(gzip.compress(raw, mtime=0) if path.suffix == ".gz" else raw)


def mix(domain: Sequence[Case], general: Sequence[Case], *, seed: int = 0) -> list[Case]:
    """Half and half, shuffled: without general cases a small model learns its questions by heart.

    As many general cases as there are domain cases, in a seeded choice; all of them, several times
    over, where there are fewer.
    """
    if not general:
        raise UsageError("there are no general cases to mix in", hint="give a file of general reading cases")
    draw = random.Random(seed)
    rounds, rest = divmod(len(domain), len(general))
    mixed = [*domain, *chain.from_iterable([general] * rounds), *draw.sample(list(general), rest)]
    draw.shuffle(mixed)
    return mixed


def _parse(line: str, path: Path, number: int) -> Case:
    try:
        record = json.loads(line)
        snippets = tuple(Snippet(title, text) for title, text in record.pop("snippets"))
        return Case(snippets=snippets, **record)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(
            f"{path}, line {number}: not a case ({error})",
            hint="a line holds question, snippets ([[title, text], …]), answer, group and entry",
        ) from error


def _format(case: Case) -> str:
    record: dict[str, Any] = {
        "question": case.question,
        "snippets": [[snippet.title, snippet.text] for snippet in case.snippets],
        "answer": case.answer,
        "group": case.group,
        "entry": case.entry,
    }
    origin = {"source": case.source, "license": case.license}
    record |= {key: value for key, value in origin.items() if value}
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
