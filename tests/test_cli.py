"""The command line: what stdout carries, which code it ends with, and that help is light."""

import json
import os
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeGenerator, FakeSearcher, Script  # noqa: F401 (used by child processes)

from proxycouncil import __version__
from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.council.question_lines import read_questions

HEAVY = {"torch", "transformers", "chromadb", "sentence_transformers", "langgraph", "peft", "sklearn"}
README = Path(__file__).parents[1] / "README.md"
QUESTION = "What is opportunity cost?"
ANSWER = "the value of the best alternative given up"
DECISION_FIELDS = {
    "outcome", "text", "confidence", "agreement", "citations", "dissent", "reason", "degraded", "question",
}  # fmt: skip


def process(replies: Any = None, *, root: Path | None = None) -> Process:
    """A run whose council is made of fakes."""
    config = CouncilConfig.from_mapping(
        {
            "family": {"base": "none", "antiexpert": "none"},
            "specialists": {name: {"expert": "none"} for name in ("economics", "law", "medicine")},
            "generalist": {"expert": "none"},
        }
    )
    generator = FakeGenerator({"*": ANSWER} if replies is None else replies)
    return Process(lambda _: Council(config, generator=generator, searcher=FakeSearcher(root=root)))


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def decisions(text: str) -> list[dict[str, Any]]:
    return [event for event in events(text) if event["type"] == "decision"]


class TestAsk:
    def test_stdout_carries_the_answer_and_its_citations_alone(self, tmp_path, capsys):
        assert run(["ask", QUESTION], process(root=tmp_path)) == 0
        out, err = capsys.readouterr()
        lines = out.splitlines()
        assert lines[0] == f"{ANSWER} [1]"
        assert lines[2] == f"[1] Opportunity cost — {tmp_path / 'economics.md'}:5"
        assert "economics (shared)" in err
        assert "\x1b" not in out + err

    def test_json_is_events_and_the_last_is_the_decision(self, tmp_path, capsys):
        assert run(["ask", "--json", QUESTION], process(root=tmp_path)) == 0
        printed = events(capsys.readouterr().out)
        assert {event["v"] for event in printed} == {1}
        assert printed[0]["type"] == "route"
        decision = printed[-1]
        assert decision["type"] == "decision"
        assert set(decision) >= DECISION_FIELDS
        assert decision["question"] == QUESTION
        for citation in decision["citations"]:
            text = Path(citation["source"]).read_text(encoding="utf-8")
            assert text[citation["start"] : citation["end"]] == citation["quote"]

    def test_json_is_ascii_so_that_no_character_ends_a_line(self, capsys):
        assert run(["ask", "--json", QUESTION], process({"*": "die\u2028Alternative\x85 kostet"})) == 0
        out = capsys.readouterr().out
        assert out.isascii()
        assert len(out.splitlines()) == out.count("\n")

    def test_members_asks_just_those(self, capsys):
        assert run(["ask", "--json", "--members", "law,medicine", QUESTION], process()) == 0
        printed = events(capsys.readouterr().out)
        assert {event["ballot"]["member"] for event in printed if event["type"] == "ballot"} == {
            "law",
            "medicine",
        }

    def test_unknown_member_is_a_usage_error(self, capsys):
        assert run(["ask", "--members", "astrology", QUESTION], process()) == 2
        out, err = capsys.readouterr()
        assert not out
        assert "error: no member is called 'astrology'" in err
        assert "hint: members are economics" in err

    def test_everybody_failing_is_exit_3(self, capsys):
        assert run(["ask", "--json", QUESTION], process({"*": RuntimeError("out of paper")})) == 3
        decision = events(capsys.readouterr().out)[-1]
        assert decision["outcome"] == "error"
        assert "out of paper" in decision["reason"]

    def test_everybody_failing_is_an_error_for_people_too(self, capsys):
        assert run(["ask", QUESTION], process({"*": RuntimeError("out of paper")})) == 3
        out, err = capsys.readouterr()
        assert not out
        assert "error: " in err

    def test_abstaining_is_exit_0(self, capsys):
        assert run(["ask", QUESTION], process({})) == 0
        assert capsys.readouterr().out.startswith("The council does not know: ")

    @pytest.mark.parametrize("question", ["", "   ", "\n\t", "x" * 100_000])
    def test_what_is_no_question_is_exit_2(self, question, capsys):
        assert run(["ask", question], process()) == 2
        out, err = capsys.readouterr()
        assert not out
        assert "error: the question" in err

    def test_question_may_come_from_a_pipe(self, monkeypatch, capsys):
        monkeypatch.setattr(sys, "stdin", StringIO(f"{QUESTION}\n"))
        assert run(["ask", "--json"], process()) == 0
        assert events(capsys.readouterr().out)[-1]["question"] == QUESTION

    def test_timings_say_where_the_time_went(self, capsys):
        assert run(["ask", "--timings", QUESTION], process()) == 0
        out, err = capsys.readouterr()
        assert out.startswith(ANSWER)
        assert all(stage in err for stage in ("open", "route", "consult", "vote", "decide"))

    def test_terminal_escapes_of_a_model_are_not_obeyed(self, capsys):
        assert run(["ask", QUESTION], process({"*": "the value \x1b[31mof the\u202e [red]best[/red]"})) == 0
        out, err = capsys.readouterr()
        assert "[red]best[/red]" in out
        assert not {"\x1b", "\u202e"} & set(out + err)

    def test_interrupt_is_exit_130_without_a_word(self, capsys):
        def interrupted(_: Path | None) -> Council:
            raise KeyboardInterrupt

        assert run(["ask", QUESTION], Process(interrupted)) == 130
        assert "Traceback" not in capsys.readouterr().err

    def test_a_fault_of_ours_is_one_line_and_a_traceback_only_on_demand(self, capsys):
        def broken(_: Path | None) -> Council:
            raise ZeroDivisionError("ours")

        assert run(["ask", QUESTION], Process(broken)) == 1
        assert "Traceback" not in capsys.readouterr().err
        assert run(["ask", "--debug", QUESTION], Process(broken)) == 1
        assert "Traceback" in capsys.readouterr().err


