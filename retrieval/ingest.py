"""A plan, carried out: documents read, split and embedded, in groups of whole files.

Knows files and rows; refuses to know Chroma and ranking. An interruption loses at most the group in work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from proxycouncil.errors import UsageError
from proxycouncil.retrieval.changes import Change
from proxycouncil.retrieval.chroma import Row
from proxycouncil.retrieval.document import Document
from proxycouncil.retrieval.embedding import Embedding, Vector
from proxycouncil.retrieval.extracts import Extracts
from proxycouncil.retrieval.passage import Passage
from proxycouncil.retrieval.plan import File, Plan, reason
from proxycouncil.retrieval.readers import Readers
from proxycouncil.retrieval.splitting import split_document

_GROUP_ROWS = 2_048
_GROUP_SHARE = 8
"""A write copies the library first; in groups of an eighth of it, all copying stays linear in its size."""

_Group: TypeAlias = list[tuple[File, list[Row]]]


@dataclass(frozen=True, slots=True)
class Advance:
    """How far an ingest is. Its end is known in bytes of files; how many passages they hold is not."""

    passages: int
    """Embedded so far."""
    bytes_done: float
    """Of the files read so far, each counted by the share of its passages that is embedded."""
    bytes: int
    files_done: int
    files: int


Progress: TypeAlias = Callable[[Advance], None]


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What became of each document; sources as in `Passage.source`."""

    domain: str
    added: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    failed: Mapping[str, str]
    """Source → reason. What was stored of it before stays."""
    skipped: tuple[str, ...]
    """Files in the named folders that are of no readable kind."""
    passages: int
    """Passages written."""
    moved: Mapping[str, str] = field(default_factory=dict)
    """New source → the one that the same file had."""
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Source → what of it was left out, or read otherwise than its name says."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A group of whole files, embedded: what to write, and the vectors of its sentences by digest."""

    change: Change
    sentences: Mapping[bytes, Vector] = field(default_factory=dict)


def batches_of(
    plan: Plan, embedding: Embedding, extracts: Extracts, *, held: int, root: str, progress: Progress | None
) -> Iterator[Batch]:
    """Carry a plan out; what is found out on the way is noted in it.

    Args:
        plan: what to do.
        embedding: of its passages.
        extracts: where texts go that are not the file's own.
        held: passages that the domain holds before.
        root: directory that sources are relative to.
        progress: told after every few passages.
    """
    gone = list(plan.removed)
    with Readers() as readers:
        for group in _groups(plan, readers, extracts, held=held):
            rows = [row for _, its_rows in group for row in its_rows]
            stale = [before for file, _ in group for before in plan.stale(file.source)]
            told = _told(plan, group, progress)
            vectors, sentences = embedding.embed([row.passage for row in rows], stale, told)
            plan.written.update((file.source, len(its_rows)) for file, its_rows in group)
            yield Batch(Change(plan.domain, [*gone, *stale], rows, vectors, root=root), sentences)
            gone = []
    if progress:
        total = sum(file.bytes for file in plan.files)
        progress(Advance(sum(plan.written.values()), total, total, len(plan.files), len(plan.files)))
    emptied = [file.source for file in plan.files if file.source in plan.removed]
    if left := [*gone, *(source for source in emptied if source not in gone)]:
        yield Batch(Change(plan.domain, left, root=root))


def report_of(plan: Plan) -> IngestReport:
    """What became of it."""
    new = [source for source in plan.written if source not in plan.moved]
    return IngestReport(
        domain=plan.domain,
        added=tuple(source for source in new if source not in plan.known),
        changed=tuple(sorted(source for source in new if source in plan.known)),
        unchanged=tuple(plan.unchanged),
        removed=tuple(sorted(plan.removed)),
        failed=dict(plan.failed),
        skipped=tuple(plan.skipped),
        passages=sum(plan.written.values()),
        moved={source: before for source, before in plan.moved.items() if source in plan.written},
        notes=dict(plan.notes),
    )


def passages_of(plan: Plan) -> Iterator[Passage]:
    """What an ingest would write, nothing embedded and nothing kept."""
    with Readers() as readers:
        for file in plan.files:
            for row in _rows(plan, file, readers, Extracts(None)):
                yield row.passage


def _groups(plan: Plan, readers: Readers, extracts: Extracts, *, held: int) -> Iterator[_Group]:
    group: _Group = []
    size = 0
    for file in plan.files:
        if rows := _rows(plan, file, readers, extracts):
            group.append((file, rows))
            size += len(rows)
        if size >= max(_GROUP_ROWS, (held + sum(plan.written.values())) // _GROUP_SHARE):
            yield group
            group, size = [], 0
    if group:
        yield group


def _rows(plan: Plan, file: File, readers: Readers, extracts: Extracts) -> list[Row]:
    """The passages of a document; none where it can't be read or is empty, which the plan then says."""
    try:
        document = readers.read(file.path)
    except UsageError as error:
        plan.failed[file.source] = reason(error)
        return []
    rows = _split(document, file, plan.domain)
    if document.notes:
        plan.notes[file.source] = document.notes
    if not rows and file.source in plan.known:
        plan.removed.append(file.source)
    elif not rows:
        plan.failed[file.source] = f"{file.path}: holds no text"
    elif document.reader:
        extracts.keep(file.state, document, sha256=file.sha256, source=file.source)
    return rows


def _split(document: Document, file: File, domain: str) -> list[Row]:
    markdown = document.form == "markdown"
    pieces = split_document(document.text, name=file.path.stem, markdown=markdown, marks=document.marks)
    rows = []
    for piece in pieces:
        body = document.text[piece.start : piece.end]
        identity = hashlib.sha256(f"{file.source}\0{piece.start}\0{body}".encode()).hexdigest()[:24]
        span = (file.source, piece.start, piece.end)
        passage = Passage(identity, body, piece.title, piece.heading_path, *span, domain, place=piece.place)
        rows.append(Row(passage, file.state))
    return rows


def _told(plan: Plan, group: _Group, progress: Progress | None) -> Callable[[int], None]:
    """What embedding a group says, as the advance of the whole."""
    before = sum(plan.written.values())
    ends = _ends_of(group)
    position = plan.files.index(group[-1][0]) + 1
    read = sum(file.bytes for file in plan.files[:position])
    mine = sum(file.bytes for file, _ in group)
    total = sum(file.bytes for file in plan.files)

    def told(done: int) -> None:
        if progress:
            rows, sizes = zip((0, 0), *ends, strict=True)
            here = float(np.interp(done, rows, sizes))
            files = position - sum(end > done for end, _ in ends)
            progress(Advance(before + done, read - mine + here, total, files, len(plan.files)))

    return told


def _ends_of(group: _Group) -> Sequence[tuple[int, int]]:
    """Passages and bytes at the end of each file."""
    passages = size = 0
    ends = []
    for file, rows in group:
        passages, size = passages + len(rows), size + file.bytes
        ends.append((passages, size))
    return ends
