"""The chat: what a scripted session shows, how it is interrupted, kept and resumed."""

import json
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeGenerator, FakeSearcher, Reply, Script
from rich.console import Console

from proxycouncil.council.chat import TWICE_WITHIN_S, Chat
from proxycouncil.council.chat_commands import COMMANDS, phrases
from proxycouncil.council.chat_input import PROMPT, PlainLines, private_file
from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.council.feedback import Feedback
from proxycouncil.council.rendering import console_for, one_line, visible
from proxycouncil.specialists.request import Request

QUESTION = "What is opportunity cost?"
ANSWER = "the value of the best alternative given up"


def council_of(replies: Any = None, *, root: Path | None = None) -> Council:
    config = CouncilConfig.from_mapping(
        {
            "family": {"base": "none", "antiexpert": "none"},
            "specialists": {name: {"expert": "none"} for name in ("economics", "law", "medicine")},
            "generalist": {"expert": "none"},
        }
    )
    generator = FakeGenerator({"*": ANSWER} if replies is None else replies)
    return Council(config, generator=generator, searcher=FakeSearcher(root=root))


class Typed:
    """Hands out lines; an exception in their midst is raised, a function is called first."""

    def __init__(self, lines: Iterable[str | BaseException | type[BaseException]]) -> None:
        self._lines = iter(lines)

    def read(self) -> str:
        line = next(self._lines, EOFError())
        if isinstance(line, str):
            return line
        raise line


def session(*lines: Any, replies: Any = None, root: Path | None = None, **more: Any) -> tuple[str, Chat]:
    """What a session with these lines shows."""
    shown = StringIO()
    with council_of(replies, root=root) as council:
        chat = Chat(council, thread="t", reader=Typed(lines), console=console_for(shown), **more)
        chat.run()
    return shown.getvalue(), chat


def test_a_question_shows_ballots_then_vote_then_decision(tmp_path):
    shown, chat = session(QUESTION, root=tmp_path)
    order = [
        "asking economics",
        "economics (shared)",
        "share",
        f"{ANSWER} [1]",
        "economics.md:5",
        "consensus",
    ]
    places = [shown.index(text) for text in order]
    assert places == sorted(places)
    assert chat.last is not None
    assert chat.last.text == ANSWER


def test_sources_why_and_ballots_tell_of_the_last_answer(tmp_path):
    shown, _ = session(QUESTION, "/sources", "/why", "/ballots", root=tmp_path)
    assert "passage economics-" in shown
    assert "out of scope" in shown
    assert shown.count("steered") >= 2


def test_commands_before_any_answer_say_so():
    shown, _ = session("/sources", "/why", "/ballots")
    assert shown.count("error: nothing was answered yet") == 3


def test_alpha_steers_from_the_next_question_on():
    generator = FakeGenerator({"*": ANSWER})
    with council_of() as council:
        council._generator = generator
        chat = Chat(council, thread="t", reader=Typed([]), console=console_for(StringIO()))
        chat.take("/alpha law 2.5")
        chat.take("/ask law What is a contract?")
    assert {request.pairs[0].alpha for request in generator.requests} == {2.5}
    assert {request.pairs[0].expert for request in generator.requests} == {"law"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/alpha law", "/alpha takes a member and a number"),
        ("/alpha law much", "much is not a number"),
        ("/alpha law 1e9", "beyond all use"),
        ("/alpha astrology 1", "no member is called 'astrology'"),
        ("/ask law", "/ask takes a member and a question"),
        ("/ask astrology what?", "no member is called 'astrology'"),
        ("/save", "/save takes a file"),
        ("/save /no/such/folder/x.md", "can't write"),
        ("/attach /no/such/file.md", "No such file"),
        ("/attach picture.png", "can't be read"),
        ("/attach", "members also read: nothing"),
        ("/sorces", "did you mean /sources?"),
        ("x" * 100_000, "error: the question has 100,000 characters"),
    ],
)
def test_mistakes_are_told_and_the_chat_goes_on(line, said):
    shown, _ = session(line, "/help")
    assert said in shown
    assert "/history" in shown


def test_blank_lines_are_nothing():
    assert session("", "   ", "\t")[0] == ""


def test_help_lists_the_whole_table():
    shown, _ = session("/help")
    assert all(f"{one.name} {one.arguments}".strip() in shown for one in COMMANDS)
    assert len({one.name for one in COMMANDS}) == len(COMMANDS)


def test_completion_is_made_from_the_table():
    offered = list(phrases(["law", "general"]))
    assert {one.name for one in COMMANDS} <= set(offered)
    assert "/alpha law " in offered
    assert "/ask general " in offered


