"""Text → pieces with their headings and exact spans. langchain-text-splitters cuts, we find and verify.

The splitters hand back text with white space mended and characters dropped, without positions (or with wrong
ones where text repeats). Every cut is therefore looked up in the source by its visible characters, in order,
and what is kept is the source's own text: `source[start:end] == text` holds for every piece.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from proxycouncil.errors import LibraryError
from proxycouncil.retrieval.document import Mark

PASSAGE_CHARACTERS = 1_200
"""Longest piece: about the 256 tokens that the bundled embedder reads."""

SPLITTING = f"headings-{PASSAGE_CHARACTERS}-1"
"""Names this way of splitting; documents split another way are split anew."""

_LEVELS = [("#" * level, str(level)) for level in range(1, 7)]
_HEADING = re.compile(r"#{1,6}( |$)")
_SEPARATORS = [r"\n\s*\n", r"\n", r"(?<=[.!?…])\s+", r"(?<=[。！？])", r"\s+", ""]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a document under one heading."""

    start: int
    end: int
    title: str
    heading_path: tuple[str, ...]
    place: str = ""
    """Page, slide or cells, where the document has such parts; a piece never runs over their border."""


@dataclass(frozen=True, slots=True)
class _Section:
    start: int
    end: int
    headings: tuple[str, ...]


def split_document(text: str, *, name: str, markdown: bool, marks: Sequence[Mark] = ()) -> list[Piece]:
    """Pieces in the order of the text, not overlapping; all that is visible is in one of them or a heading.

    Args:
        text: the document.
        name: the title of what stands under no heading.
        markdown: cut at headings first.
        marks: where pages or cells begin; cut there before anything else.
    """
    if not marks:
        return list(_pieces(text, name, markdown=markdown))
    ends = [*(mark.start for mark in marks[1:]), len(text)]
    return [
        Piece(
            piece.start + mark.start,
            piece.end + mark.start,
            piece.title,
            piece.heading_path or mark.headings,
            mark.place,
        )
        for mark, end in zip(marks, ends, strict=True)
        for piece in _pieces(text[mark.start : end], (mark.headings or (name,))[-1], markdown=markdown)
    ]


def _pieces(text: str, name: str, *, markdown: bool) -> Iterator[Piece]:
    visible = _Visible(text)
    sections = _markdown_sections(visible) if markdown else [_Section(0, len(text), ())]
    for section in sections:
        for start, end in _chunks(visible, section):
            yield Piece(start, end, section.headings[-1] if section.headings else name, section.headings)


def _markdown_sections(visible: _Visible) -> Iterator[_Section]:
    from langchain_text_splitters import MarkdownHeaderTextSplitter

    splitter = MarkdownHeaderTextSplitter(_LEVELS, strip_headers=False)
    position = 0
    for cut in splitter.split_text(visible.text):
        start, end = visible.locate(cut.page_content, position)
        position = end
        headings = tuple(cut.metadata[level] for _, level in _LEVELS if cut.metadata.get(level))
        yield _Section(_after_headings(visible.text, start, end), end, headings)


def _after_headings(text: str, start: int, end: int) -> int:
    """Where the body begins: headings without a body of their own may stand before it."""
    while start < end:
        line_end = text.find("\n", start, end) + 1 or end
        line = "".join(filter(str.isprintable, text[start:line_end])).strip()
        if line and not _HEADING.match(line):
            break
        start = line_end
    return start


def _chunks(visible: _Visible, section: _Section) -> Iterator[tuple[int, int]]:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(
        _SEPARATORS,
        is_separator_regex=True,
        keep_separator="end",
        chunk_size=PASSAGE_CHARACTERS,
        chunk_overlap=0,
    )
    position = section.start
    for cut in splitter.split_text(visible.text[section.start : section.end]):
        if _visible_characters(cut):
            start, position = visible.locate(cut, position)
            yield start, position


class _Visible:
    """A text's visible characters with their places, for finding what a splitter has cut."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._places = [place for place, character in enumerate(text) if _is_visible(character)]
        self._characters = "".join(text[place] for place in self._places)

    def locate(self, cut: str, position: int) -> tuple[int, int]:
        """Span of a cut that begins with the first visible character at or after `position`."""

        wanted = _visible_characters(cut)
        first = bisect_left(self._places, position)
        last = first + len(wanted)
        if not wanted or self._characters[first:last] != wanted:
            raise LibraryError(
                f"A passage can't be found again in its source, near character {position}",
                hint="please report this with the document: its text was cut in a way that can't be verified",
            )
        return self._places[first], self._places[last - 1] + 1


def _is_visible(character: str) -> bool:
    return character.isprintable() and character != " "


def _visible_characters(text: str) -> str:
    return "".join(filter(_is_visible, text))
