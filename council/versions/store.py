"""The folder `versions/` beside council.toml: kept parts, versions, the pointer and the journal.

```
versions/
  current.json              the pointer: which version answers; replaced as one
  journal.jsonl             a line for each promotion and each way back
  releases/ID.json          what a version is made of
  experts/FINGERPRINT/      parts by content, never written again
  libraries/FINGERPRINT/
  calibrations/FINGERPRINT.json
  runs/                     what promoted versions answered, so that the next need not ask them again
```

Knows files and their order of writing: a process that dies leaves the pointer as it was, or as it will be.
Knows nothing of models or questions.
"""

from __future__ import annotations

import getpass
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from proxycouncil.council.versions.release import Release
from proxycouncil.errors import ConfigError, UsageError

FOLDER = "versions"
DRAFT = "draft"
"""Names council.toml as it is written, whatever was promoted."""
KINDS = ("experts", "libraries", "calibrations")
"""Of parts that are kept by content."""
_LOCK_S = 10.0


class Pointer(BaseModel):
    """Which version answers, for which settings file."""

    model_config = ConfigDict(frozen=True)

    v: Literal[1] = 1
    version: str
    config: str
    since: str


class Entry(BaseModel):
    """One line of the journal."""

    model_config = ConfigDict(frozen=True)

    v: Literal[1] = 1
    action: Literal["promote", "rollback", "refuse"]
    version: str
    before: str | None
    at: str
    by: str
    changes: list[str] = []
    forced: bool = False
    verdict: str | None = None
    """Of the comparison with the version before; None: there was none."""
    reasons: list[str] = []
    compared: dict[str, Any] | None = None
    """Questions, difference with its interval, drift."""


def now() -> str:
    """Coordinated universal time, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def whoever() -> str:
    """Who runs this, as the system calls them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


