"""`council read`: plans by rule and by hand, and each kind of step on a document."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import FakeGenerator
from langchain_core.language_models import FakeListChatModel
from shelving import HashingEncoder

from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.council.long_reading import Focus, LongReading, readers_of
from proxycouncil.council.reading_plan import Step, format_plan, parse_plan, plan_by_model, plan_by_rule
from proxycouncil.errors import UsageError
from proxycouncil.retrieval.library import Library

TREATY = "# Treaty\n" + "".join(
    f"\n## Article {n}\n\nThe harbour of {town} signed the treaty in {year}.\n"
    for n, (town, year) in enumerate([("Bergen", 1343), ("Lund", 1344), ("Bergen", 1345)], start=1)
)


@pytest.mark.parametrize(
    ("question", "plan"),
    [
        ("Who signed the treaty?", "1. find: Who signed the treaty?\n"),
        (
            "Which towns are named, and who signed for Bergen?",
            "1. list: Which towns are named?\n2. find: Who signed for Bergen?\n",
        ),
        (
            "How many harbours are mentioned?",
            "1. list: Which harbours are named?\n2. count: 1\n",
        ),
        (
            "How do a treaty and a charter differ?",
            "1. find: What is a treaty?\n2. find: What is a charter?\n3. compare: 1, 2\n",
        ),
        (
            "How does a treaty differ from a charter?",
            "1. find: What is a treaty?\n2. find: What is a charter?\n3. compare: 1, 2\n",
        ),
        (
            "How do I sign a treaty with a foreign town?",
            "1. find: How do I sign a treaty with a foreign town?\n",
        ),
        (
            "What is the difference between a treaty and a charter?",
            "1. find: What is a treaty?\n2. find: What is a charter?\n3. compare: 1, 2\n",
        ),
        (
            "List all the drugs and say when each is given.",
            "1. list: Which drugs are named?\n2. find: Say when each is given?\n",
        ),
        ("What are the three kinds of tort?", "1. list: What are the three kinds of tort?\n"),
        ("Summarise the duties of Lund.", "1. summarise: the duties of Lund\n"),
    ],
)
def test_a_question_becomes_a_plan_that_reads_back(question: str, plan: str) -> None:
    steps = plan_by_rule(question)
    assert format_plan(steps) == plan
    assert parse_plan(f"# edited\n\n{plan}") == steps


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the plan is empty"),
        ("1. steal: the treaty", "no step of a plan"),
        ("find the treaty", "no step of a plan"),
        ("1. count: 1", "names 1 or more earlier steps"),
        ("1. list: Which?\n2. compare: 1", "names 2 or more earlier steps"),
    ],
)
def test_a_plan_that_can_not_be_carried_out_names_its_line(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_plan(text)


def test_a_chat_model_plans_and_rules_stand_in_for_nonsense() -> None:
    model = FakeListChatModel(responses=["Sure!\n1. list: Which towns?\n2. count: 1", "no idea"])
    assert plan_by_model("…", model) == [Step("list", "Which towns?"), Step("count", "1")]
    assert plan_by_model("Who signed?", model) == [Step("find", "Who signed?")]


def replies(_, request):
    """A member that reads: the town of the first excerpt it is shown."""
    text = request.prompt.snippets[0].text if request.prompt.snippets else ""
    return text.split("harbour of ")[1].split()[0] if "harbour of" in text else "That is not in the passages."


@pytest.fixture
def treaty(tmp_path: Path) -> Path:
    file = tmp_path / "treaty.md"
    file.write_text(TREATY, encoding="utf-8")
    return file


def test_every_kind_of_step_is_carried_out_and_cited(tmp_path: Path, treaty: Path) -> None:
    config = CouncilConfig.from_mapping(
        {"family": {"base": "none", "antiexpert": "none"}, "generalist": {"expert": "none"},
         "specialists": {"law": {"expert": "none"}}}
    )  # fmt: skip
    steps = parse_plan(
        "list: Which harbour signed the treaty?\ncount: 1\nfind: Which harbour signed in 1344?\n"
        "compare: 1, 3\nsummarise: the harbour of Lund"
    )
    with Library(tmp_path / "library", embedder=HashingEncoder()) as library:
        library.ingest("document", treaty)
        focus = Focus(library, ["law"])
        with Council(config, generator=FakeGenerator(replies), searcher=focus) as council:
            members = readers_of(council, "Which harbour?")
            results = list(LongReading(council, focus, library, members).carry_out(steps))
    towns, count, found, compared, told = results
    assert members == ["law", "general"]
    assert towns.items == ("Bergen", "Lund")
    assert count.text == "2"
    assert found.items
    assert compared.items == (f"{steps[0].text} Bergen; Lund", f"{steps[2].text} {found.text}")
    assert told.text.count("harbour of") == 3
    assert told.text.index("1343") < told.text.index("1345")
    for result in results:
        assert result.citations
        for cited in result.citations:
            assert TREATY[cited["start"] : cited["end"]] == cited["quote"]


def test_a_step_that_points_back_gets_the_last_answer(tmp_path: Path, treaty: Path) -> None:
    config = CouncilConfig.from_mapping(
        {"family": {"base": "none", "antiexpert": "none"}, "generalist": {"expert": "none"},
         "specialists": {"law": {"expert": "none"}}}
    )  # fmt: skip
    generator = FakeGenerator(replies)
    with Library(tmp_path / "library", embedder=HashingEncoder()) as library:
        library.ingest("document", treaty)
        focus = Focus(library, ["law"])
        with Council(config, generator=generator, searcher=focus) as council:
            reading = LongReading(council, focus, library, ["general"])
            first, _ = reading.carry_out(plan_by_rule("Which harbour signed in 1344, and when was it built?"))
    assert {request.prompt.question for request in generator.requests} == {
        "Which harbour signed in 1344?",
        f"When was {first.items[0]} built?",
    }


def test_plan_only_reads_nothing(treaty: Path, capsys) -> None:
    assert run(["read", str(treaty), "Who signed?", "--plan-only"], Process()) == 0
    assert capsys.readouterr().out == "1. find: Who signed?\n"
    assert run(["read", str(treaty)], Process()) == 2
    assert "no question and no plan" in capsys.readouterr().err
