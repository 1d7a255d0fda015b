"""What steering did, made visible: rows, coloured and plain text, the page, and the ways to all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from ballots import ballot
from fakes import FakeGenerator, FakeSearcher
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from tiny import STARTER, save_family

from proxycouncil.council.chat import Chat
from proxycouncil.council.chat_input import PlainLines
from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.council.rendering import console_for
from proxycouncil.council.steered import SHADES, STRONGEST, Steered, shade, steered, tokenizer_of
from proxycouncil.council.tokens_page import save_page, tokens_page
from proxycouncil.council.tokens_text import show_tokens, tokens_text
from proxycouncil.errors import UsageError
from proxycouncil.graphs.protocols import Generator
from proxycouncil.graphs.state import Ballot, Trace
from proxycouncil.specialists import Engine, Family, Generation, SteeringTrace
from proxycouncil.specialists.token_rows import TokenRow, token_rows

QUESTION = "What is opportunity cost?"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(STARTER / "base")


def generation(ids: list[int], **trace: tuple[Any, ...]) -> Generation:
    told = {"kl": (0.5,) * len(ids), "base_top": tuple(ids), "steered_top": tuple(ids), **trace}
    return Generation("r", "", tuple(ids), (-0.1,) * len(ids), "stop", SteeringTrace(**told))


@settings(deadline=None, max_examples=30)
@given(text=st.text(st.characters(max_codepoint=126, exclude_categories=["Cs"]), max_size=30))
def test_tokens_add_up_to_the_text(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text)["input_ids"]
    assert "".join(row.text for row in token_rows(generation(ids), tokenizer)) == text


def test_favourites_are_spelled_as_they_would_stand_there(tokenizer: Any) -> None:
    ids = tokenizer("the value of it")["input_ids"]
    other = tokenizer("the cost")["input_ids"][1]
    favourites = (ids[0], other, *ids[2:])
    rows = token_rows(generation([*ids, 1], base_top=(*favourites, 1)), tokenizer)
    assert [row.changed for row in rows] == [False, True, *[False] * (len(ids) - 1)]
    assert rows[1].base_top == " cost"
    assert rows[1].text == rows[1].steered_top == " value"
    assert rows[-1].text == "<|end|>"
    assert [row.position for row in rows] == list(range(len(ids) + 1))


def test_characters_in_pieces_are_told_by_the_last(tokenizer: Any) -> None:
    ids = tokenizer("a 猫")["input_ids"]
    assert len(ids) > 3
    rows = token_rows(generation(ids), tokenizer)
    assert rows[-1].text == "猫"
    assert all(row.text and "\ufffd" not in row.text for row in rows)


def test_a_writer_without_a_trace_has_no_rows(tokenizer: Any) -> None:
    assert not token_rows(replace(generation([7, 8]), trace=SteeringTrace(kl=(0.1, 0.1))), tokenizer)


@given(low=st.floats(0, 50), high=st.floats(0, 50))
def test_more_divergence_is_never_shaded_less(low: float, high: float) -> None:
    low, high = sorted((low, high))
    assert 0 <= shade(low) <= shade(high) <= len(SHADES)


def row(position: int, text: str, kl: float, *, base: str | None = None) -> TokenRow:
    favourite = text if base is None else base
    return TokenRow(position, text, -0.25, kl, favourite, text, changed=base is not None)


def reading(*rows: TokenRow) -> Steered:
    return Steered("law", "shared", "answered", rows)


SOME = reading(row(0, "the", 0.0), row(1, " value", 1.2, base=" cost"), row(2, "\n", 0.3), row(3, ".", 0.01))


def test_the_strongest_come_first_and_what_was_left_alone_does_not() -> None:
    assert [one.position for one in SOME.strongest] == [1, 2]
    many = reading(*(row(place, "x", place / 10) for place in range(20)))
    assert [one.position for one in many.strongest] == [19, 18, 17, 16, 15]
    assert len(many.strongest) == STRONGEST


def test_summary_counts() -> None:
    assert SOME.summary == (
        "law (shared, answered): 4 tokens, mean KL 0.38 nats, another favourite at 1 (25%)"
    )


def test_a_pipe_gets_changes_in_words() -> None:
    stream = StringIO()
    show_tokens(console_for(stream), [SOME])
    shown = stream.getvalue()
    assert "the‹ value ←  cost›⏎." in shown
    assert "#2 “ value”: 1.20 nats, log-probability -0.25; the base preferred “ cost”" in shown
    assert "#3 “⏎”: 0.30 nats, log-probability -0.25; the base preferred it too" in shown
    assert shown.splitlines()[-1].startswith("‹written ← the base's favourite›")
    assert "\x1b" not in shown


def test_a_terminal_gets_shades_and_no_colour_gets_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def shown() -> str:
        stream = StringIO()
        console = Console(file=stream, force_terminal=True, color_system="truecolor", width=200, markup=False)
        show_tokens(console, [SOME])
        return stream.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured = shown()
    assert "\x1b[4;30;48;2" in coloured
    assert "←" not in coloured
    assert "KL(steered‖base) in nats" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    plain = shown()
    assert "48;2" not in plain
    assert "‹ value ←  cost›" in plain


def test_each_shade_has_a_style_of_its_own() -> None:
    bounds = (0.0, *SHADES)
    text = tokens_text(reading(*(row(place, "x", kl) for place, kl in enumerate(bounds))), coloured=True)
    assert len({str(span.style) for span in text.spans}) == len(SHADES)


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    stream = StringIO()
    show_tokens(console_for(stream), [reading(row(0, "\x1b[31m", 2.0, base="\u202e[red]"))])
    assert not {"\x1b", "\u202e"} & set(stream.getvalue())
    assert "[red]" in stream.getvalue()


def test_no_readings_are_told_as_such() -> None:
    stream = StringIO()
    show_tokens(console_for(stream), [])
    assert "no reading was written" in stream.getvalue()


class Page(HTMLParser):
    """The elements of a page, and whether they are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def spans(self) -> list[dict[str, str]]:
        return [attrs for tag, attrs in self.tags if tag == "span" and "id" in attrs]