class Store:
    """The versions of one council.toml."""

    def __init__(self, config: Path, *, clock: Callable[[], str] = now) -> None:
        self.config = config.expanduser().resolve()
        self.root = self.config.parent / FOLDER
        self.pointer = self.root / "current.json"
        self._clock = clock

    @property
    def current(self) -> str | None:
        """The id of the version that answers; None where none was promoted.

        Raises:
            ConfigError: the pointer can't be read.
        """
        try:
            found = Pointer.model_validate_json(self.pointer.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise ConfigError(
                f"can't read {self.pointer}", hint="`council rollback VERSION` writes it again"
            ) from error
        return found.version if found.config == self.config.name else None

    @property
    def previous(self) -> str | None:
        """What `rollback` goes back to: going back twice goes back two promotions."""
        line = self.line()
        return line[-2] if len(line) > 1 else None

    def line(self) -> list[str]:
        """The versions that led to the one that answers, oldest first; those gone back from are not in it."""
        line: list[str] = []
        for entry in self.journal():
            if entry.action == "rollback" and entry.version in line:
                del line[line.index(entry.version) + 1 :]
            elif entry.action != "refuse" and line[-1:] != [entry.version]:
                line.append(entry.version)
        return line

    def ids(self) -> list[str]:
        """All versions that are kept, also those that were refused."""
        return sorted(file.stem for file in (self.root / "releases").glob("*.json"))

    def release(self, version: str) -> Release:
        """A version by its id, or by as much of it as no other begins with.

        Raises:
            UsageError: there is none, or several.
        """
        found = [name for name in self.ids() if name.startswith(version)]
        if len(found) != 1 or not version:
            which = "several versions begin" if found else "no version begins"
            raise UsageError(f"{which} with {version!r}", hint="`council versions` lists them")
        file = self.root / "releases" / f"{found[0]}.json"
        try:
            return Release.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise ConfigError(f"can't read {file}", hint="promote the same parts again") from error

    def journal(self) -> list[Entry]:
        """Promotions, refusals and ways back, oldest first. A line cut off by a crash is passed over."""
        try:
            lines = (self.root / "journal.jsonl").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return list(_entries(lines))

    def keep(self, release: Release) -> str:
        """Write a version down; returns its id."""
        file = self.root / "releases" / f"{release.id}.json"
        if not file.exists():
            _replace(file, release.model_dump_json(indent=2) + "\n")
        return release.id

    def keep_folder(self, source: Path, kind: str, fingerprint: str, *, leave: tuple[str, ...] = ()) -> str:
        """Copy a folder in, unless its content is there; returns its place below `versions/`."""
        place = f"{kind}/{fingerprint}"
        if not (self.root / place).is_dir():
            with self._written():
                fresh = self.root / kind / f".{fingerprint}-{uuid4().hex[:8]}"
                try:
                    shutil.copytree(source, fresh, ignore=shutil.ignore_patterns(*leave))
                    fresh.rename(self.root / place)
                except OSError:
                    if not (self.root / place).is_dir():  # else another process kept the same
                        raise
                finally:
                    shutil.rmtree(fresh, ignore_errors=True)
        return place

    def keep_file(self, source: Path, kind: str, fingerprint: str) -> str:
        """Copy a file in; returns its place below `versions/`."""
        place = f"{kind}/{fingerprint}{source.suffix}"
        if not (self.root / place).is_file():
            _replace(self.root / place, source.read_text(encoding="utf-8"))
        return place

    def prune(self, keep: int) -> list[str]:
        """Delete all but the last so many versions of the line, and what only they used; returns their ids.

        A version that answers anywhere must be among those kept.
        """
        kept = {*self.line()[-max(1, keep) :], *filter(None, [self.current])}
        gone = [version for version in self.ids() if version not in kept]
        used = {part.place for version in kept for part in self.release(version).parts if part.here}
        with self._written():
            for version in gone:
                (self.root / "releases" / f"{version}.json").unlink()
                for file in (self.root / "runs").glob(f"{version}-*"):
                    file.unlink()
            for kind in KINDS:
                for place in (self.root / kind).glob("*"):
                    if f"{kind}/{place.name}" not in used:
                        shutil.rmtree(place) if place.is_dir() else place.unlink()
        return gone

    def point_to(self, version: str, action: Literal["promote", "rollback"], **told: Any) -> Entry:  # noqa: ANN401 (fields of `Entry`)
        """Let that version answer from now on, and say so in the journal."""
        entry = self._entry(action, version, told)
        pointer = Pointer(version=version, config=self.config.name, since=entry.at)
        # The pointer first: a journal that lacks a line misleads nobody about what answers.
        _replace(self.pointer, pointer.model_dump_json() + "\n")
        self._write_down(entry)
        return entry

    def refuse(self, version: str, **told: Any) -> Entry:  # noqa: ANN401 (fields of `Entry`)
        """Say in the journal that a version was kept back."""
        entry = self._entry("refuse", version, told)
        self._write_down(entry)
        return entry

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Held while the pointer moves, so that no two do at once; never while versions are asked.

        Raises:
            UsageError: another process holds it.
        """
        from filelock import FileLock, Timeout

        with self._written():
            self.root.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.root / ".lock", timeout=_LOCK_S):
                yield
        except Timeout as error:
            raise UsageError(f"another process moves the pointer in {self.root}", hint="try again") from error

    def _entry(self, action: Literal["promote", "rollback", "refuse"], version: str, told: Any) -> Entry:  # noqa: ANN401
        before = self.current
        return Entry(action=action, version=version, before=before, at=self._clock(), by=whoever(), **told)

    def _write_down(self, entry: Entry) -> None:
        with self._written(), (self.root / "journal.jsonl").open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(entry.model_dump(), ensure_ascii=True) + "\n")

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UsageError(
                f"can't write {self.root}: {error.strerror or error}", hint="check its rights and the disk"
            ) from error


def _entries(lines: list[str]) -> Iterator[Entry]:
    for line in lines:
        try:
            yield Entry.model_validate_json(line)
        except ValidationError:
            continue


def _replace(file: Path, text: str) -> None:
    """Write beside and rename: whoever reads sees the old text or the new one."""
    fresh = file.with_name(f".{file.name}-{uuid4().hex[:8]}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        fresh.replace(file)
    except OSError as error:
        raise UsageError(
            f"can't write {file}: {error.strerror or error}", hint="check its rights and the disk"
        ) from error
    finally:
        fresh.unlink(missing_ok=True)
