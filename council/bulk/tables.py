"""Tables of questions and of answers: Parquet, CSV, JSON lines, plain lines.

A row of answers is a row of questions, its cells as they were, and ANSWER_COLUMNS beside them. Knows files;
nothing of councils.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from proxycouncil.council.question_lines import fields_of, whole
from proxycouncil.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

Fields: TypeAlias = Mapping[str, Any]

ANSWER_COLUMNS = (
    "row", "outcome", "answer", "confidence", "calibrated", "agreement", "degraded", "reason", "members",
    "citations", "dissent", "version", "seconds",
)  # fmt: skip
"""What stands beside each question: `row` counts from 0; see docs/bulk.md."""

_QUESTION = "question"
_BATCH = 1_000
WRITTEN = (".parquet", ".csv", ".jsonl")


@dataclass(frozen=True, slots=True)
class QuestionTable:
    """A file of questions, looked through once.

    Raises:
        UsageError: it can't be read, or has no column `question`.
    """

    file: Path
    columns: tuple[str, ...]
    """Of all rows, in the order in which they first come."""
    count: int
    fingerprint: str
    """Of its bytes."""

    @classmethod
    def open(cls, file: Path) -> QuestionTable:
        """Look through a file."""
        try:
            with file.open("rb") as opened:
                fingerprint = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise UsageError(f"can't read {file}: {error.strerror}", hint="--file takes a file") from error
        columns, count = _outline(file)
        if count and _QUESTION not in columns:
            raise UsageError(
                f"{file} has no column {_QUESTION!r}; it has {', '.join(columns) or 'none'}",
                hint=f"call the column with the questions {_QUESTION!r}",
            )
        return cls(file, columns, count, fingerprint)

    def rows(self) -> Iterator[Fields]:
        """Every row, in order."""
        yield from _rows(self.file)


def question_of(fields: Fields) -> str:
    """What a row asks; "" where that is no text."""
    asked = fields.get(_QUESTION)
    return whole(asked) if isinstance(asked, str) else ""


def check_written(file: Path) -> None:
    """Refuse a table that could not be written in the end.

    Raises:
        UsageError: of another kind, there already, or nowhere.
        MissingExtraError: Parquet needs pyarrow.
    """
    if file.suffix.lower() not in WRITTEN:
        raise UsageError(
            f"answers can't be written as {file.suffix or 'a file without suffix'}",
            hint=f"--out takes a file that ends in {', '.join(WRITTEN)}",
        )
    if file.exists():
        raise UsageError(f"{file} is there already", hint="name another file, or move that one")
    if not file.parent.is_dir():
        raise UsageError(f"there is no folder {file.parent}", hint="make it, or name another file")
    if file.suffix.lower() == ".parquet":
        _pyarrow()


def write_answers(file: Path, questions: QuestionTable, answers: Iterable[Fields]) -> None:
    """Write the whole table, or nothing: it takes its name once it is complete.

    Args:
        answers: one for every row of questions, in the same order, with ANSWER_COLUMNS.
    """
    unfinished = file.with_name(f".{file.name}.unfinished")
    write = {".parquet": _write_parquet, ".csv": _write_csv, ".jsonl": _write_lines}[file.suffix.lower()]
    try:
        write(unfinished, questions, iter(answers))
        unfinished.replace(file)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise UsageError(
            f"can't write {file}: {error.strerror}", hint="the answers are kept: ask again for the table"
        ) from error


def kept_names(columns: Iterable[str]) -> dict[str, str]:
    """How the columns of questions are called beside the answers: `given_…` where ours have their name."""
    return {name: f"given_{name}" if name in ANSWER_COLUMNS else name for name in columns}


def _outline(file: Path) -> tuple[tuple[str, ...], int]:
    if file.suffix.lower() == ".parquet":
        with _parquet(file) as opened:
            return tuple(opened.schema_arrow.names), opened.metadata.num_rows
    columns: dict[str, None] = {}
    count = 0
    for fields in _rows(file):
        columns.update(dict.fromkeys(fields))
        count += 1
    return tuple(columns), count


def _rows(file: Path) -> Iterator[Fields]:
    kind = file.suffix.lower()
    if kind == ".parquet":
        with _parquet(file) as opened:
            for batch in opened.iter_batches(_BATCH):
                yield from batch.to_pylist()
    elif kind == ".csv":
        yield from _csv_rows(file)
    else:
        # Only a line feed ends a line, whatever else the text holds.
        with file.open(encoding="utf-8-sig", errors="replace", newline="\n") as lines:
            yield from map(fields_of, lines)


def _csv_rows(file: Path) -> Iterator[Fields]:
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as opened:
        reader = csv.DictReader(opened, strict=True)
        try:
            for number, fields in enumerate(reader):
                if None in fields:
                    raise UsageError(
                        f"{file}, row {number}: more cells than the header names",
                        hint="put cells that hold commas in double quotes",
                    )
                yield fields
        except csv.Error as error:
            raise UsageError(
                f"{file}, line {reader.line_num}: {error}", hint="the file must be CSV with a header"
            ) from error


def _parquet(file: Path) -> Any:  # noqa: ANN401 (pyarrow.parquet.ParquetFile, which has no types)
    pa = _pyarrow()
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"{file} is no Parquet file: {error}", hint="give it its true suffix") from error


def _write_lines(file: Path, questions: QuestionTable, answers: Iterator[Fields]) -> None:
    names = kept_names(questions.columns)
    with file.open("w", encoding="utf-8") as out:
        for fields, answer in zip(questions.rows(), answers, strict=True):
            given = {names[name]: value for name, value in fields.items()}
            out.write(json.dumps({**given, **answer}, default=str) + "\n")


def _write_csv(file: Path, questions: QuestionTable, answers: Iterator[Fields]) -> None:
    names = kept_names(questions.columns)
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow([*names.values(), *ANSWER_COLUMNS])
        for fields, answer in zip(questions.rows(), answers, strict=True):
            cells = [fields.get(name) for name in names] + [answer[name] for name in ANSWER_COLUMNS]
            writer.writerow(["" if cell is None else _text(cell) for cell in cells])


def _write_parquet(file: Path, questions: QuestionTable, answers: Iterator[Fields]) -> None:
    """Columns of a Parquet file keep their types; those of other files are texts."""
    pa = _pyarrow()
    import pyarrow.parquet as pq

    ours = _answer_schema()
    names = list(kept_names(questions.columns).values())
    writer = None
    try:
        for batch in _batches(questions):
            told = pa.RecordBatch.from_pylist(list(islice(answers, batch.num_rows)), schema=ours)
            whole_rows = pa.RecordBatch.from_arrays(
                [*batch.columns, *told.columns], names=[*names, *ours.names]
            )
            writer = writer or pq.ParquetWriter(file, whole_rows.schema)
            writer.write_batch(whole_rows)
        if writer is None:
            pq.write_table(ours.empty_table(), file)
    finally:
        if writer is not None:
            writer.close()


def _batches(questions: QuestionTable) -> Iterator[Any]:
    pa = _pyarrow()
    if questions.file.suffix.lower() == ".parquet":
        with _parquet(questions.file) as opened:
            yield from opened.iter_batches(_BATCH)
        return
    schema = pa.schema([(name, pa.string()) for name in questions.columns])
    rows = questions.rows()
    while some := list(islice(rows, _BATCH)):
        texts = [{name: None if cell is None else _text(cell) for name, cell in one.items()} for one in some]
        yield pa.RecordBatch.from_pylist(texts, schema=schema)


def _answer_schema() -> pa.Schema:
    pa = _pyarrow()
    text, number = pa.string(), pa.float64()
    span = [("title", text), ("source", text), ("start", pa.int64()), ("end", pa.int64()), ("quote", text)]
    citation = pa.struct([*span, ("domain", text), ("passage_id", text), ("place", text)])
    dissent = pa.struct([("text", text), ("members", pa.list_(text)), ("share", number)])
    kinds = {
        "row": pa.int64(), "confidence": number, "agreement": number, "seconds": number,
        "calibrated": pa.bool_(), "degraded": pa.bool_(), "members": pa.list_(text),
        "citations": pa.list_(citation), "dissent": pa.list_(dissent),
    }  # fmt: skip
    return pa.schema([(name, kinds.get(name, text)) for name in ANSWER_COLUMNS])


def _text(cell: object) -> str:
    if isinstance(cell, str):
        return whole(cell)
    if isinstance(cell, (bool, list, dict)):
        return json.dumps(cell, default=str)
    return str(cell)


def _pyarrow() -> Any:  # noqa: ANN401 (has no types)
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtraError(
            "Parquet needs a package that is missing: pyarrow", hint="pip install 'proxycouncil[bulk]'"
        ) from error
    return pa
