"""`Council` on fakes: the same answers synchronously, asynchronously, inside loops and in conversations."""

import asyncio
import sqlite3
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from fakes import FakeGenerator, FakeSearcher, Script

from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.council.questions import MAX_CHARACTERS, Question, cleaned
from proxycouncil.errors import ConfigError, QuestionError, UnknownDomainError

QUESTION = "What is opportunity cost?"
ANSWER = "the value of the best alternative given up"


def council_of(replies: Any = None, **council: Any) -> Council:
    config = CouncilConfig.from_mapping(
        {
            "family": {"base": "none", "antiexpert": "none"},
            "specialists": {name: {"expert": "none"} for name in ("economics", "law", "medicine")},
            "generalist": {"expert": "none"},
            "council": council,
        }
    )
    replies = {"*": ANSWER} if replies is None else replies
    return Council(config, generator=FakeGenerator(replies), searcher=FakeSearcher())


def test_ask_answers_with_everything_behind_it():
    with council_of() as council:
        answer = council.ask(QUESTION)
    assert answer.text == ANSWER
    assert answer.outcome == "consensus"
    assert answer.citations[0]["title"] == "Opportunity cost"
    assert answer.decision.question == QUESTION
    assert {"open", "understand", "route", "consult", "vote", "decide"} <= set(answer.timings)


async def test_sync_calls_work_inside_a_running_loop():
    with council_of() as council:
        assert council.ask(QUESTION).text == ANSWER


async def test_async_calls_answer_alike():
    async with council_of() as council:
        assert (await council.aask(QUESTION)).text == council.ask(QUESTION).text


def test_one_council_serves_several_loops():
    with council_of() as council:
        texts = [asyncio.run(council.aask(QUESTION)).text for _ in range(2)]
    assert texts == [ANSWER, ANSWER]


def test_stream_ends_with_the_decision():
    with council_of() as council:
        events = list(council.stream(QUESTION, members=["law"]))
    kinds = [event.type for event in events]
    assert kinds[0] == "route"
    assert kinds[-1] == "decision"
    assert kinds.count("ballot") == 2
    assert all(event.v == 1 for event in events)


async def test_astream_gives_the_same_events():
    async with council_of(ballots=1) as council:
        kinds = [event.type async for event in council.astream(QUESTION, members=["law"])]
    assert [kind for kind in kinds if kind != "member.token"] == [
        "route", "member.start", "ballot", "vote", "decision",
    ]  # fmt: skip


def test_closing_the_stream_stops_the_members():
    generator = FakeGenerator({"*": Script("one two three four five", delay_s=0.05)})
    council = council_of()
    council._generator = generator
    with council:
        for event in council.stream(QUESTION, members=["law"]):
            if event.type == "member.token":
                break
    assert "law" in generator.cancelled


def test_members_are_asked_by_name_and_unknown_ones_refused():
    with council_of() as council:
        assert {b["member"] for b in council.ask(QUESTION, members=["law"]).ballots} == {"law"}
        with pytest.raises(UnknownDomainError, match="astrology") as caught:
            council.ask(QUESTION, members=["astrology"])
    assert "medicine" in caught.value.hint


@pytest.mark.parametrize("question", ["", "   \n\t ", "\x00\x07", "x" * (MAX_CHARACTERS + 1)])
def test_what_is_no_question_is_refused(question: str):
    with council_of() as council, pytest.raises(QuestionError):
        council.ask(question)


def test_control_characters_never_reach_a_prompt():
    assert cleaned("What\x1b[31m is\x00 inflation?\r\n") == "What [31m is inflation?"


def test_a_thread_remembers_and_others_do_not():
    with council_of() as council:
        council.ask(QUESTION, thread="one")
        council.ask("What is a contract?", thread="one")
        assert [message["question"] for message in council.history("one")] == [
            QUESTION,
            "What is a contract?",
        ]
        assert council.history("two") == []


def test_conversations_outlive_the_process_in_sqlite(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'kept' / 'talks.db'}"
    with council_of(checkpoints=url) as council:
        council.ask(QUESTION, thread="one")
    with council_of(checkpoints=url) as council:
        assert len(council.history("one")) == 1


def test_a_file_that_can_not_keep_conversations_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    asked: list[Any] = []
    monkeypatch.setattr(aiosqlite, "connect", asked.append)
    with council_of(checkpoints=f"sqlite:///{tmp_path}") as council:
        with pytest.raises(ConfigError, match="can't keep conversations") as caught:
            council.ask(QUESTION, thread="one")
        assert "council.checkpoints" in caught.value.hint
    assert not asked


@pytest.mark.parametrize("given_up_after", [0.0, 0.05, 0.15])
async def test_a_question_given_up_while_its_database_opens_leaves_nothing_half_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given_up_after: float
):
    fell: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", fell.append)
    connect = sqlite3.connect

    def slow(*arguments: Any, **more: Any) -> sqlite3.Connection:
        time.sleep(0.2)
        return connect(*arguments, **more)

    monkeypatch.setattr(sqlite3, "connect", slow)
    before = set(threading.enumerate())
    async with council_of(checkpoints=f"sqlite:///{tmp_path}/talk.db") as council:
        asking = asyncio.create_task(council.aask(QUESTION, thread="a"))
        await asyncio.sleep(given_up_after)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
    await asyncio.sleep(0.3)
    assert not fell
    assert not [one.name for one in set(threading.enumerate()) - before if "connection" in one.name]


def test_turns_of_one_thread_wait_for_each_other():
    with council_of({"*": Script(ANSWER, delay_s=0.01)}) as council:
        threads = [
            threading.Thread(target=council.ask, args=(QUESTION,), kwargs={"thread": "t"}) for _ in "ab"
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(council.history("t")) == 2


def test_many_are_answered_in_their_order_and_a_bad_one_spoils_nothing():
    questions = [QUESTION, "", Question("What is a contract?", members=("law",)), QUESTION]
    with council_of() as council:
        answers = list(council.ask_many(questions))
    assert [answer.outcome for answer in answers] == ["consensus", "error", "plurality", "consensus"]
    assert "empty" in answers[1].decision.reason
    assert [answer.decision.question for answer in answers][2] == "What is a contract?"


def test_alpha_changes_how_a_member_is_steered():
    with council_of() as council:
        council.set_alpha("law", 0.5)
        council.ask(QUESTION, members=["law"])
        requests = council.generator.requests
    assert {request.pairs[0].alpha for request in requests} == {0.5}


def test_once_prepared_a_question_opens_nothing_and_nobody_was_asked():
    opened, writer = [], FakeGenerator({"*": ANSWER})

    def opener() -> FakeSearcher:
        opened.append("library")
        return FakeSearcher()

    with Council(council_of().config, generator=writer, searcher=opener) as council:
        council.prepare()
        assert (opened, writer.requests) == (["library"], [])
        graphs = dict(council._conversations._graphs)
        assert council.ask(QUESTION).text == ANSWER
        assert opened == ["library"]
        assert graphs == council._conversations._graphs


def test_closing_leaves_no_thread():
    before = set(threading.enumerate())
    with council_of() as council:
        council.ask(QUESTION, thread="one")
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert not {name for name in left if "council" in name or "asyncio" in name}


def test_a_calibration_that_cannot_be_read_is_said(tmp_path: Path):
    (tmp_path / "calibration.json").write_text("{")
    with pytest.raises(ConfigError, match=r"calibration\.json"):
        council_of(calibration=str(tmp_path / "calibration.json"))
