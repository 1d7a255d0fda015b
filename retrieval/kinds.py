"""What a file is: by its name, and by its first bytes where they say otherwise.

Knows names and signatures; reads no more than a few bytes and an archive's table of contents.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from proxycouncil.errors import UsageError

MARKDOWN = frozenset({".md", ".markdown"})
PLAIN = frozenset({".txt", ".text", ".rst"})
CODE = frozenset(
    ".py .pyi .js .jsx .ts .tsx .java .kt .c .h .cc .cpp .hpp .cs .go .rs .rb .php .swift .scala .sh .sql .r "
    ".jl .lua .pl .toml .yaml .yml .ini".split()
)
OWN_TEXT = MARKDOWN | PLAIN | CODE
"""Read as they are: a passage's span counts in the file itself."""

EXTRACTED = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".docm": "docx",
    ".pptx": "pptx",
    ".pptm": "pptx",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".csv": "csv",
    ".tsv": "csv",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".epub": "epub",
}
"""Suffix → the reader that extracts text."""

OLD_OFFICE = {".doc": ".docx", ".ppt": ".pptx", ".xls": ".xlsx"}
READABLE = OWN_TEXT | EXTRACTED.keys() | OLD_OFFICE.keys()

LARGEST_BYTES = 200_000_000
_UNPACKED_BYTES = 400_000_000
_RATIO, _RATIO_FROM_BYTES = 200, 20_000_000
"""Text packs to about a tenth; more than that many times is made to harm."""

_PDF, _ZIP, _OLE = b"%PDF-", (b"PK\x03\x04", b"PK\x05\x06"), bytes.fromhex("d0cf11e0a1b11ae1")
_HEAD_BYTES = 1_024
_ENCRYPTED_OFFICE = "EncryptedPackage".encode("utf-16-le")
_PARTS = {"word/document.xml": "docx", "ppt/presentation.xml": "pptx", "xl/workbook.xml": "xlsx",
          "META-INF/container.xml": "epub"}  # fmt: skip
_MACROS = "vbaProject.bin"
_PROTECTION = "META-INF/encryption.xml"


def kind_of(path: Path) -> tuple[str, tuple[str, ...]]:
    """The reader for a file ("text" for its own), and what is to be said about it.

    Raises:
        UsageError: it is of no readable kind, empty, too large, encrypted, or an archive made to harm.
    """
    suffix = path.suffix.lower()
    if suffix not in READABLE:
        raise UsageError(
            f"{path}: {path.suffix or 'a file without a suffix'} can't be read",
            hint="convert it to Markdown, text, PDF, Word, PowerPoint, Excel, HTML or EPUB",
        )
    head = _head(path)
    named = EXTRACTED.get(suffix, "text")
    if head.startswith(_ZIP):
        return _in_archive(path, named)
    if head.startswith(_OLE):
        raise _old_office(path, suffix)
    if _PDF in head if named == "pdf" else head.startswith(_PDF):
        return "pdf", () if named == "pdf" else (f"is a PDF although it is named {suffix}",)
    if suffix in OLD_OFFICE or named in ("pdf", "docx", "pptx", "xlsx", "epub"):
        raise UsageError(f"{path}: is no {suffix} file inside", hint="open it, and save it anew or rename it")
    return named, ()


def _head(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror or error}", hint="check the path and its permissions"
        ) from error
    if size > LARGEST_BYTES:
        raise UsageError(
            f"{path}: has {size / 1e6:,.0f} MB, more than {LARGEST_BYTES / 1e6:.0f}", hint="split the file"
        )
    return head


def _old_office(path: Path, suffix: str) -> UsageError:
    if _ENCRYPTED_OFFICE in path.read_bytes():
        return UsageError(f"{path}: is encrypted", hint="save a copy without a password")
    wanted = OLD_OFFICE.get(suffix, "a current format")
    return UsageError(f"{path}: is of an old Office format", hint=f"open it and save it as {wanted}")


def _in_archive(path: Path, named: str) -> tuple[str, tuple[str, ...]]:
    """What Office files and books are inside: an archive, whose contents say what it will become."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            protection = archive.read(_PROTECTION) if _PROTECTION in archive.namelist() else b""
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise UsageError(f"{path}: is broken: {error}", hint="get the file anew, or save it anew") from error
    _refuse_harm(path, entries)
    if b"htm" in protection:
        raise UsageError(f"{path}: is protected by its seller (DRM)", hint="take a copy without protection")
    names = {entry.filename for entry in entries}
    kind = next((kind for part, kind in _PARTS.items() if part in names), None)
    if kind is None:
        raise UsageError(f"{path}: is an archive and no document", hint="unpack it and ingest the folder")
    notes = [] if kind == named else [f"is {kind} inside although it is named {path.suffix}"]
    if any(name.endswith(_MACROS) for name in names):
        notes.append("has macros, which were neither run nor read")
    return kind, tuple(notes)


def _refuse_harm(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    if any(entry.flag_bits & 1 for entry in entries):
        raise UsageError(f"{path}: is encrypted", hint="save a copy without a password")
    unpacked = sum(entry.file_size for entry in entries)
    packed = max(1, sum(entry.compress_size for entry in entries))
    if unpacked > _UNPACKED_BYTES or (unpacked > _RATIO_FROM_BYTES and unpacked > _RATIO * packed):
        raise UsageError(
            f"{path}: would unpack to {unpacked / 1e6:,.0f} MB from {packed / 1e6:.1f}",
            hint="such archives are made to harm; where this one is not, save it anew in parts",
        )
