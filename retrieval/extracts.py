"""Extracted texts beside the index, so that a span of a PDF or a sheet can be checked by anyone.

One JSON file a document, named by the state that its passages carry: the text, where pages or cells begin in
it, and the SHA-256 of the file it was extracted from. Knows nothing of passages.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from proxycouncil.retrieval.digests import replace_file
from proxycouncil.retrieval.document import Document

_FOLDER = "extracted"


@dataclass(frozen=True, slots=True)
class Extract:
    """The text of one document as it was when it was ingested."""

    text: str
    sha256: str
    """Of the original file."""
    reader: str


class Extracts:
    """The extracts of one library directory; none where there is no directory that can be written."""

    def __init__(self, directory: Path | None) -> None:
        self._folder = directory / _FOLDER if directory else None

    def keep(self, state: str, document: Document, *, sha256: str, source: str) -> None:
        """Store what was extracted; equal states hold equal texts."""
        if self._folder is None:
            return
        self._folder.mkdir(exist_ok=True)
        held = {
            "source": source,
            "sha256": sha256,
            "reader": document.reader,
            "marks": [[mark.start, mark.place] for mark in document.marks],
            "text": document.text,
        }
        replace_file(self._folder / f"{state}.json", json.dumps(held, ensure_ascii=False).encode("utf-8"))

    def load(self, state: str) -> Extract | None:
        """What was kept, if it was."""
        if self._folder is None:
            return None
        with suppress(OSError, ValueError, KeyError):
            held = json.loads((self._folder / f"{state}.json").read_text(encoding="utf-8"))
            return Extract(held["text"], held["sha256"], held["reader"])
        return None

    def keep_only(self, states: Collection[str]) -> None:
        """Delete the others."""
        for path in self._folder.glob("*.json") if self._folder else ():
            if path.stem not in states:
                path.unlink(missing_ok=True)