def test_quit_leaves_at_once():
    shown, _ = session("/quit", QUESTION)
    assert ANSWER not in shown


def test_history_and_save_tell_the_conversation(tmp_path):
    file = tmp_path / "talk.md"
    shown, _ = session("/history", QUESTION, "/history", f"/save {file}", f"/save {file}")
    assert "nothing was asked yet" in shown
    assert f"1. {QUESTION}" in shown
    assert file.read_text(encoding="utf-8") == f"# t\n\n## {QUESTION}\n\n{ANSWER}\n"
    assert "is there already" in shown


def test_forgetting_deletes_the_turns():
    shown, chat = session(QUESTION, "/forget", "/history", "/why")
    assert "deleted" in shown
    assert "nothing was asked yet" in shown
    assert "nothing was answered yet" in shown
    assert chat.answers == []


def test_what_a_model_writes_is_neither_markup_nor_obeyed():
    shown, _ = session(
        QUESTION, "/ballots", replies={"*": "[bold]the value[/bold] \x1b]0;owned\x07 \u202eof"}
    )
    assert "[bold]the value[/bold]" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_everybody_failing_is_shown_and_the_chat_goes_on():
    shown, _ = session(QUESTION, "/why", replies={"*": RuntimeError("out of paper")})
    assert shown.count("out of paper") >= 2
    assert "outcome" in shown


class TestFeedback:
    def session(self, tmp_path: Path, *lines: str, replies: Any = None) -> list[dict[str, Any]]:
        file = tmp_path / "state" / "feedback.jsonl"
        kept = Feedback(file, clock=lambda: "2026-01-02T03:04:05+00:00")
        shown, _ = session(*lines, replies=replies, feedback=kept)
        assert shown.count("kept as") == sum("agree" in line for line in lines)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        return [json.loads(line) for line in file.read_text().splitlines()]

    def test_agreeing_and_disagreeing_keep_labelled_questions(self, tmp_path):
        first, second, third = self.session(
            tmp_path, QUESTION, "/agree", "/disagree", "/disagree what is \u2028 forgone"
        )
        assert (first["right"], first["accepted"]) == (True, [ANSWER])
        assert (second["right"], second["accepted"]) == (False, [])
        assert (third["right"], third["accepted"]) == (False, ["what is \u2028 forgone"])
        assert first["question"] == QUESTION
        assert first["tally"]["groups"]
        assert len(first["ballots"]) > 2
        assert first["at"] == "2026-01-02T03:04:05+00:00"

    def test_not_knowing_can_be_right(self, tmp_path):
        (kept,) = self.session(tmp_path, QUESTION, "/agree", replies={})
        assert (kept["outcome"], kept["right"], kept["accepted"]) == ("abstain", True, [])

    def test_there_must_be_an_answer_and_a_place(self):
        shown, _ = session("/agree", QUESTION, "/disagree")
        assert "nothing was answered yet" in shown
        assert "this session keeps nothing" in shown


class TestExport:
    def test_pages_tell_sources_and_verdict(self, tmp_path):
        markdown, html = tmp_path / "talk.md", tmp_path / "talk.html"
        session(QUESTION, "What is a fever?", f"/export {markdown}", f"/export {html}", root=tmp_path)
        for page in (markdown.read_text(), html.read_text()):
            assert page.index(QUESTION) < page.index(ANSWER) < page.index("What is a fever?")
            assert "Opportunity cost" in page
            assert "economics.md:5" in page
            assert "consensus" in page
        assert html.read_text().startswith("<!doctype html>")

    def test_what_was_written_is_data(self, tmp_path):
        replies = {"*": '<script>alert("x")</script> the value of <img src=x onerror=y>'}
        files = [tmp_path / "talk.md", tmp_path / "talk.html"]
        session("What is <b>opportunity cost</b>?", *(f"/export {file}" for file in files), replies=replies)
        for file in files:
            page = file.read_text()
            assert "&lt;script&gt;" in page
            assert not any(live in page for live in ("<script", "<img", "<b>opp"))

    @pytest.mark.parametrize("line", ["/export", "/export talk", "/export talk.pdf"])
    def test_other_files_are_refused(self, line):
        assert "ends in .md or .html" in session(QUESTION, line)[0]

    def test_nothing_is_overwritten(self, tmp_path):
        file = tmp_path / "talk.html"
        file.write_text("mine")
        assert "is there already" in session(QUESTION, f"/export {file}")[0]
        assert file.read_text() == "mine"


