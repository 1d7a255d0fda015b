"""The corpus: its records, and who must be named for which work.

Knows file names and record forms. Knows nothing of cases, tokens or models.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

Record: TypeAlias = dict[str, Any]
Part: TypeAlias = Literal["train", "dev"]

_CREATIVE_COMMONS = re.compile(r"CC BY(-SA)? [34]\.0")


@dataclass(frozen=True, slots=True)
class Work:
    """Where a text is from, as it must be named."""

    title: str
    origin: str
    license: str
    attribution: str


def read_reading(corpus: Path, part: Part = "train") -> list[Record]:
    """Questions over passages: `context`, `question`, `answer`, `answerable`, `kind`, `source`, `license`."""
    packed = corpus / f"reading/{part}.jsonl.zst"
    return list(_lines(packed if packed.exists() else corpus / f"reading/{part}.jsonl"))


def read_glossary(corpus: Path, part: Part = "train") -> list[Record]:
    """The glossary entries, each with its domain: `term`, `meaning`, `book`, `license`, `domain`."""
    paths = sorted((corpus / "glossary" / part).glob("*.jsonl"))
    return [entry | {"domain": path.stem} for path in paths for entry in _lines(path)]


def read_dictionary(corpus: Path) -> list[Record]:
    """Senses of English words: `term`, `meaning`, `pos`, `license`."""
    return list(_lines(corpus / "definitions/wordnet.jsonl.zst"))


def read_claims(corpus: Path) -> list[Record]:
    """Statements checked against a text (FEVER): `instruction`, `context`, `response`."""
    records = _lines(corpus / "instruct/train.jsonl.zst")
    return [record for record in records if record["source"].startswith("FEVER")]


def read_texts(corpus: Path) -> Iterator[Record]:
    """Paragraphs of books: `book`, `title`, `heading`, `text`, `license`."""
    for path in sorted((corpus / "text").glob("*.jsonl.zst")):
        yield from _lines(path)


def is_creative_commons(record: Record) -> bool:
    """Whether it may be shipped as text under CC BY-SA: a plain CC BY or CC BY-SA, version 3 or 4."""
    return bool(_CREATIVE_COMMONS.fullmatch(record["license"]))


def read_works(corpus: Path) -> dict[str, Work]:
    """Who must be named for which work: the tables of the corpus' README."""
    found = {
        "Glosario (The Carpentries)": Work(
            "Glosario (The Carpentries)", "carpentries/glosario", "CC BY 4.0", "The Carpentries"
        ),
        "Cloud Native Glossary (CNCF)": Work(
            "Cloud Native Glossary", "cncf/glossary", "CC BY 4.0", "Cloud Native Computing Foundation"
        ),
    }
    for line in (corpus / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        row = cells[1:5] if len(cells) == 8 else cells[:4] if len(cells) == 6 else []
        if row and _CREATIVE_COMMONS.fullmatch(row[2]):
            found[row[0]] = Work(*row)
    return found


def _lines(path: Path) -> Iterator[Record]:
    if path.suffix != ".zst":
        with path.open(encoding="utf-8") as plain:
            yield from map(json.loads, plain)
        return
    import zstandard

    with path.open("rb") as packed:
        stream = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(packed), encoding="utf-8")
        yield from map(json.loads, stream)
