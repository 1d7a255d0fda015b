"""File → document. Text is read here, everything else by a process of its own, which may die.

The text of Markdown, text and code is what `Path.read_text(encoding="utf-8")` gives (line ends as "\\n", a
byte-order mark kept as a character), so that a span of a passage can be checked by anyone with one line of
Python. Of other kinds it is what their reader extracts, which the library keeps.
"""

from __future__ import annotations

from pathlib import Path

from proxycouncil.closing import Closing
from proxycouncil.errors import UsageError
from proxycouncil.retrieval.document import Document
from proxycouncil.retrieval.extracting import ReadingProcess
from proxycouncil.retrieval.kinds import MARKDOWN, kind_of


class Readers(Closing):
    """Reads files one after the other; the process that reads foreign formats starts when it is needed.

    Args:
        seconds: how long one file may take.
    """

    def __init__(self, *, seconds: float = 300.0) -> None:
        self._process = ReadingProcess(seconds=seconds)

    def read(self, path: Path) -> Document:
        """The file as text.

        Raises:
            UsageError: what is wrong with it, and what to do.
        """
        kind, notes = kind_of(path)
        if kind == "text":
            text = decode(_bytes(path), str(path))
            return Document(text, "markdown" if path.suffix.lower() in MARKDOWN else "plain", notes=notes)
        if not path.stat().st_size:
            raise UsageError(f"{path}: is empty", hint="remove it, or fill it")
        found = self._process.read(path, kind)
        return Document(found.text, found.form, found.marks, (*notes, *found.notes), found.reader)

    def close(self) -> None:
        """End the process; harmless when repeated."""
        self._process.close()


def read_document(path: Path) -> Document:
    """One file as text.

    Raises:
        UsageError: of a kind that is not read, missing, damaged, or text that is not UTF-8.
    """
    with Readers() as readers:
        return readers.read(path)


def decode(content: bytes, name: str) -> str:
    """Bytes → text with "\\n" line ends. `name` is for the error."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{name}: not UTF-8: byte 0x{content[error.start]:02x} at offset {error.start}, line {line}",
            hint=f"convert it, for example: iconv -f WINDOWS-1252 -t UTF-8 {name}",
        ) from error
    if "\0" in text:
        raise UsageError(f"{name}: holds NUL characters and is no text", hint="check that it is a text file")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror or error}", hint="check the path and its permissions"
        ) from error
