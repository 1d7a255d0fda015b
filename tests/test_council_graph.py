"""The state machine on fakes: turns, sends, joins, brakes, checkpoints. LangGraph's traps, one by one."""

import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict

import pytest
from fakes import FakeGenerator, FakeSearcher, Script
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

from proxycouncil.graphs.consult import consult
from proxycouncil.graphs.context import GENERALIST, Consultation, CouncilContext, Member, Settings
from proxycouncil.graphs.council_graph import create_council_graph
from proxycouncil.graphs.state import Assignment
from proxycouncil.specialists.request import Pair

QUESTION = "What is opportunity cost?"
ANSWER = "the value of the best alternative given up"
SEATS = ("economics", "law", "medicine")


def context_of(replies: Any, **settings: Any) -> CouncilContext:
    members = {name: Member(name, (Pair(name),), (name,)) for name in SEATS}
    members[GENERALIST] = Member(GENERALIST, (Pair(GENERALIST),))
    return CouncilContext(FakeGenerator(replies), FakeSearcher(), members, Settings(**settings))


async def asked(
    context: CouncilContext, question: str = QUESTION, *, graph: Any = None, config: Any = None, **more: Any
) -> dict[str, Any]:
    graph = graph or create_council_graph().compile()
    return await graph.ainvoke({"question": question, **more}, config, context=context)


async def test_a_question_is_decided_with_a_citation():
    found = await asked(context_of({"*": ANSWER}))
    decision = found["decision"]
    assert decision["text"] == ANSWER
    assert decision["outcome"] == "consensus"
    assert [citation["title"] for citation in decision["citations"]] == ["Opportunity cost"]
    assert ANSWER in decision["citations"][0]["quote"]


async def test_each_member_casts_one_ballot_on_the_shared_and_one_on_its_own_slate():
    found = await asked(context_of({"*": ANSWER}), members=["economics", "law"])
    cast = [(ballot["member"], ballot["slate"]) for ballot in found["ballots"]]
    assert cast == [("economics", "shared"), ("economics", "own"), ("law", "shared"), ("law", "own")]


async def test_the_shared_slate_is_the_same_text_for_everyone_and_the_own_one_is_not():
    context = context_of({"*": ANSWER})
    await asked(context, members=["economics", "law"])
    read: dict[str, list[Any]] = {}
    for request in context.generator.requests:
        read.setdefault(request.pairs[0].expert, []).append(request.prompt.snippets)
    assert len([slate for slate in read["economics"] if slate in read["law"]]) == 1
    assert any(
        {snippet.title for snippet in slate} <= {"Contract", "Statute of limitations"}
        for slate in read["law"]
    )


async def test_ballots_come_in_the_order_of_the_members_not_of_their_speed():
    def replies(member: str, _: Any) -> Script:
        return Script(ANSWER, delay_s=0.02 if member == "economics" else 0.0)

    found = await asked(context_of(replies, ballots=1), members=["economics", "law", "medicine"])
    assert [ballot["member"] for ballot in found["ballots"]] == ["economics", "law", "medicine"]


async def test_no_ballot_of_one_turn_is_left_in_the_next():
    graph = create_council_graph().compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "talk"}}
    context = context_of({"*": ANSWER})
    counts = []
    for _ in range(3):
        found = await asked(context, graph=graph, config=config, members=["economics"])
        counts.append(len(found["ballots"]))
        assert len({ballot["turn"] for ballot in found["ballots"]}) == 1
    assert counts == [2, 2, 2]


async def test_the_conversation_is_remembered():
    graph = create_council_graph().compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "talk"}}
    await asked(context_of({"*": ANSWER}), graph=graph, config=config)
    await asked(context_of({"*": ANSWER}), graph=graph, config=config)
    history = (await graph.aget_state(config)).values["history"]
    assert [message["answer"] for message in history] == [ANSWER, ANSWER]
    assert history[0]["subject"] == "Opportunity cost"


async def test_the_vote_runs_once_after_all_members():
    votes = []

    def replies(member: str, _: Any) -> Script:
        return Script(ANSWER, delay_s=0.03 if member == "law" else 0.0)

    graph = create_council_graph().compile()
    state = {"question": QUESTION, "members": list(SEATS)}
    async for mode, event in graph.astream(state, context=context_of(replies), stream_mode=["custom"]):
        assert mode == "custom"
        if event["type"] == "vote":
            votes.append(event["tally"])
    assert len(votes) == 1
    assert sorted(votes[0]["answered"]) == sorted(SEATS)


async def test_a_member_that_raises_leaves_the_others_alone():
    found = await asked(
        context_of({"economics": RuntimeError("out of memory"), "*": ANSWER}), members=["economics", "law"]
    )
    failed = [ballot for ballot in found["ballots"] if ballot["member"] == "economics"]
    assert {ballot["status"] for ballot in failed} == {"failed"}
    assert "out of memory" in failed[0]["error"]
    assert found["decision"]["degraded"]


async def test_all_members_failing_is_an_error_with_the_first_cause():
    found = await asked(context_of({"*": RuntimeError("out of memory")}))
    assert found["decision"]["outcome"] == "error"
    assert "out of memory" in found["decision"]["reason"]
    assert found["decision"]["text"] == ""


async def test_everyone_declining_is_an_abstention():
    found = await asked(context_of({}))
    assert found["decision"]["outcome"] == "abstain"
    assert {ballot["status"] for ballot in found["ballots"]} == {"abstained"}


async def test_nobody_asked_still_ends_in_a_decision():
    found = await asked(replace(context_of({"*": ANSWER}), members={}))
    assert found["ballots"] == []
    assert found["decision"]["outcome"] == "abstain"


