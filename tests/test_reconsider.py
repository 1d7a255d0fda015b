"""Reconsideration: what is in dispute, who is shown what, and who changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ballots import TURN, ballot, cite, route_of
from fakes import FakeSearcher, Script
from langgraph.checkpoint.memory import InMemorySaver
from second_looks import QUESTION, RIGHT, asked, context_of

from proxycouncil.council.events import as_event
from proxycouncil.graphs.council_graph import create_council_graph
from proxycouncil.graphs.reconsider import changes, contested, evidence, margin
from proxycouncil.graphs.weighing import tally
from proxycouncil.specialists.request import Prompt, Request


def cited(member: str, text: str, passage: str, **more: Any) -> Any:
    quote = f"It is said that it is {text}."
    return ballot(member, text, citations=[cite(passage, quote)], read=(passage,), **more)


def test_what_is_contested_is_near_the_lead():
    cast = [cited("a", "Paris", "p1"), cited("b", "Lyon", "p2"), cited("c", "Paris", "p1")]
    count = tally(cast, route=route_of("abc"), turn=TURN, asked=list("abc"))
    assert margin(count) == pytest.approx(1 / 3)
    assert [one["text"] for one in contested(count, 0.4)] == ["Paris", "Lyon"]
    assert contested(count, 0.3) == []
    alone = tally([cast[0]], route=route_of("a"), turn=TURN, asked=["a"])
    assert margin(alone) == 1.0
    assert contested(alone, 1.0) == []


def test_evidence_is_passages_in_an_order_that_tells_nothing():
    cast = [cited("a", "Paris", "p1"), cited("b", "Lyon", "p2"), cited("c", "Paris", "p1")]
    count = tally(cast, route=route_of("abc"), turn=TURN, asked=list("abc"))
    shown = evidence(count["groups"], cast, question="Where?", limit=4)
    assert {one["passage_id"] for one in shown} == {"p1", "p2"}
    fewer = [replace_member(one) for one in cast]
    turned = tally(fewer, route=route_of("abc"), turn=TURN, asked=list("abc"))
    assert turned["groups"][0]["text"] == "Lyon"
    assert evidence(turned["groups"], fewer, question="Where?", limit=4) == shown
    assert len(evidence(count["groups"], cast, question="Where?", limit=1)) == 1
    assert "a" not in {word for one in shown for word in (one["text"] + one["title"]).split()}


def replace_member(one: Any) -> Any:
    """The same, but that c now says what b does."""
    return cited("c", "Lyon", "p2") if one["member"] == "c" else one


@pytest.mark.parametrize(
    ("second", "moves"),
    [
        (cited("a", "Lyon", "p2", slate="disputed"), True),
        (cited("a", "Paris", "p2", slate="disputed"), False),
        (ballot("a", "Lyon", slate="disputed"), False),
        ({**cited("a", "Lyon", "p2"), "method": "quoted"}, False),
        ({**cited("a", "Lyon", "p2"), "passage_ids": ["p9"]}, False),
        (ballot("a", "That is not in the passages.", status="abstained"), False),
        (ballot("a", status="failed"), False),
    ],
)
def test_a_member_changes_only_by_citing_what_it_was_shown(second: Any, moves: bool):
    first = [cited("a", "Paris", "p1"), cited("b", "Lyon", "p2")]
    assert changes(second, first, question="Where?") is moves
    abstained = [ballot("a", status="abstained"), first[1]]
    assert changes(cited("a", "Paris", "p1"), abstained, question="Where?")


def disputing(member: str, request: Request) -> str:
    """Law is wrong until it has read what economics cites; medicine never answers."""
    texts = " ".join(one.text for one in request.prompt.snippets)  # type: ignore[union-attr]
    if member == "medicine":
        return "That is not in the passages."
    if member == "law" and "best alternative" not in texts:
        return "an agreement that courts enforce"
    if member == "law" and len(request.prompt.snippets) != 2:  # type: ignore[union-attr]
        return "an agreement that courts enforce"
    return RIGHT


async def test_on_a_small_lead_members_read_what_is_in_dispute_and_first_ballots_are_kept():
    context = context_of(disputing, ballots=1, reconsider_below=0.9)
    events: list[dict[str, Any]] = []
    found = await asked(replace(context, emit=events.append))
    again = found["tally"].get("reconsidered")
    if again is None:
        pytest.fail(f"no reconsideration: {found['tally']}")
    assert again["turn"] == found["ballots"][0]["turn"]
    assert {one["slate"] for one in again["first"]} == {"shared"}
    assert {one["slate"] for one in again["second"]} == {"disputed"}
    assert len(again["second"]) == 3
    told = [one for one in context.generator.requests if isinstance(one.prompt, Prompt)][3:]
    for request in told:
        assert [one.text for one in request.prompt.snippets] == [one["text"] for one in again["shown"]]
        assert not any(name in str(request.prompt) for name in ("economics", "medicine"))
    kinds = [event["type"] for event in events]
    assert kinds.count("vote") == 2
    assert kinds.count("ballot") == 6
    for event in events:
        if event["type"] != "stage":
            as_event(event)


async def test_whoever_changes_has_one_vote_in_force():
    library = {
        "economics": {"Opportunity cost": f"Opportunity cost is {RIGHT}. It is not cash."},
        "law": {"Opportunity cost of a suit": "Opportunity cost in law is an agreement that courts enforce."},
    }

    def replies(member: str, request: Request) -> str:
        texts = [one.text for one in request.prompt.snippets]  # type: ignore[union-attr]
        second = len(context.generator.requests) > 2
        if member == "law" and not second:
            return "an agreement that courts enforce"
        return RIGHT if any(RIGHT in one for one in texts) else "That is not in the passages."

    context = context_of(replies, ballots=1, reconsider_below=0.9)
    context = replace(context, searcher=FakeSearcher(library))
    graph = create_council_graph().compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "talk"}}
    given = {"question": QUESTION, "members": ["economics", "law"]}
    found = await graph.ainvoke(given, config, context=context)
    again = found["tally"]["reconsidered"]
    assert again["changed"] == ["law"]
    assert [one["text"] for one in found["ballots"]] == [RIGHT, RIGHT]
    assert [one["slate"] for one in found["ballots"]] == ["shared", "disputed"]
    assert sorted(one["text"] for one in again["first"]) == sorted(
        [RIGHT, "an agreement that courts enforce"]
    )
    assert found["decision"]["outcome"] == "consensus"
    assert "law changed" in found["decision"]["reason"]
    context.generator.requests.clear()
    next_turn = await graph.ainvoke(given, config, context=context)
    assert next_turn["tally"]["reconsidered"]["turn"] != again["turn"]


async def test_a_clear_lead_or_nothing_cited_is_not_reconsidered():
    clear = await asked(context_of({"*": RIGHT}, ballots=1, reconsider_below=0.9))
    assert "reconsidered" not in clear["tally"]
    uncited = {"economics": "zebras", "law": "yaks", "medicine": "newts"}
    found = await asked(context_of(uncited, ballots=1, reconsider_below=0.9))
    assert len(found["tally"]["groups"]) == 3
    assert "reconsidered" not in found["tally"]


async def test_what_fails_on_the_second_look_changes_nothing():
    def replies(member: str, request: Request) -> Any:
        if len(context.generator.requests) > 3:
            return Script(raises=RuntimeError("no memory"))
        return RIGHT if member == "economics" else "a general rise in prices"

    context = context_of(replies, ballots=1, reconsider_below=0.9)
    found = await asked(context)
    if "reconsidered" in found["tally"]:
        assert found["tally"]["reconsidered"]["changed"] == []
        assert {one["status"] for one in found["tally"]["reconsidered"]["second"]} == {"failed"}
    assert {one["slate"] for one in found["ballots"]} == {"shared"}