class TestAskFile:
    def test_decisions_come_in_the_order_of_the_questions(self, tmp_path, capsys):
        asked = [QUESTION, "What is a contract?", "# What is a fever?", "What is insulin?", QUESTION]
        file = tmp_path / "questions.txt"
        file.write_text("\n".join(asked) + "\n", encoding="utf-8")
        assert run(["ask", "--json", "--file", str(file)], process()) == 0
        assert [decision["question"] for decision in decisions(capsys.readouterr().out)] == asked

    def test_one_bad_line_spoils_no_other(self, tmp_path, capsys):
        file = tmp_path / "questions.txt"
        file.write_bytes(
            f"{QUESTION}\r\n\n\x00\x1b\x0b\u2028?\n\xff\xfe".encode("latin-1", "replace") + b"\n"
        )
        run(["ask", "--json", "--file", str(file)], process())
        found = decisions(capsys.readouterr().out)
        assert len(found) == 4
        assert found[0]["text"] == ANSWER
        assert found[1]["outcome"] == "error"
        assert found[1]["reason"] == "the question is empty"

    def test_objects_carry_threads(self, tmp_path, capsys):
        lines = [{"question": QUESTION, "thread": "t"}, {"question": "What is a fever?"}, {"thread": "t"}]
        file = tmp_path / "questions.jsonl"
        file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
        assert run(["ask", "--json", "--file", str(file)], process()) == 3
        found = decisions(capsys.readouterr().out)
        assert [decision["thread"] for decision in found] == ["t", None, "t"]
        assert [decision["outcome"] == "error" for decision in found] == [False, False, True]

    def test_people_get_answers_on_stdout(self, tmp_path, capsys):
        file = tmp_path / "questions.txt"
        file.write_text(f"{QUESTION}\n{QUESTION}\n", encoding="utf-8")
        assert run(["ask", "--file", str(file)], process()) == 0
        assert capsys.readouterr().out.count(f"{ANSWER} [1]") == 2

    @pytest.mark.parametrize("arguments", [["--file", "/no/such/file"], [QUESTION, "--file", "-"]])
    def test_misuse_is_exit_2(self, arguments, capsys):
        assert run(["ask", *arguments], process()) == 2
        assert "error: " in capsys.readouterr().err

    def test_lines_are_read_as_they_are(self):
        lines = ["a\n", "{not json\n", "[1]\n", '{"question": 3}\n', "\n", '{"question": "\\ud800?"}\n', "z"]
        assert [one.text for one in read_questions(lines)] == ["a", "{not json", "[1]", "", "", "??", "z"]


