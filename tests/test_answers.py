"""Canonical answers: notation, refusals, doubt, stated confidence."""

from __future__ import annotations

import math

import pytest

from proxycouncil.errors import UsageError
from proxycouncil.graphs.answers import HEDGED, canonical, is_refusal, parse_confidence
from proxycouncil.graphs.grouping import same


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n", "null", "N/A", "nan", "-", "I don't know", "I do not know the answer to that question.",
     "That is not in the passages.", "not in the passages", "The passages do not say.", "Not sure.",
     "Sorry, I cannot answer that question.", "I don't know. The passages do not mention it.",
     "No information is given in the passages.", "**That is not in the passages.**", "I don’t know."],
)  # fmt: skip
def test_refusals_are_no_answers(text: str) -> None:
    assert is_refusal(text)
    assert canonical(text).kind == "none"


@pytest.mark.parametrize(
    "text",
    ["No.", "None", "He did not know.", "It is not known to cross the placenta.", "There is no cure.",
     "Not sure, probably 7", "I don't know, maybe 7", "It is found in the passages of the inner ear.",
     "The passages do not say who; it was Hoare.", "0", "The question was not answered by the court."],
)  # fmt: skip
def test_answers_that_look_like_refusals(text: str) -> None:
    assert not is_refusal(text)
    assert canonical(text).kind != "none"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", "42"),
        ("forty-two", "42"),
        ("two hundred and six", "206"),
        ("1,000", "1000"),
        ("1e3", "1000"),
        ("1.5 × 10^3", "1500"),
        ("minus five", "-5"),
        ("½", "0.5"),
        ("2½ hours", "9000 s"),
        ("an hour and a half", "5400 s"),
        ("8 minutes 20 seconds", "500 s"),
        ("10%", "10 %"),
        ("ten per cent", "10 %"),
        ("4 grams a day", "4.62962963e-05 g/s"),
        ("at least 3", ">=3"),
        ("32 °F", "273.15 K"),
        ("$42", "42 USD"),
        ("12 Mar 2024", "2024-03-12"),
        ("March 2024", "March 2024"),
        ("The Premium.", "premium"),
        ("**The premium** [Option]", "premium"),
        ("The answer is: Paris", "paris"),
        ("c, a and b", "a | b | c"),
        ("(B)", "B"),
    ],
)
def test_canonical_values(text: str, value: str) -> None:
    assert canonical(text).value == value
    assert canonical(value).value == value


@pytest.mark.parametrize(
    ("question", "text", "kind", "value"),
    [
        ("Is it safe?", "Yes.", "yesno", "yes"),
        ("Is it safe?", "It is.", "yesno", "yes"),
        ("Is it safe?", "It isn't safe.", "yesno", "no"),
        ("What share is that?", "0.1", "number", "10 %"),
        ("What percentage is that?", "10", "number", "10 %"),
        ("How old must one be?", "35", "number", "420 month"),
        ("In what order do they come?", "c, a, b", "set", "c | a | b"),
    ],
)
def test_the_question_says_how_to_read(question: str, text: str, kind: str, value: str) -> None:
    read = canonical(text, question=question)
    assert (read.kind, read.value) == (kind, value)


def test_doubt_is_taken_off_and_kept_in_mind() -> None:
    doubtful = canonical("Not sure, probably 7")
    assert doubtful.value == "7"
    assert doubtful.hedged
    assert not canonical("7").hedged
    assert 0 < HEDGED < 0.5


@pytest.mark.parametrize(
    ("stated", "expected"),
    [("80%", 0.8), ("0.8", 0.8), (1, 1.0), (None, None), ("", None), ("high", None), (math.nan, None),
     (math.inf, None), (True, None)],
)  # fmt: skip
def test_stated_confidence(stated: object, expected: float | None) -> None:
    assert parse_confidence(stated) == expected


@pytest.mark.parametrize("stated", [-1, 80, "80", "180%"])
def test_confidence_on_another_scale_is_rejected(stated: object) -> None:
    with pytest.raises(UsageError) as caught:
        parse_confidence(stated)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("question", "a", "b"),
    [
        ("Where does the blood flow?", "to the heart", "from the heart"),
        ("Which is denser, ice or water?", "ice", "water"),
        ("Which is denser, ice or water?", "ice", "Water is denser than ice."),
        ("Who must agree?", "the buyer and the seller", "the buyer or the seller"),
        ("How did it move?", "It rose from 5 to 7 percent.", "It rose from 7 to 5 percent."),
        ("What is it?", "water", "water vapour"),
        ("Who wrote it?", "Erik Erikson", "Jean Piaget, a student of Erik Erikson"),
        ("Who won?", "Rome beat Carthage", "Rome was beaten by Carthage"),
        ("Is it safe?", "Yes.", "Yes, but only for adults."),
        ("Is it dangerous?", "No.", "It is not harmless."),
        ("How many?", "2 cats and 3 dogs", "3 cats and 2 dogs"),
        ("Which one?", "vitamin", "Vitamin A"),
        ("How large?", "x>5", "x<5"),
    ],
)
def test_near_misses_stay_apart(question: str, a: str, b: str) -> None:
    assert not same(canonical(a, question=question), canonical(b, question=question))


@pytest.mark.parametrize(
    ("question", "a", "b"),
    [
        ("Who devised it?", "Hoare", "Tony Hoare, the British computer scientist"),
        (
            "Who proposed it?",
            "Leon Festinger proposed it in 1957.",
            "It was proposed in 1957 by Leon Festinger.",
        ),
        ("What came after?", "the WTO", "the World Trade Organization"),
        ("In which year did it begin?", "1995", "It began on 1 January 1995 and has its seat in Geneva."),
        ("Does it prove it?", "It does not.", "No, it never does, because two things can share a cause."),
        ("How cold?", "-5 °C", "minus five degrees Celsius"),
    ],
)
def test_one_meaning_in_several_forms(question: str, a: str, b: str) -> None:
    assert same(canonical(a, question=question), canonical(b, question=question))
