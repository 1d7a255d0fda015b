"""Questions asked part by part, from outside: API, conversation, command, chat, saved runs."""

from __future__ import annotations

import asyncio
import json
from io import StringIO
from pathlib import Path

import pytest
from councils import council_of
from fakes import FakeGenerator, question_of
from langchain_core.language_models import FakeListChatModel
from rich.console import Console

from proxycouncil.council.chat import Chat
from proxycouncil.council.chat_input import PlainLines
from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.council.council import Council
from proxycouncil.council.planning_model import ChatPlanner
from proxycouncil.council.questions import Question
from proxycouncil.council.saving import Runs
from proxycouncil.council.transcript import as_html, as_markdown
from proxycouncil.errors import ConfigError, UsageError
from proxycouncil.graphs.council_graph import create_council_graph
from proxycouncil.graphs.run_settings import RunSettings

WHOLE = "Which hormone lowers sugar in the blood, and which organ makes it?"
ANSWERS = {
    "Which hormone lowers sugar in the blood?": "Insulin",
    "Which organ makes Insulin?": "the pancreas",
    "What is a contract?": "an agreement that courts enforce",
}


def replies(_, request):
    return ANSWERS.get(question_of(request), "That is not in the passages.")


def asked(council: Council) -> set[str]:
    assert isinstance(council.generator, FakeGenerator)
    return {question_of(request) for request in council.generator.requests}


def test_the_answer_to_a_part_feeds_the_next_and_all_is_one_answer() -> None:
    with council_of(replies) as council:
        answer = council.ask(WHOLE, plan=True)
        assert asked(council) == set(list(ANSWERS)[:2])
    assert answer.text == "1. Insulin\n2. the pancreas"
    assert answer.plan is not None
    assert answer.plan["made_by"] == "rules"
    assert [part.text for part in answer.parts] == ["Insulin", "the pancreas"]
    assert answer.parts[1].decision.question == "Which organ makes it?"
    assert answer.decision.standalone == WHOLE
    turns = [{ballot["turn"] for ballot in part.ballots} for part in answer.parts]
    assert all(len(one) == 1 for one in turns)
    assert turns[0] != turns[1]
    assert len(answer.ballots) == sum(len(part.ballots) for part in answer.parts)
    for cited in answer.citations:
        assert any(cited in part.citations for part in answer.parts)


def test_without_the_wish_it_is_asked_whole_and_the_setting_is_the_wish() -> None:
    with council_of(replies) as council:
        assert council.ask(WHOLE).plan is None
        assert asked(council) == {WHOLE}
    with council_of(replies, planner="rules") as council:
        assert len(council.ask(WHOLE).parts) == 2
        assert council.ask(WHOLE, plan=False).plan is None
        assert council.ask("What is a contract?").plan is None


def test_a_part_without_the_answer_it_needs_is_not_asked() -> None:
    with council_of(lambda *_: "That is not in the passages.") as council:
        answer = council.ask(WHOLE, plan=True)
        assert asked(council) == {"Which hormone lowers sugar in the blood?"}
    assert answer.outcome == "abstain"
    assert "needs the answer to part 1" in answer.parts[1].decision.reason


def test_a_plan_may_be_given_and_is_checked_first() -> None:
    plan = ["What is a contract?", "Which hormone lowers sugar in the blood?", "Which organ makes {2}?"]
    with council_of(replies) as council:
        answer = council.ask("Tell me all", plan=plan)
        assert answer.text.splitlines()[2] == "3. the pancreas"
        with pytest.raises(UsageError, match="sub-question 1"):
            council.ask("Tell me all", plan=["Who wrote {1}?"])


def test_events_come_part_by_part_and_the_decision_last() -> None:
    with council_of(replies) as council:
        types = [event.type for event in council.stream(WHOLE, plan=True) if "member" not in event.type]
    assert types[0] == "plan"
    assert [one for one in types if one != "ballot"] == [
        "plan", "route", "vote", "part", "route", "vote", "part", "decision",
    ]  # fmt: skip


def test_a_conversation_remembers_one_turn_with_its_parts_and_goes_on_from_the_last() -> None:
    with council_of(replies) as council:
        answer = council.ask(Question(WHOLE, thread="t", plan=True))
        again = council.ask("What is a contract?", thread="t")
        (first, second) = council.history("t")
    assert again.plan is None
    assert [part["answer"] for part in first.get("parts", [])] == ["Insulin", "the pancreas"]
    assert "parts" not in second
    page = as_markdown("t", [first, second], [answer, again], locate=lambda _: "place")
    assert "2. Which organ makes Insulin?\n   the pancreas" in page
    assert "<li>Which organ makes Insulin?<br>the pancreas</li>" in as_html(
        "t", [first], [answer], locate=lambda _: "place"
    )


