"""Which documents are new, changed, moved or gone: by the digest of their bytes. No file is parsed here.

A state is a digest of a file's bytes and of the way of reading and splitting, so that a new way of either
makes every document it concerns a changed one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from proxycouncil.errors import UsageError
from proxycouncil.retrieval.formats import VERSION
from proxycouncil.retrieval.kinds import LARGEST_BYTES, OWN_TEXT, READABLE, kind_of
from proxycouncil.retrieval.splitting import SPLITTING

_HASHED_AT_ONCE = 1 << 20
_PASSED_OVER = frozenset({"node_modules", "__pycache__"})


@dataclass(frozen=True, slots=True)
class File:
    """A document that is to be read."""

    path: Path
    source: str
    state: str
    sha256: str
    bytes: int


@dataclass(slots=True)
class Plan:
    """What an ingest is going to do, and what it found out while doing it."""

    domain: str
    known: Mapping[str, str]
    """State of each file that the domain held before, by source."""
    files: list[File] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)
    """New source → the one that the same file had."""
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    """Passages of each document that was taken in."""

    def stale(self, source: str) -> list[str]:
        """What goes when the new passages of a document come."""
        before = self.moved.get(source, source)
        return [before] if before in self.known else []


def plan_ingest(domain: str, paths: Sequence[Path], *, root: Path, known: Mapping[str, str]) -> Plan:
    """Look at the files.

    Args:
        domain: where they go.
        paths: files, and folders that are read with all below them.
        root: what sources are relative to; a document elsewhere is known by its absolute path.
        known: state of each file that the domain holds, by source.
    """
    plan = Plan(domain, known)
    seen: set[str] = set()
    removed: set[str] = set()
    for path in paths:
        for file in _files(path, plan, root):
            source = source_of(file, root)
            if source not in seen:
                seen.add(source)
                _look_at(plan, file, source)
        removed.update(source for source in _below(path, root, known) if source not in seen)
    plan.removed = sorted(removed - seen)
    for source in plan.removed:
        plan.failed.pop(source, None)
    _find_moved(plan)
    return plan


def source_of(path: Path, root: Path) -> str:
    """How a document is known: relative to the root where it lies under it, with "/"."""
    resolved, base = path.resolve(), root.resolve()
    return (resolved.relative_to(base) if resolved.is_relative_to(base) else resolved).as_posix()


def reason(error: UsageError) -> str:
    """An error as a report tells it."""
    return f"{error} ({error.hint})"


def _files(path: Path, plan: Plan, root: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        for file in sorted(path.rglob("*")):
            parts = file.relative_to(path).parts
            if not file.is_file() or any(part.startswith(".") or part in _PASSED_OVER for part in parts):
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


def _look_at(plan: Plan, path: Path, source: str) -> None:
    try:
        file = _digested(path, source)
    except UsageError as error:
        plan.failed[source] = reason(error)
        return
    if plan.known.get(source) == file.state:
        plan.unchanged.append(source)
    else:
        plan.files.append(file)


def _digested(path: Path, source: str) -> File:
    suffix = path.suffix.lower()
    if suffix not in READABLE:
        kind_of(path)
    way = SPLITTING if suffix in OWN_TEXT else f"{SPLITTING} read-{VERSION}"
    state, original = hashlib.sha256(way.encode()), hashlib.sha256()
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            kind_of(path)  # which refuses it: not worth its digest
        with path.open("rb") as opened:
            while part := opened.read(_HASHED_AT_ONCE):
                state.update(part)
                original.update(part)
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror or error}", hint="check the path and its permissions"
        ) from error
    return File(path, source, state.hexdigest()[:32], original.hexdigest(), size)


def _find_moved(plan: Plan) -> None:
    """The same bytes under another name, where the old name is gone: its vectors need not be made again."""
    gone = {plan.known[source]: source for source in reversed(plan.removed)}
    for file in plan.files:
        before = gone.pop(file.state, None) if file.source not in plan.known else None
        if before is not None:
            plan.moved[file.source] = before
            plan.removed.remove(before)
