"""Numbers and dates as other countries write them: read by the locale that is declared, else kept apart."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest
from babel.dates import format_date
from babel.numbers import format_decimal
from councils import council_of
from fakes import FakeGenerator, FakeSearcher
from hypothesis import given
from hypothesis import strategies as st

from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.question_lines import read_questions
from proxycouncil.council.questions import Question
from proxycouncil.errors import ConfigError, UsageError
from proxycouncil.eval.runs import read_polls
from proxycouncil.graphs.answers import canonical
from proxycouncil.graphs.context import CouncilContext, Member, Settings
from proxycouncil.graphs.council_graph import create_council_graph
from proxycouncil.graphs.notation import plainly
from proxycouncil.graphs.run_settings import RunSettings
from proxycouncil.specialists.request import Pair

LOCALES = ("de-DE", "de-CH", "en-US", "en-GB", "fr-FR", "pt-BR", "sv-SE", "pl", "it", "hi-IN")
DAYS = tuple(name for name in LOCALES if name != "sv-SE")
"""Where a day, a month and a year stand in another order than year, month, day."""
QUESTION = "How long is it?"


@given(st.integers(0, 10**9), st.integers(0, 4), st.sampled_from(LOCALES))
def test_what_a_locale_writes_is_read_as_that_number(digits: int, places: int, locale: str) -> None:
    value = digits / 10**places
    pattern = "#,##0" + ("." + "0" * places if places else "")
    written = format_decimal(value, format=pattern, locale=locale.replace("-", "_"))
    read = canonical(plainly(f"{written} km", locale))
    assert read.amounts[0].value == pytest.approx(value * 1000)
    assert not read.amounts[0].written


@given(st.dates(dt.date(1000, 1, 1), dt.date(2999, 12, 31)), st.sampled_from(DAYS))
def test_what_a_locale_writes_is_read_as_that_day(day: dt.date, locale: str) -> None:
    order = "MM/dd/y" if locale == "en-US" else "dd.MM.y"
    written = format_date(day, format=order, locale="en")
    assert canonical(written, locale=locale).dates[0] == canonical(day.isoformat()).dates[0]


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3",
        "192.168.0.1",
        "1,5,7",
        "12,34,56",
        "a1.5b",
        "3.14",
        "31/31/2024",
        "no number",
        "1/2,5",
    ],
)
def test_what_a_locale_does_not_write_so_is_left_alone(text: str) -> None:
    assert plainly(text, "de-DE") == text


def test_where_years_come_first_a_last_year_says_nothing() -> None:
    assert plainly("02.01.2000", "sv-SE") == "02.01.2000"


def test_nothing_is_changed_where_nothing_is_declared() -> None:
    assert plainly("1.000,5 am 3.12.2024", "") == "1.000,5 am 3.12.2024"


def test_structured_answers_are_read_by_their_locale() -> None:
    german, american = json.dumps({"length": "1.250,5 m"}), json.dumps({"length": "1,250.5 m"})
    assert canonical(german, locale="de").value == canonical(american, locale="en-US").value


async def _asked(members: dict[str, str], locale: str = "") -> dict[str, Any]:
    seats = {name: Member(name, (Pair(name),), ("law",), locale=own) for name, own in members.items()}
    said = {"german": "1,5 km", "american": "1.5 km", "other": "15 km"}
    context = CouncilContext(FakeGenerator(said), FakeSearcher(), seats, Settings(ballots=1, locale=locale))
    return (
        await create_council_graph()
        .compile()
        .ainvoke({"question": QUESTION, "members": list(members)}, context=context)
    )


async def test_members_of_two_countries_agree_once_their_notations_are_declared() -> None:
    undeclared = await _asked({"german": "", "american": "", "other": ""})
    assert len(undeclared["tally"]["groups"]) == 3
    assert not any("locale" in ballot for ballot in undeclared["ballots"])
    declared = await _asked({"german": "de-DE", "american": "en-US", "other": ""})
    assert [group["members"] for group in declared["tally"]["groups"]] == [["german", "american"], ["other"]]
    assert {ballot["member"]: ballot.get("locale") for ballot in declared["ballots"]} == {
        "german": "de-DE", "american": "en-US", "other": None,
    }  # fmt: skip


async def test_the_councils_locale_holds_for_members_without_one() -> None:
    found = await _asked({"german": "", "american": "en-US", "other": ""}, locale="de-DE")
    assert found["tally"]["groups"][0]["members"] == ["german", "american"]


def test_a_run_or_a_question_of_a_file_declares_its_own() -> None:
    replies = {"economics": "1,5 km", "law": "1.5 km", "medicine": "15 km"}
    with council_of(replies, ballots=1) as council:
        plain = Question(QUESTION, members=("economics", "law", "medicine"))
        counts = [
            len(council.ask(question).tally["groups"])
            for question in (
                plain,
                replace(plain, settings=RunSettings(locale="de-DE")),
                *read_questions([json.dumps({"question": QUESTION, "locale": "de-DE"})], plain),
            )
        ]
    assert counts == [3, 2, 2]


def test_votes_of_other_systems_may_say_how_they_are_written(tmp_path: Any) -> None:
    line = {"id": "1", "gold": "1.5", "answers": {"a": "1,5", "b": "1.5"}}
    file = tmp_path / "votes.jsonl"
    lines = [line, {**line, "id": "2", "locale": "de"}]
    file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert [len(poll.poll.candidates) for poll in read_polls(file)] == [2, 1]


def test_a_locale_that_nobody_knows_is_refused_at_every_edge() -> None:
    with pytest.raises(UsageError, match="no locale"):
        list(read_questions([json.dumps({"question": "?", "locale": "xx-QQ"})]))
    with pytest.raises(ValueError, match="no locale"):
        RunSettings(locale="xx-QQ")
    with pytest.raises(ConfigError, match="locale"):
        CouncilConfig.from_mapping(
            {"family": {"base": "b", "antiexpert": "a"}, "council": {"locale": "xx-QQ"}}
        )