def test_a_chat_model_plans_once_it_is_wanted() -> None:
    plan = "1. Which hormone lowers sugar in the blood?\n2. Which organ makes {1}?"
    planner = ChatPlanner(FakeListChatModel(responses=[plan, "I can't."]))
    assert planner(WHOLE) == ["Which hormone lowers sugar in the blood?", "Which organ makes {1}?"]
    with pytest.raises(ValueError, match="no numbered line"):
        planner(WHOLE)


def test_a_graph_of_somebody_elses_plans_by_run_settings() -> None:
    with council_of(replies) as council:
        graph = create_council_graph(council.context).compile()
        wanted = RunSettings(plan=True)
        state = asyncio.run(graph.ainvoke({"question": WHOLE}, context=wanted))
    assert [record["part"]["decision"]["text"] for record in state["parts"]] == ["Insulin", "the pancreas"]


def test_each_part_is_saved_as_a_vote_of_its_own(tmp_path: Path) -> None:
    with council_of(replies) as council, (tmp_path / "runs.jsonl").open("w") as file:
        runs = Runs(file)
        put = runs.put([Question(WHOLE, id="q7", plan=True, marking={"accepted": ["x"]})])
        assert len(list(runs.keep(council.ask_many(put)))) == 1
    lines = [json.loads(line) for line in (tmp_path / "runs.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == ["q7.1", "q7.2"]
    assert all("accepted" not in line and line["ballots"] for line in lines)


def test_the_command_shows_the_plan_and_marks_each_part(capsys, monkeypatch) -> None:
    opened = Process(opener=lambda _: council_of(replies))
    assert run(["ask", WHOLE, "--plan"], opened) == 0
    told = capsys.readouterr()
    assert "2. Which organ makes it? — needs the answer to 1" in told.err
    assert "2. Which organ makes Insulin?\n   the pancreas [1]" in told.out
    assert run(["ask", "?", "--part", "What is a contract?", "--json"], opened) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0]["plan"]["made_by"] == "caller"
    assert events[-1]["parts"][0]["decision"]["text"] == "an agreement that courts enforce"


def test_the_chat_plans_when_told_to() -> None:
    lines = StringIO(
        "/plan\n".replace("/plan", f"/plan {WHOLE}") + "/plan\n/why\n/history\n/agree\n/plan on\n"
    )
    told = StringIO()
    with council_of(replies) as council:
        chat = Chat(council, thread="t", reader=PlainLines(lines), console=Console(file=told, width=200))
        chat.run()
        assert chat.plan is True
        assert [part.text for part in chat.answers[0].parts] == ["Insulin", "the pancreas"]
        assert all(part.ballots and part.tally["asked"] for part in chat.answers[0].parts)
    assert told.getvalue().count("asking part by part (plan by rules)") == 2
    assert "understood as" in told.getvalue()
    assert "can't be labelled whole" in told.getvalue()


def test_a_plan_can_be_looked_at_changed_and_given_back() -> None:
    with council_of(replies) as council:
        parts = council.plan(WHOLE)
        assert parts == ["Which hormone lowers sugar in the blood?", "Which organ makes it?"]
        assert council.plan("What is a contract?") == ["What is a contract?"]
        assert asked(council) == set()
        answer = council.ask(WHOLE, plan=[*parts, "What is a contract?"])
    assert [part.text for part in answer.parts] == [
        "Insulin",
        "the pancreas",
        "an agreement that courts enforce",
    ]


def test_a_turn_that_broke_off_goes_on_with_the_part_it_was_at(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'talks.db'}"
    with council_of(replies, checkpoints=database) as council:
        found = council.library.slate

        def broken(question: str, **given):
            if "organ" in question:
                raise RuntimeError("the disk is gone")
            return found(question, **given)

        council.library.slate = broken  # type: ignore[method-assign]
        with pytest.raises(RuntimeError, match="disk"):
            council.ask(WHOLE, thread="t", plan=True)
    with council_of(replies, checkpoints=database) as council:
        answer = council.resume("t")
        assert asked(council) == {"Which organ makes Insulin?"}
        assert answer is not None
        assert answer.text == "1. Insulin\n2. the pancreas"
        assert len(council.history("t")) == 1


def test_a_person_decides_a_part_and_the_plan_goes_on() -> None:
    def divided(member, request):
        if "organ" in question_of(request):
            return replies(member, request)
        return "Insulin" if member == "medicine" else "Glucagon"

    with council_of(divided, ask_between=[0.0, 1.0]) as council:
        doubtful = council.ask(WHOLE, thread="t", plan=True, members=["medicine", "law"])
        assert set(doubtful.decision.undecided) == {"Insulin", "Glucagon"}
        doubtful = council.settle("t", "Insulin")
        assert doubtful.decision.undecided == ["the pancreas"]
        settled = council.settle("t", "the pancreas")
    assert settled.text == "1. Insulin\n2. the pancreas"


def test_a_planner_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="provider:name"):
        council_of(planner="clever")
