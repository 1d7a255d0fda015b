"""Sheets → text: each row a line of `column: value`, blocks of rows with the range of cells they are from.

Excel by openpyxl (values, not formulas), comma- and tab-separated text by the csv module. A row read alone
must say what its numbers are: so the header goes with every value.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

from proxycouncil.errors import UsageError
from proxycouncil.retrieval.document import Document, Mark, joined
from proxycouncil.retrieval.splitting import PASSAGE_CHARACTERS

_LARGEST_TEXT = 50_000_000
_SNIFFED = 4_096
Row = tuple[int, Sequence[str]]
"""Number of the row as the program shows it, and its cells as text."""


def read_workbook(path: Path) -> Document:
    """All sheets of an Excel file.

    Raises:
        UsageError: no cell holds a value.
    """
    from openpyxl import load_workbook

    # Only a file object is closed for certain, whatever the workbook turns out to be.
    with path.open("rb") as file:
        book = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        parts: list[tuple[Mark, str]] = []
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what a file claims of its size may be anything
            rows = enumerate(sheet.iter_rows(values_only=True), start=1)  # rows left out count too
            parts += _blocks(sheet.title, ((number, [_text(cell) for cell in row]) for number, row in rows))
        book.close()
    return _document(parts, reader="openpyxl")


def read_csv(path: Path) -> Document:
    """A table as text, UTF-8.

    Raises:
        UsageError: not UTF-8, or no cell holds a value.
    """
    from proxycouncil.retrieval.readers import decode

    text = decode(path.read_bytes(), path.name).lstrip("\ufeff")
    csv.field_size_limit(_LARGEST_TEXT)
    try:
        dialect = csv.Sniffer().sniff(text[:_SNIFFED], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel_tab if path.suffix.lower() == ".tsv" else csv.excel
    rows = enumerate(csv.reader(text.splitlines(), dialect), start=1)
    cleaned = ((number, [_text(cell) for cell in row]) for number, row in rows)
    return _document(list(_blocks(path.stem, cleaned)), reader="csv")


def _document(parts: list[tuple[Mark, str]], *, reader: str) -> Document:
    if not parts:
        raise UsageError("no cell holds a value", hint="save it anew in Excel so that formulas have values")
    return joined(parts, reader=reader)


def _blocks(sheet: str, rows: Iterable[Row]) -> Iterator[tuple[Mark, str]]:
    """Stretches of rows as long as a passage may be."""
    filled = ((number, cells) for number, cells in rows if any(cells))
    header: Sequence[str] = ()
    lines: list[str] = []
    first = last = size = widest = 0
    for number, cells in filled:
        if not header and not lines and _is_header(cells):
            header = cells
            continue
        line = _line(header, cells)
        if lines and size + len(line) > PASSAGE_CHARACTERS:
            yield _block(sheet, lines, first, last, widest)
            lines, size, widest = [], 0, 0
        first = number if not lines else first
        last, size, widest = number, size + len(line) + 1, max(widest, len(cells))
        lines.append(line)
    if lines:
        yield _block(sheet, lines, first, last, widest)
    elif header:
        yield _block(sheet, [_line((), header)], 1, 1, len(header))


def _block(sheet: str, lines: Sequence[str], first: int, last: int, width: int) -> tuple[Mark, str]:
    cells = f"{sheet}!A{first}:{_column(width)}{last}"
    return Mark(0, cells, (sheet,)), "\n".join(lines)


def _is_header(cells: Sequence[str]) -> bool:
    """Two names or more, none of them a number, none twice."""
    named = [cell for cell in cells if cell]
    numbers = any(cell.replace(".", "").replace("-", "").replace(",", "").isdigit() for cell in named)
    return len(named) > 1 and not numbers and len(set(named)) == len(named)


def _line(header: Sequence[str], cells: Sequence[str]) -> str:
    names = [*header, *[""] * (len(cells) - len(header))]
    told = [f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=False) if cell]
    return "; ".join(told)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime) and not (value.hour or value.minute or value.second):
        value = value.date()
    if isinstance(value, date):
        return value.isoformat() if not isinstance(value, datetime) else value.isoformat(sep=" ")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    return " ".join(str(value).replace("\0", "").split())


def _column(number: int) -> str:
    """1 → A, 27 → AA."""
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters or "A"