def test_the_page_marks_lists_and_links_the_strongest() -> None:
    page = Page(tokens_page(QUESTION, [SOME, SOME]))
    assert not page.open
    spans = page.spans()
    assert len(spans) == 8
    assert len({span["id"] for span in spans}) == 8
    assert spans[1]["class"] == "k4 changed marked"
    assert spans[0]["class"] == "k0"
    assert spans[1]["title"] == "1.200 nats, log-probability -0.25\nbase: “ cost”\nsteered: “ value”"
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a"]
    assert links == ["#t1-2", "#t1-3", "#t2-2", "#t2-3"]
    assert {link[1:] for link in links} <= {span["id"] for span in spans}
    assert SOME.summary in page.text


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = tokens_page(QUESTION, [SOME])
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"https?:|url\(|@import|\bon\w+=", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text


@settings(deadline=None, max_examples=25)
@given(hostile=st.text(st.sampled_from("<>\"'&/script= \x00\u202e‹"), min_size=1, max_size=12))
def test_nothing_that_was_written_is_markup(hostile: str) -> None:
    bad = f"</p><script>alert(1)</script>{hostile}"
    readings = [Steered(bad, "own", bad, (row(0, bad, 3.0, base=bad),))]
    page = Page(tokens_page(bad, readings))
    assert not page.open
    assert {tag for tag, _ in page.tags} == {
        "html", "head", "meta", "title", "style", "body", "h1", "section", "h2", "p", "span", "sup", "table",
        "thead", "tbody", "tr", "th", "td", "a",
    }  # fmt: skip
    assert all(not name.startswith("on") for _, attrs in page.tags for name in attrs)


def test_a_page_is_not_written_over(tmp_path: Path) -> None:
    save_page(tmp_path / "a.html", "x")
    with pytest.raises(UsageError, match="is there already"):
        save_page(tmp_path / "a.html", "y")
    with pytest.raises(UsageError, match="can't write"):
        save_page(tmp_path / "no" / "a.html", "y")
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == "x"


