"""Documents → rows of a store: what is new, what changed, what is gone. Running it twice changes nothing.

Knows files and their states (a digest of the bytes and of the way of splitting); refuses to know Chroma and
ranking. Rows are written in groups of whole files: an interruption loses at most the group in work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np

from proxycouncil.errors import UsageError
from proxycouncil.retrieval.changes import Change
from proxycouncil.retrieval.chroma import Row
from proxycouncil.retrieval.embedder import TextEncoder
from proxycouncil.retrieval.passage import Passage
from proxycouncil.retrieval.readers import MARKDOWN, READABLE, decode, read_bytes
from proxycouncil.retrieval.splitting import SPLITTING, split_document

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of passages that are embedded, and of those to embed."""

_GROUP_ROWS = 2_048
_PROGRESS_ROWS = 64


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


@dataclass(slots=True)
class Plan:
    """What an ingest is going to do."""

    domain: str
    rows: dict[str, list[Row]] = field(default_factory=dict)
    """By source; new and changed documents."""
    changed: set[str] = field(default_factory=set)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def report(self) -> IngestReport:
        """The plan, carried out."""
        return IngestReport(
            domain=self.domain,
            added=tuple(source for source in self.rows if source not in self.changed),
            changed=tuple(sorted(self.changed)),
            unchanged=tuple(self.unchanged),
            removed=tuple(self.removed),
            failed=dict(self.failed),
            skipped=tuple(self.skipped),
            passages=sum(map(len, self.rows.values())),
        )


def plan_ingest(domain: str, paths: Sequence[Path], *, root: Path, known: Mapping[str, str]) -> Plan:
    """Read and split what is new or changed.

    Args:
        domain: where it goes.
        paths: files, and folders that are read with all below them.
        root: what sources are relative to; a document elsewhere is known by its absolute path.
        known: state of each file that the domain holds, by source.
    """
    plan = Plan(domain)
    seen = set()
    for path in paths:
        for file in _files(path, plan, root):
            source = source_of(file, root)
            if source not in seen:
                seen.add(source)
                _plan_file(plan, file, source, known)
        plan.removed.extend(source for source in _below(path, root, known) if source not in seen)
    for source in plan.removed:
        plan.failed.pop(source, None)
    plan.removed = sorted(set(plan.removed))
    return plan


def changes_of(
    plan: Plan, encoder: TextEncoder, *, root: Path, progress: Progress | None = None
) -> Iterator[Change]:
    """The plan in groups of whole files, embedded one group at a time."""
    total = sum(map(len, plan.rows.values()))
    done = 0
    gone: Sequence[str] = plan.removed
    for sources in _groups(plan.rows):
        rows = [row for source in sources for row in plan.rows[source]]
        vectors = []
        for start in range(0, len(rows), _PROGRESS_ROWS):
            texts = [embedded_text(row.passage) for row in rows[start : start + _PROGRESS_ROWS]]
            vectors.append(encoder.encode(texts))
            done += len(texts)
            if progress:
                progress(done, total)
        stale = [*gone, *(source for source in sources if source in plan.changed)]
        yield Change(plan.domain, stale, rows, np.concatenate(vectors), root=str(root))
        gone = ()
    if gone:
        yield Change(plan.domain, gone, root=str(root))


def embedded_text(passage: Passage) -> str:
    """What of a passage is embedded: its title says what "it" is."""
    return f"{passage.title}: {passage.text}"


def source_of(path: Path, root: Path) -> str:
    """How a document is known: relative to the root where it lies under it, with "/"."""
    resolved, base = path.resolve(), root.resolve()
    return (resolved.relative_to(base) if resolved.is_relative_to(base) else resolved).as_posix()


def _files(path: Path, plan: Plan, root: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        for file in sorted(path.rglob("*")):
            if not file.is_file() or any(part.startswith(".") for part in file.relative_to(path).parts):
                continue
            if file.suffix.lower() in READABLE:
                yield file
            else:
                plan.skipped.append(source_of(file, root))
    else:
        plan.failed[source_of(path, root)] = f"{path}: no such file or folder"


def _below(path: Path, root: Path, known: Iterable[str]) -> list[str]:
    """Sources that the domain holds from this path: itself, or what was in the folder."""
    named = (root.resolve() / source_of(path, root)).resolve()
    return [source for source in known if (root.resolve() / source).is_relative_to(named)]


def _plan_file(plan: Plan, file: Path, source: str, known: Mapping[str, str]) -> None:
    try:
        content = read_bytes(file)
        state = hashlib.sha256(SPLITTING.encode() + content).hexdigest()[:32]
        if known.get(source) == state:
            plan.unchanged.append(source)
            return
        rows = _rows(decode(content, str(file)), file, source, state, plan.domain)
    except UsageError as error:
        plan.failed[source] = f"{error} ({error.hint})"
        return
    if rows:
        plan.rows[source] = rows
        if source in known:
            plan.changed.add(source)
    elif source in known:
        plan.removed.append(source)
    else:
        plan.failed[source] = f"{file}: holds no text"


def _rows(text: str, file: Path, source: str, state: str, domain: str) -> list[Row]:
    pieces = split_document(text, name=file.stem, markdown=file.suffix.lower() in MARKDOWN)
    rows = []
    for piece in pieces:
        body = text[piece.start : piece.end]
        identity = hashlib.sha256(f"{source}\0{piece.start}\0{body}".encode()).hexdigest()[:24]
        passage = Passage(
            identity, body, piece.title, piece.heading_path, source, piece.start, piece.end, domain
        )
        rows.append(Row(passage, state))
    return rows


def _groups(rows: Mapping[str, Sequence[Row]]) -> Iterator[list[str]]:
    group: list[str] = []
    size = 0
    for source, its_rows in rows.items():
        group.append(source)
        size += len(its_rows)
        if size >= _GROUP_ROWS:
            yield group
            group, size = [], 0
    if group:
        yield group
