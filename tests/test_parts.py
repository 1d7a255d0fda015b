"""Questions of several parts by rule: where they are cut, what a part means, what an answer names."""

from __future__ import annotations

import pytest

from proxycouncil.errors import UsageError
from proxycouncil.graphs.filling import filled, refers
from proxycouncil.graphs.naming import named_in
from proxycouncil.graphs.parts import split_parts
from proxycouncil.graphs.planning import composed, missing, next_question, planned, steps_of, turns
from proxycouncil.graphs.state import Citation, Decision, Message, Part, Plan


def decision(text: str, *, confidence: float = 0.9, outcome: str = "consensus", title: str = "") -> Decision:
    cited = Citation(passage_id=title, title=title, source="a.md", start=0, end=1, quote="q", domain="law")
    return Decision(
        outcome=outcome if text else "abstain",  # type: ignore[typeddict-item]
        text=text,
        confidence=confidence,
        calibrated=True,
        agreement=0.8,
        citations=[cited] if title else [],
        dissent=[],
        reason="2 of 2 members agree." if text else "The members that were heard found no answer.",
        degraded=False,
    )


def part(question: str, text: str, *, title: str = "", confidence: float = 0.9) -> Part:
    decided = decision(text, title=title, confidence=confidence)
    return Part(question=question, standalone=question, needs=[], decision=decided)


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("Who wrote Emma, and when?", ["Who wrote Emma, and when?"]),
        ("Who wrote Emma and in which town did she die?", ["Who wrote Emma?", "In which town did she die?"]),
        (
            "Which bridge is the longest? And who built it?",
            ["Which bridge is the longest?", "Who built it?"],
        ),
        (
            "How many strings are on a cello and how many are on a harp?",
            ["How many strings are on a cello?", "How many strings are on a harp?"],
        ),
        (
            "How many planets are there and which one is the hottest?",
            ["How many planets are there?", "Which planet is the hottest?"],
        ),
        (
            "What's the name for a poem with fourteen lines, and for one with three?",
            ["What's the name for a poem with fourteen lines?", "What's the name for a poem with three?"],
        ),
        (
            "What is it called when a player leaves, and what when the game stops?",
            ["What is it called when a player leaves?", "What is it called when the game stops?"],
        ),
        ("What is the difference between a lake and what we call a pond?", 1),
        ("Which law says where a ship may land and how long it may stay?", 1),
        ("Which guild trained bakers and millers?", 1),
        ("What gives rise to wind and can be measured?", 1),
        ("", 0),
    ],
)  # fmt: skip
def test_a_question_is_cut_only_where_another_begins(question: str, parts: list[str] | int) -> None:
    found = split_parts(question)
    assert found == parts if isinstance(parts, list) else len(found) == parts


@pytest.mark.parametrize(
    ("question", "answer", "name"),
    [
        ("Which river flows through Cologne?", "The Rhine flows through Cologne.", "the Rhine"),
        ("Who painted it?", "The ceiling was painted by Jacopo Tintoretto.", "Jacopo Tintoretto"),
        ("What do you call a baby goose?", "A baby goose is called a gosling.", "gosling"),
        ("Which vitamin prevents scurvy?", "Scurvy is prevented by vitamin C.", "vitamin C"),
        ("Which gas do plants give off?", "oxygen", "oxygen"),
        ("Which permanent court sits there?", "Permanent Court", "Permanent Court"),
    ],
)  # fmt: skip
def test_the_name_is_found_in_a_sentence(question: str, answer: str, name: str) -> None:
    assert named_in(question, answer) == name


@pytest.mark.parametrize(
    ("text", "earlier", "answer", "full"),
    [
        ("When did he die?", "Who wrote Faust?", "Goethe", "When did Goethe die?"),
        ("In which city is it?", "Which bridge is red?", "Golden Gate", "In which city is Golden Gate?"),
        ("Who lives there?", "Which valley is green?", "Glen Coe", "Who lives in Glen Coe?"),
        ("Who breeds them?", "Which dogs herd sheep?", "collie", "Who breeds collies?"),
        ("When was its bell cast?", "Which tower leans?", "Pisa", "When was Pisa’s bell cast?"),
        ("What does that gas smell of?", "Which gas is yellow?", "chlorine", "What does chlorine smell of?"),
        ("Who wrote Emma?", "Who wrote Faust?", "Goethe", "Who wrote Emma?"),
        (
            "What is it called when it rains?",
            "Who wrote Faust?",
            "Goethe",
            "What is it called when it rains?",
        ),
    ],
)
def test_what_points_back_gets_the_answer(text: str, earlier: str, answer: str, full: str) -> None:
    assert filled(text, earlier, answer) == full
    assert refers(text, earlier) == (full != text)


