"""Tables of questions: exactly one answer a row, in any format, through kill −9 and in two runs at once."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from councils import ANSWER, QUESTION, council_of
from fakes import Script
from hypothesis import given, settings
from hypothesis import strategies as st

from proxycouncil.council.bulk.journal import Journal
from proxycouncil.council.bulk.tables import ANSWER_COLUMNS
from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process

ROWS = [
    {"id": "a", "question": QUESTION, "reason": "mine"},
    {"id": "b", "question": "", "reason": "a blank one"},
    {"id": "c", "question": "What is\u2028a 😀 fever?", "reason": 'with, "quotes"\nand a line'},
]


def council(*arguments: str, replies: Any = None, **more: Any) -> int:
    return run(list(arguments), Process(lambda _: council_of(replies, **more)))


def read(file: Path) -> list[dict[str, Any]]:
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n")[:-1]]
    if file.suffix == ".csv":
        with file.open(encoding="utf-8", newline="") as opened:
            return list(csv.DictReader(opened))
    import pyarrow.parquet as pq

    return pq.read_table(file).to_pylist()


def write(file: Path, rows: list[dict[str, Any]]) -> Path:
    if file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif file.suffix == ".csv":
        with file.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.DictWriter(opened, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), file)
    return file


@pytest.mark.parametrize("out", ["a.jsonl", "a.csv", "a.parquet"])
@pytest.mark.parametrize("kind", ["q.jsonl", "q.csv", "q.parquet"])
def test_every_row_has_one_answer_and_keeps_its_cells(tmp_path, kind, out, capsys):
    questions = write(tmp_path / kind, ROWS)
    assert council("ask", "--file", str(questions), "--out", str(tmp_path / out)) == 0
    rows = read(tmp_path / out)
    assert [row["id"] for row in rows] == ["a", "b", "c"]
    assert [row["question"] for row in rows] == [row["question"] for row in ROWS]
    assert [row["given_reason"] for row in rows] == [row["reason"] for row in ROWS]
    assert [int(row["row"]) for row in rows] == [0, 1, 2]
    assert rows[0]["answer"] == ANSWER
    assert [row["outcome"] for row in rows][:2] == ["consensus", "error"]
    assert rows[1]["reason"] == "the question is empty"
    assert set(ANSWER_COLUMNS) < set(rows[0])
    assert not list(tmp_path.glob("*.part*"))
    assert "3 rows" in capsys.readouterr().err


def test_lines_that_are_no_objects_are_questions(tmp_path):
    (tmp_path / "q.txt").write_text(f"{QUESTION}\n\n{{not json", encoding="utf-8")
    assert council("ask", "--file", str(tmp_path / "q.txt"), "--out", str(tmp_path / "a.jsonl")) == 0
    assert [row["question"] for row in read(tmp_path / "a.jsonl")] == [QUESTION, "", "{not json"]


def test_types_of_parquet_are_kept_and_citations_are_structs(tmp_path):
    import pyarrow.parquet as pq

    questions = write(tmp_path / "q.parquet", [{"question": QUESTION, "n": 7, "tags": ["x"]}])
    assert council("ask", "--file", str(questions), "--out", str(tmp_path / "a.parquet")) == 0
    table = pq.read_table(tmp_path / "a.parquet")
    given = pq.read_schema(questions)
    assert all(table.schema.field(name).type == given.field(name).type for name in given.names)
    (row,) = table.to_pylist()
    assert row["citations"][0]["title"] == "Opportunity cost"
    assert row["confidence"] > 0


def test_an_empty_table_becomes_an_empty_table(tmp_path):
    (tmp_path / "q.csv").write_text("id,question\n", encoding="utf-8")
    assert council("ask", "--file", str(tmp_path / "q.csv"), "--out", str(tmp_path / "a.csv")) == 0
    assert read(tmp_path / "a.csv") == []


def test_a_row_that_breaks_is_a_row_and_all_broken_is_exit_3(tmp_path):
    def replies(member: str, request: Any) -> Any:
        return Script(raises=RuntimeError("boom"))

    questions = write(tmp_path / "q.jsonl", ROWS[:1])
    out = tmp_path / "a.jsonl"
    assert council("ask", "--file", str(questions), "--out", str(out), replies=replies) == 3
    (row,) = read(out)
    assert row["outcome"] == "error"
    assert "boom" in row["reason"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--out", "a.jsonl"], "needs a file"),
        (["--file", "-", "--out", "a.jsonl"], "needs a file"),
        (["--file", "q.csv", "--out", "a.xlsx"], "can't be written"),
        (["--file", "q.csv", "--out", "nowhere/a.csv"], "no folder"),
        (["--file", "q.csv", "--out", "q.csv"], "is there already"),
        (["--file", "none.csv", "--out", "a.csv"], "can't read"),
        (["--file", "other.csv", "--out", "a.csv"], "no column 'question'"),
        (["--file", "ragged.csv", "--out", "a.csv"], "more cells"),
        (["--file", "false.parquet", "--out", "a.csv"], "no Parquet file"),
        (["--file", "q.csv", "--out", "a.csv", "--thread", "t"], "exclude each other"),
        ([QUESTION, "--out", "a.csv"], "exclude each other"),
    ],
)
def test_what_can_not_work_is_said_before_anybody_is_asked(tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    Path("q.csv").write_text(f"question\n{QUESTION}\n", encoding="utf-8")
    Path("other.csv").write_text("prompt\nx\n", encoding="utf-8")
    Path("ragged.csv").write_text("question\na,b\n", encoding="utf-8")
    Path("false.parquet").write_text("question\n", encoding="utf-8")
    assert council("ask", *arguments) == 2
    assert says in capsys.readouterr().err
    assert not Path("a.csv").exists()


class TestBrokenOff:
    def test_killed_in_the_middle_every_row_is_answered_once(self, tmp_path):
        """A child is killed by SIGKILL in the middle of 60 rows; the same command goes on."""
        rows = [{"id": str(n), "question": f"{QUESTION} ({n})"} for n in range(60)]
        questions, out = write(tmp_path / "q.jsonl", rows), tmp_path / "a.jsonl"
        log = tmp_path / "answered.log"
        child = subprocess.Popen(program(questions, out, log))
        while answered(log) < 25:
            assert child.poll() is None
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        assert not out.exists()
        assert (tmp_path / "a.jsonl.part").exists()
        assert subprocess.run(program(questions, out, log), check=False).returncode == 0
        told = read(out)
        assert [row["id"] for row in told] == [row["id"] for row in rows]
        assert {row["answer"] for row in told} == {ANSWER}
        # Asked again were at most those in flight when the child died.
        assert len(rows) <= answered(log) <= len(rows) + 4
        assert not list(tmp_path.glob("*.part*"))

    def test_another_file_or_council_does_not_go_on_with_it(self, tmp_path, capsys):
        out = tmp_path / "a.jsonl"
        with Journal(tmp_path / "a.jsonl.part", begun_with={"file of questions": "x"}):
            pass
        questions = write(tmp_path / "q.jsonl", ROWS)
        assert council("ask", "--file", str(questions), "--out", str(out)) == 2
        assert "was begun with another file of questions" in capsys.readouterr().err

    def test_two_runs_at_once_are_one(self, tmp_path, capsys):
        questions = write(tmp_path / "q.jsonl", ROWS)
        with Journal(tmp_path / "a.jsonl.part", begun_with={}):
            assert council("ask", "--file", str(questions), "--out", str(tmp_path / "a.jsonl")) == 2
        assert "another run writes" in capsys.readouterr().err

    def test_what_is_no_journal_is_left_alone(self, tmp_path):
        part = tmp_path / "a.jsonl.part"
        part.write_text("my own notes, much longer than a header of SQLite would ever be" * 20)
        questions = write(tmp_path / "q.jsonl", ROWS)
        assert council("ask", "--file", str(questions), "--out", str(tmp_path / "a.jsonl")) == 2
        assert part.read_text().startswith("my own notes")


@settings(max_examples=25, deadline=None)
@given(st.sets(st.integers(0, 30)), st.integers(0, 25))
def test_a_journal_misses_what_it_does_not_hold_whatever_is_kept_meanwhile(
    tmp_path_factory, before: set[int], count: int
):
    file = tmp_path_factory.mktemp("journal") / "part"
    with Journal(file, begun_with={}) as journal:
        for row in before:
            assert journal.keep(row, {"outcome": "consensus"})
        given_out = []
        for row in journal.missing(count):
            given_out.append(row)
            assert journal.keep(row, {"outcome": "abstain"})
            assert not journal.keep(row, {"outcome": "error"})
        assert given_out == sorted(set(range(count)) - before)
        assert "error" not in journal.outcomes()


def program(questions: Path, out: Path, log: Path) -> list[str]:
    """A fresh interpreter that answers the table, a little slowly, and writes a line for each answer."""
    body = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_bulk import *
sys.exit(council("ask", "--file", {str(questions)!r}, "--out", {str(out)!r}, replies=logging({str(log)!r})))
"""
    return [sys.executable, "-c", body]


def logging(log: str) -> Any:
    """Replies that note every question once, when the generalist is first asked it."""
    seen: set[str] = set()

    def reply(member: str, request: Any) -> Script:
        question = request.prompt.question
        if question not in seen:
            seen.add(question)
            with Path(log).open("a", encoding="utf-8") as file:
                file.write(f"{question}\n")
        return Script(ANSWER, delay_s=0.001)

    return reply


def answered(log: Path) -> int:
    return len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0