class TestInterrupts:
    def test_once_while_typing_stays(self):
        shown, _ = session(KeyboardInterrupt(), QUESTION)
        assert ANSWER in shown

    def test_twice_within_two_seconds_leaves(self):
        shown, _ = session(KeyboardInterrupt(), KeyboardInterrupt(), QUESTION, clock=lambda: 7.0)
        assert ANSWER not in shown

    def test_twice_slowly_stays(self):
        times = iter(range(0, 100, int(TWICE_WITHIN_S) + 1))
        shown, _ = session(KeyboardInterrupt(), KeyboardInterrupt(), QUESTION, clock=lambda: next(times))
        assert ANSWER in shown

    def test_while_answering_stops_the_answer_alone(self):
        # A shell's background jobs, CI's among them, start with SIGINT ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        main = threading.main_thread().ident
        assert main is not None

        def once(calls: list[int] = []) -> Callable[[str, Request], Reply]:  # noqa: B006 (counts calls)
            def reply(_: str, request: Request) -> Reply:
                if "fever" in str(request.prompt):
                    return ANSWER
                if not calls:
                    calls.append(1)
                    signal.pthread_kill(main, signal.SIGINT)
                return Script("never to be seen", delay_s=60)

            return reply

        times = iter(range(0, 1000, 10))
        shown, chat = session(QUESTION, "What is a fever?", replies=once(), clock=lambda: next(times))
        assert "stopped; this turn is not part of the conversation" in shown
        assert ANSWER in shown
        assert chat.last is not None
        assert chat.last.decision.question == "What is a fever?"


class TestCommand:
    @pytest.fixture
    def home(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        return tmp_path / "proxycouncil"

    def talk(self, monkeypatch, *lines: str, options: Iterable[str] = ()) -> int:
        monkeypatch.setattr(sys, "stdin", StringIO("".join(f"{line}\n" for line in lines)))
        return run(["chat", *options], Process(lambda _: council_of()))

    def test_a_pipe_gets_plain_text(self, home, monkeypatch, capsys):
        assert self.talk(monkeypatch, QUESTION) == 0
        out = capsys.readouterr().out
        assert ANSWER in out
        assert PROMPT not in out
        assert "\x1b" not in out

    @pytest.mark.skipif(sys.platform != "linux", reason="XDG_STATE_HOME moves the state only there")
    def test_sessions_resume_by_name_and_as_last(self, home, monkeypatch, capsys):
        self.talk(monkeypatch, QUESTION, options=["--session", "monday"])
        capsys.readouterr()
        self.talk(monkeypatch, "/history", options=["--session", "monday"])
        assert QUESTION in capsys.readouterr().out
        self.talk(monkeypatch, "/history", options=["--session", "last"])
        assert QUESTION in capsys.readouterr().out
        self.talk(monkeypatch, "/history", options=["--session", "tuesday"])
        assert QUESTION not in capsys.readouterr().out
        assert stat.S_IMODE((home / "sessions.db").stat().st_mode) == 0o600

    @pytest.mark.skipif(sys.platform != "linux", reason="XDG_STATE_HOME moves the state only there")
    def test_no_history_keeps_nothing(self, home, monkeypatch):
        assert self.talk(monkeypatch, QUESTION, options=["--no-history"]) == 0
        assert not home.exists()

    def test_last_without_a_session_is_an_error(self, home, monkeypatch, capsys):
        assert self.talk(monkeypatch, options=["--session", "last"]) == 2
        assert "there is no last session" in capsys.readouterr().err


def test_typed_lines_are_kept_for_the_owner_alone(tmp_path):
    file = private_file(tmp_path / "state" / "history")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_plain_lines_prompt_only_who_can_see_it():
    prompt = StringIO()
    reader = PlainLines(StringIO("a\r\n\nb"), prompt=prompt)
    assert [reader.read() for _ in range(3)] == ["a", "", "b"]
    assert prompt.getvalue() == PROMPT * 3
    with pytest.raises(EOFError):
        reader.read()


def test_visible_text_keeps_words_and_drops_what_terminals_obey():
    assert visible("a\tb\nc\x1b[2J\x9b\u2066\ud800é") == "a\tb\nc[2Jé"
    assert one_line(" a \n b\x00c ") == "a bc"
    assert one_line("abcdef", 4) == "abc…"


def test_no_colour_is_obeyed_at_a_terminal(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    assert isinstance(console_for(Terminal()), Console)
    assert console_for(Terminal()).no_color


def test_chat_imports_nothing_heavy():
    probe = "import proxycouncil.council.chat, proxycouncil.council.chat_input, sys; "
    probe += "print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "chromadb", "langgraph"} & set(done.stdout.split())