def test_what_the_question_names_itself_needs_no_answer() -> None:
    steps = steps_of(["Who built Chartres?", "When did he build it?"])
    assert steps[1] == {"question": "When did he build Chartres?", "needs": [1]}
    assert steps_of(["When was the Eiffel Tower built?", "Who designed it?"])[1] == {
        "question": "Who designed the Eiffel Tower?",
        "needs": [],
    }
    assert steps_of(["How does osmosis work?", "Where does it happen?"])[1]["question"] == (
        "Where does osmosis happen?"
    )
    assert steps_of(["Is gout painful?", "How is it treated?"])[1]["needs"] == []
    assert steps_of(["Where did the First Fleet land?", "Who lived there?"])[1]["needs"] == [1]
    assert steps_of(["What is gout?", "How is it treated?", "Who gets it?"])[2] == {
        "question": "Who gets gout?",
        "needs": [],
    }


def test_a_caller_names_the_answers_by_number() -> None:
    plan = planned("?", given=["Which river?", "Which city?", "How far is {2} from the mouth of {1}?"])
    assert plan is not None
    assert plan["steps"][2]["needs"] == [1, 2]
    parts = [part("Which river?", "the Rhine"), part("Which city?", "The city is Cologne.")]
    assert next_question(plan, parts) == "How far is Cologne from the mouth of the Rhine?"
    lost = [part("Which river?", ""), parts[1]]
    assert next_question(plan, lost) is None
    assert "part 1" in missing(plan, lost)["reason"]


@pytest.mark.parametrize("given", [["Who?", "{3}?"], ["{1}?"], ["Who?", " "], ["Who?"] * 9])
def test_what_is_no_plan_is_refused(given: list[str]) -> None:
    with pytest.raises(UsageError):
        planned("?", given=given)


def test_a_planner_that_fails_or_sees_one_question_leaves_it_to_the_rules_or_whole() -> None:
    def broken(_: str) -> list[str]:
        raise TimeoutError

    question = "Who wrote Emma, and who wrote Faust?"
    made = [planned(question, planner=one) for one in (broken, lambda _: ["a?", "b?"], lambda q: [q], None)]
    assert [plan and plan["made_by"] for plan in made] == ["rules", "model", None, "rules"]


def test_the_whole_says_what_is_known_and_what_is_not() -> None:
    both = composed([part("A?", "one", title="X"), part("B?", "two", title="Y", confidence=0.5)])
    assert (both["outcome"], both["text"]) == ("consensus", "1. one\n2. two")
    assert both["confidence"] == pytest.approx(0.45)
    assert not both["calibrated"]
    assert [cited["title"] for cited in both["citations"]] == ["X", "Y"]
    half = composed([part("A?", "one"), part("B?", "")])
    assert (half["outcome"], half["text"]) == ("plurality", "1. one\n2. not known: B?")
    assert half["reason"] == "Part 1 is answered; part 2 is not: The members that were heard found no answer."
    assert half["confidence"] == pytest.approx(0.9)
    none = composed([part("A?", ""), part("B?", "")])
    assert (none["outcome"], none["text"], none["confidence"]) == ("abstain", "", 0.0)


def test_a_follow_up_is_about_the_last_part() -> None:
    whole = Message(question="q", standalone="q", answer="1. a\n2. b", subject="X")
    said = [
        {"standalone": "A?", "answer": "a", "subject": "X"},
        {"standalone": "B?", "answer": "b", "subject": "Y"},
    ]
    assert [turn["answer"] for turn in turns([whole, {**whole, "parts": said}])] == ["1. a\n2. b", "a", "b"]  # type: ignore[list-item]


def test_a_plan_is_plain_data() -> None:
    plan: Plan | None = planned("Who wrote Emma, and who wrote Faust?")
    assert plan == {
        "standalone": "Who wrote Emma, and who wrote Faust?",
        "steps": [
            {"question": "Who wrote Emma?", "needs": []},
            {"question": "Who wrote Faust?", "needs": []},
        ],
        "made_by": "rules",
    }