class TestOthers:
    def test_version(self, capsys):
        assert run(["--version"]) == 0
        assert capsys.readouterr().out.strip() == f"council {__version__}"

    def test_unknown_command_is_exit_2(self, capsys):
        assert run(["divine"]) == 2
        assert "divine" in capsys.readouterr().err

    def test_configuration_errors_are_exit_2(self, tmp_path, capsys):
        file = tmp_path / "council.toml"
        file.write_text('[family]\nbase = "x"\nantiexprt = "y"\n', encoding="utf-8")
        assert run(["ask", "--config", str(file), QUESTION]) == 2
        err = capsys.readouterr().err
        assert "unknown key family.antiexprt" in err
        assert "hint: did you mean antiexpert?" in err

    def test_graph_is_drawn_from_the_graph(self, capsys):
        assert run(["graph"]) == 0
        drawn = capsys.readouterr().out
        assert drawn[drawn.index("graph TD") :].strip() in README.read_text(encoding="utf-8")
        assert "route -.-> consult" in drawn
        assert "route -.-> vote" not in drawn  # LangGraph's own drawing has it, and there is no such way

    def test_ingest_refuses_a_domain_that_nobody_reads(self, tmp_path, capsys):
        assert run(["ingest", "astrology", str(tmp_path)], process()) == 2
        assert "add [specialists.astrology]" in capsys.readouterr().err
        assert run(["ingest", "law"], process()) == 2
        assert "no documents for law" in capsys.readouterr().err

    def test_inspect_shows_members_library_and_settings(self, capsys):
        assert run(["inspect"], process()) == 0
        out = capsys.readouterr().out
        assert all(text in out for text in ("economics", "fake-embedder", "council.quorum"))

    def test_inspect_shows_what_would_be_asked_and_read(self, capsys):
        assert run(["inspect", QUESTION], process()) == 0
        out = capsys.readouterr().out
        assert "asking economics" in out
        assert "1. Opportunity cost (economics, economics.md)" in out

    def test_tune_wants_a_specialist_that_exists(self, tmp_path, capsys):
        assert run(["tune", "astrology", "--questions", str(tmp_path / "none.jsonl")], process()) == 2
        assert "no specialist is called 'astrology'" in capsys.readouterr().err

    def test_doctor_names_what_is_missing_and_its_cure(self, tmp_path, capsys):
        file = tmp_path / "council.toml"
        (tmp_path / "base").mkdir()
        (tmp_path / "base" / "model.safetensors").write_bytes(b"\xff" * 64)
        file.write_text('[family]\nbase = "./base"\n', encoding="utf-8")
        assert run(["doctor", "--config", str(file)]) == 2
        out = capsys.readouterr().out
        assert "ok    python" in out
        assert "ok    packages" in out
        assert "fail  base" in out
        assert "copy or download the file again" in out


def council_program(body: str) -> list[str]:
    """A fresh interpreter that runs the command line on fakes."""
    tests = Path(__file__).parent
    head = f"import sys; sys.path.insert(0, {str(tests)!r}); from test_cli import *\n"
    return [sys.executable, "-c", head + body]


class TestProcess:
    def test_help_is_light(self):
        probe = "import sys, atexit; from proxycouncil.council.cli.app import run; run(['--help']); "
        probe += "print(' '.join(sorted({name.split('.')[0] for name in sys.modules})))"
        done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
        assert "ask" in done.stdout
        assert not HEAVY & set(done.stdout.splitlines()[-1].split())

    def test_reader_that_goes_away_is_no_traceback(self, tmp_path):
        file = tmp_path / "questions.txt"
        file.write_text("What is a fever?\n" * 300, encoding="utf-8")
        body = f"sys.exit(run(['ask', '--json', '--file', {str(file)!r}], process()))"
        done = subprocess.Popen(
            council_program(body), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert done.stdout is not None
        assert done.stderr is not None
        done.stdout.readline()
        done.stdout.close()
        assert "Traceback" not in done.stderr.read()
        assert done.wait() == 1
        done.stderr.close()

    @pytest.mark.skipif(os.name == "nt", reason="SIGINT is a POSIX signal")
    def test_ctrl_c_stops_a_running_question(self):
        # A shell's background jobs, CI's among them, start with SIGINT ignored, and children inherit that.
        body = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        body += "slow = Script('one two three four', delay_s=30)\n"
        body += f"sys.exit(run(['ask', '--json', {QUESTION!r}], process({{'*': slow}})))"
        done = subprocess.Popen(
            council_program(body), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert done.stdout is not None
        assert "route" in done.stdout.readline()
        done.send_signal(signal.SIGINT)
        _, err = done.communicate(timeout=60)
        assert done.returncode == 130
        assert "Traceback" not in err