def test_readings_are_the_ballots_that_have_a_trace(tokenizer: Any) -> None:
    ids = tokenizer("the value")["input_ids"]
    trace = Trace(
        token_ids=ids, logprobs=[-0.1] * len(ids), kl=[0.1] * len(ids), base_top=ids, steered_top=ids
    )
    cast: list[Ballot] = [
        {**ballot("law", "the value"), "trace": trace},
        {**ballot("art", "its quote"), "trace": trace, "method": "quoted"},
        ballot("music", status="failed", error="crashed"),
    ]
    found = steered(cast, tokenizer)
    assert [(one.member, one.ending) for one in found] == [("law", "answered"), ("art", "quoted instead")]
    assert "".join(one.text for one in found[0].rows) == "the value"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A real engine over random models: what it writes means nothing, what it tells of it is true."""
    paths = save_family(tmp_path_factory.mktemp("family"))
    family = Family(
        paths["base"], paths["antiexpert"], experts={"law": paths["law"], "general": paths["full"]}
    )
    with Engine(family) as made:
        yield made


def council_of(generator: Generator) -> Council:
    config = CouncilConfig.from_mapping(
        {
            "family": {"base": "none", "antiexpert": "none"},
            "specialists": {"law": {"expert": "none"}},
            "generalist": {"expert": "none"},
            "council": {"max_new_tokens": 6, "unsure_below": 0.0},
        }
    )
    return Council(config, generator=generator, searcher=FakeSearcher())


def test_the_chat_tells_the_tokens_of_the_last_answer(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "tokens.html"
    shown, lines = StringIO(), f"/tokens\n/ask law {QUESTION}\n/tokens\n/tokens {file}\n/tokens {file}\n"
    with council_of(engine) as council:
        Chat(
            council,
            thread="t",
            reader=PlainLines(StringIO(lines), prompt=StringIO()),
            console=console_for(shown),
        ).run()
        last = [turn["question"] for turn in council.history("t")]
    text = shown.getvalue()
    assert last == [QUESTION]
    assert "nothing was answered yet" in text
    assert "law (shared, " in text
    assert "law (own, " in text
    assert text.count("nats, another favourite at") == 2
    assert f"saved {file}" in text
    assert "is there already" in text
    assert len({span["id"].split("-")[0] for span in Page(file.read_text(encoding="utf-8")).spans()}) == 2


class TestAsk:
    def ask(self, engine: Engine, *options: str) -> int:
        return run(["ask", "--members", "law", *options, QUESTION], Process(lambda _: council_of(engine)))

    def test_tokens_go_to_stderr(self, engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.ask(engine, "--tokens") == 0
        out, err = capsys.readouterr()
        assert "mean KL" not in out
        assert err.count("mean KL") == 2
        assert "\x1b" not in out + err

    def test_a_page_beside_json(
        self, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "tokens.html"
        assert self.ask(engine, "--json", "--tokens-html", str(file)) == 0
        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        traces = [event["ballot"]["trace"] for event in events if event["type"] == "ballot"]
        assert len(traces) == 2
        assert all(len({len(values) for values in trace.values()}) == 1 for trace in traces)
        assert len(Page(file.read_text(encoding="utf-8")).spans()) == sum(len(one["kl"]) for one in traces)

    def test_what_could_not_be_written_is_refused_before_asking(
        self, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "there.html"
        file.write_text("", encoding="utf-8")
        assert self.ask(engine, "--tokens-html", str(file)) == 2
        out, err = capsys.readouterr()
        assert not out
        assert "is there already" in err
        questions = tmp_path / "questions.txt"
        questions.write_text("a?\nb?\n", encoding="utf-8")
        process = Process(lambda _: council_of(engine))
        assert run(["ask", "--tokens", "--file", str(questions)], process) == 2
        assert "show one question" in capsys.readouterr().err


def test_a_generator_that_is_no_engine_has_no_tokens_to_tell() -> None:
    with council_of(FakeGenerator()) as council, pytest.raises(UsageError, match="no vocabulary"):
        tokenizer_of(council)
