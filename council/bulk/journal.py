"""What has been answered so far, kept in SQLite beside the table that will be written.

A row is answered once: its number is the primary key, and a second answer to it is dropped. What stands in
the journal outlives kill −9. Knows rows and numbers; nothing of questions.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from proxycouncil.errors import UsageError


class Journal:
    """The journal of one table; one process at a time.

    Args:
        file: made where it is missing, gone on with where it is there.
        begun_with: what must be the same whenever the run goes on, by name.

    Raises:
        UsageError: another process writes it, it was begun with something else, or it is no journal.
    """

    def __init__(self, file: Path, *, begun_with: Mapping[str, str]) -> None:
        self.file = file
        try:
            self._database = sqlite3.connect(file, isolation_level=None, timeout=0.0)
            self._prepare()
            self._compare(begun_with)
        except sqlite3.OperationalError as error:
            busy = "locked" in str(error)
            raise UsageError(
                f"another run writes {file}" if busy else f"can't write {file}: {error}",
                hint="wait for it, or name another file with --out" if busy else "name another place",
            ) from error
        except sqlite3.DatabaseError as error:
            raise UsageError(f"{file} is no journal of ours: {error}", hint="move it away") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    @property
    def count(self) -> int:
        """Rows answered so far."""
        return int(self._database.execute("SELECT count(*) FROM answers").fetchone()[0])

    def keep(self, row: int, answer: Mapping[str, Any]) -> bool:
        """Keep an answer; False where the row has one already, which stays."""
        text = json.dumps(answer, ensure_ascii=True)
        done = self._database.execute("INSERT OR IGNORE INTO answers VALUES (?, ?)", (row, text))
        return done.rowcount == 1

    def missing(self, count: int) -> Iterator[int]:
        """Rows of so many that have no answer, in order; what is kept meanwhile changes nothing."""
        answered = self._numbers(count)
        following = next(answered, None)
        for row in range(count):
            while following is not None and following < row:  # answered since it was given out
                following = next(answered, None)
            if row != following:
                yield row

    def answers(self) -> Iterator[dict[str, Any]]:
        """Every answer, by row."""
        for (text,) in self._database.execute("SELECT answer FROM answers ORDER BY row"):
            yield json.loads(text)

    def outcomes(self) -> dict[str, int]:
        """How often each outcome came."""
        counted = "SELECT json_extract(answer, '$.outcome'), count(*) FROM answers GROUP BY 1"
        return dict(self._database.execute(counted).fetchall())

    def delete(self) -> None:
        """The table is written: nothing needs it any more."""
        self._database.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.file}{suffix}").unlink(missing_ok=True)

    def _numbers(self, count: int) -> Iterator[int]:
        """In pages: no cursor is left open while answers are written."""
        after = -1
        while True:
            page = self._database.execute(
                "SELECT row FROM answers WHERE row > ? AND row < ? ORDER BY row LIMIT 1000", (after, count)
            ).fetchall()
            if not page:
                return
            for (row,) in page:
                yield row
            after = page[-1][0]

    def _prepare(self) -> None:
        run = self._database.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        # A killed process loses nothing so; a power cut the last answers at most, and never the file.
        run("PRAGMA synchronous = NORMAL")
        run("BEGIN IMMEDIATE")
        run("CREATE TABLE IF NOT EXISTS begun (name TEXT PRIMARY KEY, value TEXT)")
        run("CREATE TABLE IF NOT EXISTS answers (row INTEGER PRIMARY KEY, answer TEXT NOT NULL)")
        run("COMMIT")

    def _compare(self, begun_with: Mapping[str, str]) -> None:
        found = dict(self._database.execute("SELECT name, value FROM begun").fetchall())
        if not found:
            self._database.executemany("INSERT INTO begun VALUES (?, ?)", list(begun_with.items()))
            return
        other = [name for name, value in begun_with.items() if found.get(name) != value]
        if other:
            raise UsageError(
                f"{self.file.name} was begun with another {' and another '.join(other)}",
                hint=f"go on with what it was begun with, or delete {self.file} to begin anew",
            )
