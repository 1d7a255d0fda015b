"""File → text. Knows Markdown and plain text in UTF-8; refuses everything else by name.

The text is what `Path.read_text(encoding="utf-8")` gives (line ends as "\\n", a byte-order mark kept as a
character), so that a span of a passage can be checked by anyone with one line of Python.
"""

from __future__ import annotations

from pathlib import Path

from proxycouncil.errors import UsageError

MARKDOWN = frozenset({".md", ".markdown"})
PLAIN = frozenset({".txt", ".text"})
READABLE = MARKDOWN | PLAIN


def read_document(path: Path) -> str:
    """The document's text.

    Raises:
        UsageError: of a kind that is not read, missing, or not UTF-8.
    """
    return decode(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """The file's bytes, if it is of a kind that can be read."""
    if path.suffix.lower() not in READABLE:
        raise UsageError(
            f"{path}: {path.suffix or 'a file without a suffix'} can't be read",
            hint=f"convert it to one of {', '.join(sorted(READABLE))}",
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror or error}", hint="check the path and its permissions"
        ) from error


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
