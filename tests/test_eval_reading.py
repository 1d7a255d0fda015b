"""The tables of `council eval starter` on scripted readers: what is right, and what each sweep asks."""

from __future__ import annotations

from itertools import count

import pytest
from fakes import REFUSAL, FakeGenerator, FakeSearcher

from proxycouncil.eval.answerer import Reply
from proxycouncil.eval.arms import SelfConsistencyArm, Shelf
from proxycouncil.eval.reader import Reader, Task, expert_alone, steered, unsteered
from proxycouncil.eval.reading import ReadingSet, asks_for_term, reading_report, right
from proxycouncil.eval.samples import samples
from proxycouncil.eval.splits import Question
from proxycouncil.eval.sweeps import ALPHAS, Sweep, alpha_curve, cost
from proxycouncil.specialists.cases import Case
from proxycouncil.specialists.request import Prompt, Request, Sampling, Snippet

SLATE = (Snippet("Fever", "Fever is a body temperature above 38 degrees."),)
TERM = Case("What do you call a body temperature above 38 degrees?", SLATE, "fever", "general", "fever")
MEANING = Case("What is fever?", SLATE, "Fever is a body temperature above 38 degrees.", "general", "fever")
GONE = Case("What is rent?", SLATE, REFUSAL, "general", "rent")
CASES = ReadingSet((TERM, MEANING), (GONE,))


def reader(replies: object, how: object = unsteered) -> Reader:
    return Reader(FakeGenerator(replies), how, Sampling())  # type: ignore[arg-type]


def test_a_term_must_be_short_and_a_meaning_whole():
    assert asks_for_term(TERM)
    assert not asks_for_term(MEANING)
    assert right("Fever", TERM)
    assert not right("fever " + "and so on " * 5, TERM)
    assert right("Fever means a body temperature above 38 degrees", MEANING)
    assert not right("Fever is a body temperature.", MEANING)


def test_the_report_tells_reading_from_declining():
    def replies(_: str, request: Request) -> str:
        assert isinstance(request.prompt, Prompt)
        return {TERM.question: "fever", MEANING.question: REFUSAL}.get(request.prompt.question, "a guess")

    report = reading_report({"base": reader(replies)}, CASES)
    arm = report["arms"][0]
    assert arm["term_for_meaning"]["estimate"] == 1
    assert arm["meaning_of_term"]["estimate"] == 0
    assert arm["wrongly_declined"]["estimate"] == 0.5
    assert arm["declined_without_answer"]["estimate"] == 0
    assert report["gap_closed"] is None


def test_the_gap_closed_is_steerings_share_of_direct_tuning():
    knows = {TERM.question: "fever", MEANING.question: MEANING.answer}

    def answering(*questions: str) -> Reader:
        return reader({f"general/{question}": knows[question] for question in questions})

    readers = {
        "base": answering(),
        "proxy 1": answering(TERM.question),
        "base tuned directly": answering(TERM.question, MEANING.question),
    }
    report = reading_report(readers, CASES, pairs=[("proxy 1", "base"), ("proxy 1", "absent")])
    assert report["gap_closed"] == pytest.approx(0.5)
    assert [one["second"] for one in report["comparisons"]] == ["base"]
    assert report["comparisons"][0]["right"]["estimate"] == pytest.approx(0.5)
    worse = readers | {"base": answering(TERM.question), "base tuned directly": answering()}
    assert reading_report(worse, CASES)["gap_closed"] is None  # direct tuning brought nothing: no gap


def test_an_alpha_curve_steers_with_every_alpha():
    asked: list[float] = []

    def replies(_: str, request: Request) -> str:
        asked.append(request.pairs[0].alpha)
        return "fever"

    points = list(alpha_curve(reader(replies, steered(1.0)), CASES))
    assert tuple(point["alpha"] for point in points) == ALPHAS
    assert sorted(set(asked)) == list(ALPHAS)
    assert points[0]["right"]["estimate"] == 0.5


def sweep(generator: FakeGenerator) -> Sweep:
    question = Question("q", "definition", "What is a contract?", "law", "Contract", "", ("enforce",))
    shelf = Shelf(FakeSearcher(), lambda _: "law", excerpts=2)
    return Sweep.over([question], shelf, {"base": Reader(generator, unsteered, Sampling())})


def test_closed_book_shows_nothing_and_open_book_the_usual_slate():
    generator = FakeGenerator({"*": "An agreement that courts enforce."})
    rows = list(sweep(generator).four())
    assert [row["book"] for row in rows] == ["closed", "open"]
    shown = [
        len(request.prompt.snippets) for request in generator.requests if isinstance(request.prompt, Prompt)
    ]
    assert shown == [0, 2]
    assert all(row["right"]["estimate"] == 1 for row in rows)


def test_orders_show_the_same_excerpts_in_another_order():
    generator = FakeGenerator({})
    rows = list(sweep(generator).orders())
    slates = {
        (row["order"], row["excerpts"]): [one.text for one in request.prompt.snippets]
        for row, request in zip(rows, generator.requests, strict=True)
        if isinstance(request.prompt, Prompt)
    }
    first = slates["best first", 3]
    assert slates["best last", 3] == first[::-1]
    assert sorted(slates["shuffled", 3]) == sorted(first)
    assert slates["best first", 1] == first[:1]


def test_self_consistency_gives_the_answer_of_most_readings():
    replies = iter(["Rent.", "fever", "rent"])
    arm = SelfConsistencyArm(
        reader(lambda *_: next(replies), expert_alone), Shelf(FakeSearcher(), lambda _: "law"), samples=3
    )
    (reply,) = arm.answers(["What is it?"])
    assert reply.text == "Rent."
    assert reply.confidence == pytest.approx(2 / 3)


def test_cost_is_tokens_by_time_in_interleaved_rounds():
    ticks = count()
    tasks = [Task(Prompt("What?"), "law")] * 4
    readers = {"one": reader({"*": "a b c"}), "two": reader({"*": "a b c d e f"})}
    assert cost(readers, tasks, clock=lambda: float(next(ticks))) == {"one": 12.0, "two": 24.0}


def test_samples_are_the_surest_right_and_the_surest_wrong_answers():
    asked = [
        Question("1", "span", "When?", accepted=("1914",)),
        Question("2", "span", "Where?", accepted=("Rome",)),
        Question("3", "term", "What is it called?", accepted=("fever",)),
        Question("4", "chit-chat", "How are you?"),
        Question("5", "term", "And this?", accepted=("rent",)),
    ]
    said = [
        Reply("In 1914.", 0.9),
        Reply("Rome", 0.8),
        Reply("wage", 0.3),
        Reply("Fever is heat.", 0.7),
        Reply(""),
    ]
    assert [(one.question, one.right) for one in samples(asked, said, each=2)] == [
        ("When?", True),
        ("How are you?", False),
        ("What is it called?", False),
    ]
