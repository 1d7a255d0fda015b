"""Stopping early: only where no vote still to come could change the outcome, and only this turn."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from ballots import TURN, ballot, counted, route_of
from fakes import FakeGenerator, FakeSearcher, Script
from hypothesis import given, settings
from hypothesis import strategies as st

from proxycouncil.graphs.context import Consultation, CouncilContext, Member, Settings, StoppedReading
from proxycouncil.graphs.council_graph import create_council_graph
from proxycouncil.graphs.early import lead, settled
from proxycouncil.graphs.state import Ballot
from proxycouncil.specialists.request import Pair

STEADY = settings(deadline=None, max_examples=60)
MEMBERS = ["economics", "law", "medicine", "general"]
QUESTION = "What is opportunity cost?"

qualities = st.floats(0.1, 1.0)
readings = st.builds(
    lambda text, sure: (text, sure), st.sampled_from(["Rome", "Oslo", "Bern", None]), qualities
)


def cast(member: str, reading: tuple[str | None, float]) -> Ballot:
    text, sure = reading
    status: Any = "abstained" if text is None else "answered"
    return ballot(member, text, status=status, confidence=sure, support=sure)


@STEADY
@given(st.lists(readings, min_size=4, max_size=4), st.integers(1, 3))
def test_what_is_settled_stays_whatever_comes(rest: list[tuple[str | None, float]], heard: int) -> None:
    first = [cast(name, reading) for name, reading in zip(MEMBERS[:heard], rest, strict=False)]
    route = route_of(MEMBERS)
    if not settled(first, route=route, turn=TURN, question="", readings=1, quorum=1):
        return
    whole = first + [cast(name, reading) for name, reading in zip(MEMBERS, rest, strict=True)][heard:]
    assert counted(whole, MEMBERS)["groups"][0]["value"] == counted(first, MEMBERS)["groups"][0]["value"]


def test_three_sure_members_of_four_settle_it_and_two_do_not() -> None:
    sure = [cast(name, ("Rome", 1.0)) for name in MEMBERS]
    route = route_of(MEMBERS)

    def done(ballots: list[Ballot], *, quorum: int = 2, readings: int = 1) -> bool:
        return settled(ballots, route=route, turn=TURN, question="", readings=readings, quorum=quorum)

    assert done(sure[:3])
    assert not done(sure[:2])
    assert not done(sure)
    assert not done(sure[:3], quorum=4)
    assert not done(sure[:3], readings=2)
    assert not done([Ballot({**one, "turn": "before"}) for one in sure[:3]])


def test_the_lead_is_over_the_next_group_and_over_none() -> None:
    asked = ["law", "general"]
    assert lead(counted([cast(name, ("Rome", 1.0)) for name in asked])) == 1.0
    split = [cast("law", ("Rome", 1.0)), cast("general", ("Oslo", 0.5))]
    assert math.isclose(lead(counted(split)), 0.25)
    assert lead(counted([cast("law", ("Rome", 0.5)), cast("general", (None, 1.0))])) == 0.0
    assert lead(counted([cast(name, (None, 1.0)) for name in asked])) == 0.0


def context(*, early_stop: bool) -> CouncilContext:
    """Three members answer at once and agree; medicine takes for ever."""

    def reply(member: str, _: Any) -> Script:
        delay = 60.0 if member == "medicine" else 0.0
        return Script("the value of the best alternative given up", logprob=-0.001, delay_s=delay)

    domains = ("economics", "law", "medicine")
    members = {name: Member(name, pairs=(Pair(name, 1.0),), domains=(name,)) for name in domains}
    return CouncilContext(
        generator=FakeGenerator(reply),
        searcher=FakeSearcher(),
        members=members | {"general": Member("general")},
        settings=Settings(early_stop=early_stop, deadline_s=90.0),
    )


async def test_a_settled_turn_stops_those_still_reading() -> None:
    graph = create_council_graph().compile()
    used = context(early_stop=True)
    for _ in range(2):
        state = await asyncio.wait_for(
            graph.ainvoke({"question": QUESTION, "members": MEMBERS}, context=used), timeout=30
        )
        endings = {one["member"]: one["status"] for one in state["ballots"]}
        assert endings["medicine"] == "stopped"
        assert list(endings.values()).count("answered") >= 2
        assert state["decision"]["outcome"] == "consensus"
        assert state["decision"]["degraded"]
    assert not used.consultation.stopped


async def test_settling_one_turn_leaves_the_others_running() -> None:
    brake = Consultation()

    async def read(turn: str) -> str:
        with brake.braked(turn):
            await asyncio.sleep(30)
        return "read"

    first, second = asyncio.ensure_future(read("a")), asyncio.ensure_future(read("b"))
    await asyncio.sleep(0)
    brake.settle("a")
    with pytest.raises(StoppedReading):
        await asyncio.wait_for(first, timeout=5)
    assert not second.done()
    brake.stop()
    for stopped in (second, read("c")):
        with pytest.raises(StoppedReading):
            await asyncio.wait_for(stopped, timeout=5)


async def test_a_brake_pulled_by_the_last_word_of_a_reading_breaks_off_nothing_later() -> None:
    brake = Consultation()
    with brake.braked("a"):
        brake.settle("a")
    await asyncio.sleep(0.01)


async def test_a_reading_that_is_cancelled_from_elsewhere_stays_cancelled() -> None:
    brake = Consultation()

    async def read() -> None:
        with brake.braked("a"):
            await asyncio.sleep(30)

    task = asyncio.ensure_future(read())
    await asyncio.sleep(0)
    brake.settle("a")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
