"""Documents made on the spot: good ones of every kind, and thirty that are not."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = (
    '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'wordprocessingml.document.main+xml"/></Types>'
)
_RELATIONS = (
    '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
    'officeDocument" Target="word/document.xml"/></Relationships>'
)


def pdf(pages: Sequence[str], *, trailer: str = "", kids: str = "") -> bytes:
    """A PDF with a line of text a page; an empty string is a page without text."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    numbers = []
    for text in pages:
        lines = "".join(f"({line}) Tj 0 -14 Td " for line in text.split("\n")) if text else ""
        stream = f"BT /F1 12 Tf 72 720 Td {lines}ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {len(objects)} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        numbers.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Count {len(pages)} /Kids [{kids or ' '.join(numbers)}] >>"
    out, places = io.BytesIO(b""), []
    out.write(b"%PDF-1.4\n")
    for number, body in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(f"{number} 0 obj\n{body}\nendobj\n".encode())
    start = out.tell()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode())
    out.write(f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\n".encode())
    out.write(f"startxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def archive(parts: dict[str, str | bytes]) -> bytes:
    """A zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in parts.items():
            opened.writestr(name, content)
    return out.getvalue()


def docx(paragraphs: Sequence[tuple[str, str]], **more: str | bytes) -> bytes:
    """Word: pairs of style ("Heading1" or "") and text. `more` are further parts of the archive."""
    body = "".join(
        f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'
        for style, text in paragraphs
    )
    styles = (
        f'<?xml version="1.0"?><w:styles xmlns:w="{_WORD}"><w:style w:type="paragraph" w:styleId="Heading1">'
        '<w:name w:val="heading 1"/></w:style></w:styles>'
    )
    document = f'<?xml version="1.0"?><w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>'
    relations = _RELATIONS.replace('officeDocument" Target="word/document.xml', 'styles" Target="styles.xml')
    parts = {
        "[Content_Types].xml": _TYPES,
        "_rels/.rels": _RELATIONS,
        "word/document.xml": document,
        "word/_rels/document.xml.rels": relations,
        "word/styles.xml": styles,
    }
    return archive({**parts, **more})


def xlsx(rows: Sequence[Sequence[object]], *, sheet: str = "Sales") -> bytes:
    """Excel: one sheet."""
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def pptx(slides: Sequence[tuple[str, str]]) -> bytes:
    """PowerPoint: title and body of each slide."""
    from pptx import Presentation

    show = Presentation()
    for title, body in slides:
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = body
    out = io.BytesIO()
    show.save(out)
    return out.getvalue()


def epub(chapters: Sequence[tuple[str, str]], **more: str) -> bytes:
    """A book of chapters with a heading each."""
    items = "".join(
        f'<item id="c{n}" href="c{n}.xhtml" media-type="application/xhtml+xml"/>'
        for n in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfile full-path="b.opf"/></container>',
        "b.opf": f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    for number, (title, text) in enumerate(chapters):
        parts[f"c{number}.xhtml"] = f"<html><body><h1>{title}</h1><p>{text}</p></body></html>"
    return archive({**parts, **more})


def sparse(path: Path, *, megabytes: int, head: bytes = b"") -> None:
    """A file of that size that takes no room."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(megabytes * 1_000_000)


def encrypted_entry(content: bytes) -> bytes:
    """The archive with every entry marked as encrypted."""
    marked = bytearray(content)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = marked.find(signature)
        while position >= 0:
            marked[position + offset] |= 1
            position = marked.find(signature, position + 4)
    return bytes(marked)


def write_hostile(folder: Path) -> dict[str, str]:
    """Thirty files that are trouble; returns for each a word of what should be said about it."""
    sound = pdf(["The keel is the lowest beam."])
    plain = docx([("", "A plain sentence about winches.")])
    locked = "/Encrypt << /Filter /Standard /V 1 /R 2 /O (" + "o" * 32 + ") /U (" + "u" * 32 + ") /P -4 >>"
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    laughing = (
        f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY l0 "ha">{laughs}]><w:document xmlns:w="{_WORD}">'
        "<w:body><w:p><w:r><w:t>&l11;</w:t></w:r></w:p></w:body></w:document>"
    )
    zeros = bytes(30_000_000)
    files: dict[str, tuple[bytes, str]] = {
        "locked.pdf": (pdf(["secret"], trailer=locked + " /ID [<00><00>]"), "encrypted"),
        "scanned.pdf": (pdf(["", ""]), "scanned"),
        "half-scanned.pdf": (pdf(["The mast stands on the keel.", ""]), "no text on page 2"),
        "garbage.pdf": (b"%PDF-1.7\n" + bytes(range(256)) * 40, "broken"),
        "cut.pdf": (sound[: len(sound) // 4], "broken"),
        "ring.pdf": (pdf(["x"], kids="2 0 R 2 0 R"), "pages holds text"),
        "nothing.pdf": (b"", "no .pdf file"),
        "words.pdf": (b"These are just words.", "no .pdf file"),
        "bomb.docx": (docx([("", "x")], **{"word/media/a.bin": zeros}), "would unpack"),
        "bomb.xlsx": (archive({"xl/workbook.xml": zeros}), "would unpack"),
        "laughs.docx": (
            archive(
                {"word/document.xml": laughing, "[Content_Types].xml": _TYPES, "_rels/.rels": _RELATIONS}
            ),
            "broken",
        ),
        "locked.docx": (OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "encrypted"),
        "old.doc": (OLE + bytes(600), "old Office"),
        "old.xls": (OLE + bytes(600), "old Office"),
        "text.ppt": (b"no slides", "no .ppt file"),
        "cut.xlsx": (xlsx([["a", "b"], [1, 2]])[:900], "broken"),
        "locked.pptx": (encrypted_entry(archive({"ppt/presentation.xml": "x"})), "encrypted"),
        "parts-missing.pptx": (archive({"ppt/presentation.xml": "<x/>"}), "broken"),
        "holiday.docx": (archive({"beach.txt": "sand"}), "archive and no document"),
        "macros.docm": (
            docx([("", "A sentence beside macros.")], **{"word/vbaProject.bin": b"AutoOpen"}),
            "has macros",
        ),
        "really-a-pdf.docx": (sound, "is a PDF although"),
        "really-word.xlsx": (plain, "is docx inside although"),
        "formulas.xlsx": (xlsx([["=1+1", "=A1*2"]]), "no cell holds"),
        "bought.epub": (epub([("I", "x")], **{"META-INF/encryption.xml": "<x>c0.xhtml</x>"}), "protected"),
        "empty.epub": (archive({"META-INF/container.xml": "<container/>"}), "broken"),
        "picture.txt": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not UTF-8"),
        "western.txt": ("Café".encode("latin-1"), "not UTF-8"),
        "blank.md": (b" \n\n\t\n", "holds no text"),
        "nul.csv": (b"a,b\n\0,\0\n", "NUL"),
        "deep.html": (b"<div>" * 30_000 + b"far down", ""),
    }
    for name, (content, _) in files.items():
        (folder / name).write_bytes(content)
    sparse(folder / "endless.txt", megabytes=500)
    return {**{name: said for name, (_, said) in files.items()}, "endless.txt": "more than 200"}
