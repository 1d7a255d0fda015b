"""What a reader makes of a file: its text, where pages or cells begin in it, and what could not be taken.

Knows neither file formats nor passages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Form: TypeAlias = Literal["markdown", "plain"]


@dataclass(frozen=True, slots=True)
class Mark:
    """From this character on, up to the next mark, the text is of one page, slide or block of cells."""

    start: int
    place: str
    """As a citation names it: "page 3", "slide 2", "Sales!A1:D30"."""
    headings: tuple[str, ...] = ()
    """In force here, from outside the text: a PDF's bookmarks, the name of a sheet."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file as text."""

    text: str
    form: Form = "plain"
    marks: tuple[Mark, ...] = ()
    """In the order of the text; none where the text has no such parts."""
    notes: tuple[str, ...] = ()
    """What was left out and why, a sentence each."""
    reader: str = ""
    """Names what extracted the text; empty where the text is the file's own."""


def joined(
    parts: list[tuple[Mark, str]], *, form: Form = "plain", notes: tuple[str, ...] = (), reader: str
) -> Document:
    """A document of its parts; the marks' starts are counted here."""
    marks, texts, position = [], [], 0
    for mark, text in parts:
        marks.append(Mark(position, mark.place, mark.headings))
        texts.append(text + "\n\n")
        position += len(text) + 2
    return Document("".join(texts), form, tuple(marks), notes, reader)
