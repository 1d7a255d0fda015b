"""PDF → text page by page, by pypdfium2. A page's bookmark is its heading; lines become paragraphs again."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from proxycouncil.errors import UsageError
from proxycouncil.retrieval.document import Document, Mark, joined

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_HYPHENATED = re.compile("(?<=\\w)(?:[\x02\ufffe\xad]|-(?=\n[a-z]))\n?(?=\\w)")
"""A word that goes on in the next line: PDFium writes the hyphen it recognises as U+0002 or U+FFFE."""
_ENDS = tuple(".!?:;…。！？")
_FULL_LINE = 0.75
"""Share of the widest line from which on a line is one that went on only for want of room."""
_SHORT_LINE = 0.6
"""Share of the widest line below which a line was ended on purpose."""
_NAMED_AT_MOST = 8


def read(path: Path) -> Document:
    """The document's text.

    Raises:
        UsageError: encrypted, broken, or without any text.
    """
    from pypdfium2 import PdfDocument, PdfiumError

    try:
        document = PdfDocument(path)
    except PdfiumError as error:
        raise _unopened(str(error)) from error
    try:
        return _read(document)
    finally:
        document.close()


def _unopened(said: str) -> UsageError:
    if "password" in said.lower() or "security" in said.lower():
        return UsageError("is encrypted", hint="save a copy without a password")
    return UsageError(f"is broken: {said}", hint="get the file anew, or print it to a new PDF")


def _read(document: PdfDocument) -> Document:
    headings = _bookmarks(document)
    pages, blank, damaged = [], [], []
    for index in range(len(document)):
        text = _page_text(document, index)
        if text is None:
            damaged.append(index + 1)
        elif text:
            pages.append((Mark(0, f"page {index + 1}", headings.get(index, ())), text))
        else:
            blank.append(index + 1)
    if not pages:
        raise UsageError(
            f"none of its {len(document)} pages holds text: they are scanned, or pictures",
            hint="recognise the text first, for example: ocrmypdf IN.pdf OUT.pdf",
        )
    notes = []
    if blank:
        notes.append(f"no text on {_pages(blank)}: blank, or scanned")
    if damaged:
        notes.append(f"damaged and left out: {_pages(damaged)}")
    return joined(pages, notes=tuple(notes), reader="pypdfium2")


def _page_text(document: PdfDocument, index: int) -> str | None:
    from pypdfium2 import PdfiumError

    try:
        page = document[index]
        try:
            return reflowed(page.get_textpage().get_text_bounded())
        finally:
            page.close()
    except PdfiumError:
        return None


def reflowed(text: str) -> str:
    """Words whole and paragraphs on one line, so that sentences are found again."""
    text = _HYPHENATED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = ["".join(filter(_is_kept, line)).strip() for line in text.split("\n")]
    widest = max(map(len, lines), default=0)
    parts: list[str] = []
    for before, line in zip(["", *lines], lines, strict=False):
        goes_on = bool(before) and _goes_on(before, line, widest)
        parts.append((" " if goes_on else "\n\n" if _is_heading(before, line, widest) else "\n") + line)
    return re.sub(r"\n{3,}", "\n\n", "".join(parts)).strip()


def _goes_on(before: str, line: str, widest: int) -> bool:
    if not line or before.endswith(_ENDS):
        return bool(line) and len(before) >= _FULL_LINE * widest
    return line[0].islower() or len(before) >= _FULL_LINE * widest


def _is_heading(before: str, line: str, widest: int) -> bool:
    """A short line without an end above a full one: a paragraph of its own, no beginning of a sentence."""
    short, full = len(before) < _SHORT_LINE * widest, len(line) >= _FULL_LINE * widest
    return bool(before) and short and full and not before.endswith((*_ENDS, ",", "-")) and line[0].isupper()


def _is_kept(character: str) -> bool:
    return character == "\t" or unicodedata.category(character) not in ("Cc", "Cs", "Co", "Cn")


def _bookmarks(document: PdfDocument) -> dict[int, tuple[str, ...]]:
    """Headings of each page: those of the first bookmark on it, else those of the last before it."""
    first: dict[int, tuple[str, ...]] = {}
    last: dict[int, tuple[str, ...]] = {}
    path: list[str] = []
    for bookmark in document.get_toc():
        path = [*path[: bookmark.level], " ".join(bookmark.get_title().split())]
        target = bookmark.get_dest()
        index = target.get_index() if target else None
        if index is not None and path[-1]:
            first.setdefault(index, tuple(path))
            last[index] = tuple(path)
    found: dict[int, tuple[str, ...]] = {}
    current: tuple[str, ...] = ()
    for index in range(len(document)) if first else ():
        found[index] = first.get(index, current)
        current = last.get(index, current)
    return found


def _pages(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:_NAMED_AT_MOST]))
    more = len(numbers) - _NAMED_AT_MOST
    return f"page{'s' * (len(numbers) > 1)} {shown}{f' and {more} more' if more > 0 else ''}"