async def test_a_member_without_a_seat_is_said_to_be_missing():
    assignment = Assignment(turn="t", member="astrology", question=QUESTION, slate=[])
    (ballot,) = await consult(assignment, context_of({}), lambda _: None)
    assert ballot["status"] == "failed"
    assert "astrology" in (ballot["error"] or "")


async def test_a_late_member_is_late_and_does_not_hold_the_others_up():
    def replies(member: str, request: Any) -> Script:
        return Script(ANSWER, finish="deadline") if member == "law" else Script(ANSWER)

    found = await asked(context_of(replies), members=["economics", "law"])
    assert {b["status"] for b in found["ballots"] if b["member"] == "law"} == {"late"}
    assert found["tally"]["missing"] == ["law"]
    assert found["decision"]["degraded"]


async def test_a_stopped_member_hands_in_what_it_wrote():
    context = context_of({"*": Script("one two three four", delay_s=0.02)}, ballots=1)
    assignment = Assignment(turn="t", member="law", question=QUESTION, slate=[])
    heard: list[dict[str, Any]] = []

    def listen(event: dict[str, Any]) -> None:
        heard.append(event)
        if event["type"] == "member.token":
            context.consultation.stop()

    (ballot,) = await consult(assignment, context, listen)
    assert ballot["status"] == "stopped"
    assert ballot["text"] == "one"
    assert context.generator.cancelled == ["law"]


async def test_cancelling_the_run_frees_the_members():
    context = context_of({"*": Script("one two three four", delay_s=0.05)})
    run = asyncio.create_task(asked(context, members=["economics", "law"]))
    while not context.generator.requests:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.02)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert sorted(context.generator.cancelled) == ["economics", "economics", "law", "law"]


async def test_an_unsure_member_quotes_and_says_so():
    context = context_of({"*": Script("a muddled reply", logprob=-3.0)}, unsure_below=0.5)
    found = await asked(context, members=["economics"])
    assert {ballot["method"] for ballot in found["ballots"]} == {"quoted"}
    ballot = found["ballots"][0]
    assert ballot["text"] == ballot["citations"][0]["quote"]


@pytest.mark.parametrize("verbatim", [False, True])
async def test_members_write_verbatim_where_the_settings_say_so(verbatim):
    context = context_of({"*": "an answer"}, verbatim=verbatim)
    await asked(context, members=["economics"])
    assert {request.sampling.verbatim for request in context.generator.requests} == {verbatim}


async def test_events_name_the_stages_of_a_run():
    graph = create_council_graph().compile()
    kinds = []
    async for _, event in graph.astream(
        {"question": QUESTION, "members": ["law"]},
        context=context_of({"*": ANSWER}, ballots=1),
        stream_mode=["custom"],
    ):
        kinds.append(event["type"])
    told = [kind for kind in kinds if kind not in ("stage", "member.token")]
    assert told == ["route", "member.start", "ballot", "vote"]
    assert kinds.count("member.token") == len(ANSWER.split())


async def test_two_runs_on_one_sqlite_file_keep_their_own_ballots(tmp_path: Path):
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "talks.db")) as saver:
        graph = create_council_graph().compile(checkpointer=saver)
        runs = [
            asked(
                context_of({"*": ANSWER}),
                graph=graph,
                config={"configurable": {"thread_id": name}},
                members=[member],
            )
            for name, member in (("one", "economics"), ("two", "law"))
        ]
        one, two = await asyncio.gather(*runs)
    assert {ballot["member"] for ballot in one["ballots"]} == {"economics"}
    assert {ballot["member"] for ballot in two["ballots"]} == {"law"}


class Outer(TypedDict, total=False):
    question: str
    decision: dict[str, Any]


async def test_it_is_a_subgraph_of_a_graph_that_knows_no_council():
    council = create_council_graph(context_of({"*": ANSWER})).compile()

    async def consult_council(state: Outer) -> Outer:
        return {"decision": (await council.ainvoke({"question": state["question"]}))["decision"]}

    outer = StateGraph(Outer)
    outer.add_node("council", consult_council)
    outer.add_edge(START, "council")
    outer.add_edge("council", END)
    found = await outer.compile().ainvoke({"question": QUESTION})
    assert found["decision"]["text"] == ANSWER


async def test_without_a_context_the_error_says_what_is_missing():
    with pytest.raises(TypeError, match="CouncilContext"):
        await create_council_graph().compile().ainvoke({"question": QUESTION})


def test_each_run_has_a_brake_of_its_own():
    first, second = context_of({}), context_of({})
    assert isinstance(first.consultation, Consultation)
    assert first.consultation is not second.consultation


STRICT = """
import asyncio, warnings
warnings.simplefilter("error")
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
import test_council_graph as t

async def main():
    config = {"configurable": {"thread_id": "talk"}}
    async with AsyncSqliteSaver.from_conn_string("talks.db") as saver:
        graph = t.create_council_graph().compile(checkpointer=saver)
        said = await t.asked(t.context_of({"*": t.ANSWER}), graph=graph, config=config)
    async with AsyncSqliteSaver.from_conn_string("talks.db") as saver:
        graph = t.create_council_graph().compile(checkpointer=saver)
        kept = (await graph.aget_state(config)).values
    for key in ("route", "ballots", "tally", "decision"):
        assert kept[key] == said[key], key
    print("kept")

asyncio.run(main())
"""


def test_state_survives_strict_msgpack_unchanged(tmp_path: Path):
    environment = os.environ | {
        "LANGGRAPH_STRICT_MSGPACK": "true",
        "PYTHONPATH": str(Path(__file__).parent),
    }
    done = subprocess.run(
        [sys.executable, "-c", STRICT],
        check=False,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "kept", done.stderr
    assert "unregistered" not in done.stderr
