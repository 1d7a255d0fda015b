"""A person decides where the council is neither sure of an answer nor sure of none."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from ballots import counted, route_of, votes
from fakes import FakeGenerator, FakeSearcher
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from proxycouncil.council.chat import Chat
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.council.rendering import console_for
from proxycouncil.errors import ConfigError, UsageError
from proxycouncil.graphs.context import CouncilContext, Member, Settings
from proxycouncil.graphs.council_graph import create_council_graph
from proxycouncil.graphs.decide import decide_as_told
from proxycouncil.specialists.request import Pair

ANSWERS = {"law": "Rome", "medicine": "Oslo", "economics": "Rome"}
MEMBERS = list(ANSWERS)
CONFIG: Any = {"configurable": {"thread_id": "t"}}


def context(between: tuple[float, float] | None) -> CouncilContext:
    return CouncilContext(
        generator=FakeGenerator(ANSWERS),
        searcher=FakeSearcher(),
        members={name: Member(name, pairs=(Pair(name, 1.0),), domains=(name,)) for name in MEMBERS},
        settings=Settings(ask_between=between),
    )


async def asked(between: tuple[float, float] | None) -> tuple[Any, dict[str, Any]]:
    graph = create_council_graph().compile(checkpointer=InMemorySaver())
    put = {"question": "Which city is it?", "members": MEMBERS}
    return graph, await graph.ainvoke(put, CONFIG, context=context(between))


@pytest.mark.parametrize(
    ("choice", "outcome"), [("Oslo", "plurality"), ("Rome", "plurality"), ("", "abstain")]
)
async def test_an_interrupt_shows_the_ballots_and_is_resumed_by_a_choice(choice: str, outcome: str) -> None:
    graph, state = await asked((0.0, 1.0))
    (shown,) = state["__interrupt__"]
    assert shown.value["question"] == "Which city is it?"
    assert {answer["text"] for answer in shown.value["answers"]} == {"Rome", "Oslo"}
    assert len(shown.value["ballots"]) == 6
    assert "decision" not in state
    after = await graph.ainvoke(Command(resume=choice), CONFIG, context=context((0.0, 1.0)))
    decision = after["decision"]
    assert (decision["outcome"], decision["text"]) == (outcome, choice)
    assert not decision["calibrated"]
    lost = {"Rome", "Oslo"} - {choice}
    assert {one["text"] for one in decision["dissent"]} == lost


@pytest.mark.parametrize("between", [None, (0.0, 0.0), (1.0, 1.0)])
async def test_outside_of_the_two_thresholds_nobody_is_asked(between: tuple[float, float] | None) -> None:
    _, state = await asked(between)
    assert state["decision"]["text"] == "Rome"


def test_a_choice_must_be_somebodys_words() -> None:
    cast = votes(law="Rome", medicine="Oslo")
    with pytest.raises(UsageError, match="nobody answered"):
        decide_as_told(counted(cast), cast, route_of(["law", "medicine"]), question="", choice="Bern")


def council(between: tuple[float, float] | None) -> Council:
    config = CouncilConfig.from_mapping(
        {
            "family": {"base": "none", "antiexpert": "none"},
            "specialists": {name: {"expert": "none"} for name in MEMBERS},
            "council": {"ask_between": list(between)} if between else {},
        }
    )
    return Council(config, generator=FakeGenerator(ANSWERS), searcher=FakeSearcher())


def test_a_council_waits_for_a_person_and_goes_on_as_told() -> None:
    with council((0.0, 1.0)) as using:
        open_turn = using.ask("Which city is it?", thread="t", members=MEMBERS)
        assert (open_turn.outcome, open_turn.text) == ("abstain", "")
        assert open_turn.decision.undecided == ["Rome", "Oslo"]
        assert "A person should decide" in open_turn.decision.reason
        assert using.history("t") == []
        with pytest.raises(UsageError, match="nobody answered"):
            using.settle("t", "Bern")
        settled = using.settle("t", "Oslo")
        assert (settled.outcome, settled.text, settled.decision.undecided) == ("plurality", "Oslo", [])
        assert [turn["answer"] for turn in using.history("t")] == ["Oslo"]
        with pytest.raises(UsageError, match="waits for a person"):
            using.settle("t", "Oslo")


def test_outside_of_a_conversation_nobody_is_waited_for() -> None:
    with council((0.0, 1.0)) as using:
        assert using.ask("Which city is it?", members=MEMBERS).text == "Rome"


def test_thresholds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ConfigError, match="ask_between"):
        council((0.6, 0.3))


@pytest.mark.parametrize(("typed", "told"), [("2", "Oslo"), ("0", ""), ("", None)])
def test_the_chat_asks_which_is_right(typed: str, told: str | None) -> None:
    class Lines:
        def read(self) -> str:
            return typed

    shown = StringIO()
    with council((0.0, 1.0)) as using:
        chat = Chat(using, thread="t", reader=Lines(), console=console_for(shown))
        chat.answer("Which city is it?", members=tuple(MEMBERS))
        history = [turn["answer"] for turn in using.history("t")]
    assert history == ([] if told is None else [told])
    assert "which is right?" in shown.getvalue()
    assert ("left open" in shown.getvalue()) == (told is None)
