"""Foreign formats → documents: PDF by pypdfium2, Word, PowerPoint, HTML and EPUB by markitdown, sheets here.

Runs in the reading process (`extracting`); imports each library when a file needs it. Says what a file lacks
in a sentence; whatever a library raises beside that means that the file is broken.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from proxycouncil.errors import UsageError
from proxycouncil.retrieval.document import Document, Mark, joined

if TYPE_CHECKING:
    from markitdown import DocumentConverter

LARGEST_TEXT = 50_000_000
"""Characters: some 10,000 pages."""

VERSION = "1"
"""Of what the readers below extract; files are read again when it changes."""

_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
_LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
_SLIDE = re.compile(r"^<!-- Slide number: (\d+) -->\n?", re.MULTILINE)
_NOTES_HEADING = re.compile(r"^### Notes:$", re.MULTILINE)
_UNESCAPED = {"escape_asterisks": False, "escape_underscores": False, "escape_misc": False}
"""Options of markdownify: what it escapes is not going to be rendered, but read."""


def extract(path: Path, kind: str) -> Document:
    """The text of a file of that kind.

    Raises:
        UsageError: what it lacks; the message names no file.
    """
    from proxycouncil.retrieval import pdf, sheets

    readers: dict[str, Callable[[Path], Document]] = {
        "pdf": pdf.read,
        "xlsx": sheets.read_workbook,
        "csv": sheets.read_csv,
        "docx": _word,
        "pptx": _slides,
        "html": _html,
        "epub": _book,
    }
    try:
        document = readers[kind](path)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"can't be read without {error.name}", hint='pip install "proxycouncil[documents]"'
        ) from error
    if len(document.text) > LARGEST_TEXT:
        raise UsageError(f"holds {len(document.text):,} characters of text", hint="split the file")
    return document


def _word(path: Path) -> Document:
    from markitdown.converters import DocxConverter

    text, _ = _converted(_made(DocxConverter), path, ".docx")
    return Document(text, "markdown", reader="markitdown")


def _html(path: Path) -> Document:
    from bs4.dammit import EncodingDetector
    from markitdown.converters import HtmlConverter

    charset = EncodingDetector.find_declared_encoding(path.read_bytes(), is_html=True)
    text, title = _converted(_made(HtmlConverter), path, ".html", charset=charset)
    return Document(_titled(text, title), "markdown", reader="markitdown")


def _book(path: Path) -> Document:
    from markitdown.converters import EpubConverter

    text, _ = _converted(_made(EpubConverter), path, ".epub")
    return Document(text, "markdown", reader="markitdown")


def _slides(path: Path) -> Document:
    from markitdown.converters import PptxConverter

    text, _ = _converted(_made(PptxConverter), path, ".pptx")
    _, *parts = _SLIDE.split(_NOTES_HEADING.sub("Notes:", text))
    slides = [
        (Mark(0, f"slide {number}"), body.strip())
        for number, body in zip(parts[::2], parts[1::2], strict=True)
        if body.strip()
    ]
    return joined(slides, form="markdown", reader="markitdown")


def _made(kind: Callable[[], DocumentConverter]) -> DocumentConverter:
    """The converter; their constructors are without annotations."""
    return kind()


def _converted(
    converter: DocumentConverter, path: Path, extension: str, *, charset: str | None = None
) -> tuple[str, str]:
    """Text and title. Pictures leave their descriptions behind, links their words."""
    from markitdown import StreamInfo

    with path.open("rb") as file:
        info = StreamInfo(extension=extension, filename=path.name, charset=charset)
        result = converter.convert(file, info, **_UNESCAPED)
    text = result.markdown.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return _LINK.sub(r"\1", _IMAGE.sub(r"\1", text)), " ".join((result.title or "").split())


def _titled(text: str, title: str) -> str:
    """With the page's title as its heading where it has none."""
    return text if not title or re.search(r"^# ", text, re.MULTILINE) else f"# {title}\n\n{text}"
