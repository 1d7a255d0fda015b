"""Follow-ups become questions that stand alone; questions that do, stay as they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxycouncil.eval.slips import with_slips
from proxycouncil.eval.splits import halves, load_out_of_scope, load_questions, read_records
from proxycouncil.graphs.state import Message
from proxycouncil.graphs.subject import subject_of
from proxycouncil.graphs.understand import stand_alone

QUESTIONS = Path(__file__).parents[1] / "council" / "starter" / "questions"
DEVELOPED_ON, _ = halves(list(read_records(QUESTIONS / "follow-up.jsonl")))


def said(question: str, answer: str = "", subject: str = "") -> Message:
    return Message(question=question, standalone=question, answer=answer, subject=subject)


EMBARGO = said("What is an embargo?", "An embargo is a complete ban on trade with a country.", "Import quota")
GOUT = said("What is gout?", "Gout is a painful inflammation of joints.", "Gout")
NEWTON = said("Who formulated the three laws of motion?", "Isaac Newton", "Laws of motion")
INFLATION = said("What causes inflation?", "too much money chasing too few goods", "Inflation")
DNS = said("what does DNS do", "It translates names into addresses.", "Domain Name System")
LIABILITY = said("What do you call liability without fault?", "strict liability", "Strict liability")
FREUD = said(
    "Who founded psychoanalysis?", "Sigmund Freud founded psychoanalysis in Vienna.", "Psychoanalysis"
)
STACK = said("What is the difference between a stack and a queue?", "The order of items.", "Stack")
RADIUM = said("Who discovered radium?", "Marie Curie", "Radioactivity")
BOND = said("What is a bond?", "A bond is a loan to a company or a state.", "Bond")
SUGAR = said("How do plants make sugar from light?", "They use photosynthesis.", "Photosynthesis")


def lenient(text: str) -> str:
    return re.sub(r"[^\w ]", "", text).lower()


@pytest.mark.parametrize("conversation", DEVELOPED_ON, ids=lambda each: each["id"])
def test_shipped_follow_ups_say_what_they_are_about(conversation: dict[str, Any]) -> None:
    before, turn = conversation["turns"]
    rewritten = stand_alone(turn["question"], [said(before["question"], before["answer"], before["entry"])])
    if conversation["change"] == "topic":
        assert rewritten == turn["standalone"]
        return
    wanted = set(re.findall(r"\w{5,}", lenient(turn["standalone"])))
    assert len(wanted & set(re.findall(r"\w{5,}", lenient(rewritten)))) >= len(wanted) / 2


@pytest.mark.parametrize(
    ("turn", "asked", "expected"),
    [
        (GOUT, "and how is it treated?", "How is gout treated?"),
        (GOUT, "is it contagious?", "Is gout contagious?"),
        (GOUT, "What are the symptoms?", "What are the symptoms of gout?"),
        (GOUT, "and the causes?", "What are the causes of gout?"),
        (GOUT, "ok whats the best treatment?", "Whats the best treatment for gout?"),
        (GOUT, "are there any side effects?", "Are there any side effects of gout?"),
        (GOUT, "tell me more", "What else is known about gout?"),
        (GOUT, "can you give me an example?", "What is an example of gout?"),
        (GOUT, "Why?", "What is gout, and why?"),
        (GOUT, "Since when?", "What is gout, and since when?"),
        (GOUT, "And in children?", "What is gout in children?"),
        (GOUT, "what about arthritis?", "What is arthritis?"),
        (GOUT, "and does exercise help?", "Does exercise help for gout?"),
        (GOUT, "How do doctors diagnose this disease?", "How do doctors diagnose gout?"),
        (GOUT, "which drug helps against it, and why?", "Which drug helps against gout, and why?"),
        (NEWTON, "When did he live?", "When did Isaac Newton live?"),
        (NEWTON, "what was his second law?", "What was Isaac Newton’s second law?"),
        (INFLATION, "and deflation?", "What causes deflation?"),
        (INFLATION, "How can a central bank fight it?", "How can a central bank fight inflation?"),
        (DNS, "And DHCP?", "What does DHCP do?"),
        (DNS, "what does it stand for?", "What does DNS stand for?"),
        (LIABILITY, "When does it apply?", "When does strict liability apply?"),
        (LIABILITY, "what's the opposite?", "What's the opposite of strict liability?"),
        (FREUD, "who were his followers?", "Who were Sigmund Freud’s followers?"),
        (FREUD, "was it scientific?", "Was psychoanalysis scientific?"),
        (STACK, "which is faster?", "Which of a stack and a queue is faster?"),
        (RADIUM, "in which year?", "Who discovered radium, and in which year?"),
        (RADIUM, "and polonium?", "Who discovered polonium?"),
        (BOND, "who issues them?", "Who issues bonds?"),
        (SUGAR, "and at night?", "How do plants make sugar from light at night?"),
        (SUGAR, "does it work without light?", "Does photosynthesis work without light?"),
    ],
)
def test_follow_up(turn: Message, asked: str, expected: str) -> None:
    assert stand_alone(asked, [turn]) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("Let's change the topic. What is a black hole?", "What is a black hole?"),
        ("on a different note, what is a mortgage", "What is a mortgage"),
        ("Great, next question: who was Karl Marx?", "Who was Karl Marx?"),
        ("Thanks, something else: is it legal to record a call?", "Is it legal to record a call?"),
        ("by the way, who wrote Middlemarch?", "Who wrote Middlemarch?"),
        ("ok thanks. what is inflation?", "What is inflation?"),
        ("and what is inflation?", "What is inflation?"),
        ("how is a treaty different from a law?", "how is a treaty different from a law?"),
        ("Why does ice float when it freezes?", "Why does ice float when it freezes?"),
        ("Is it legal to record a call?", "Is it legal to record a call?"),
        ("What is it called when prices fall?", "What is it called when prices fall?"),
        ("What time is it?", "What time is it?"),
        ("How long does it take to train a lawyer?", "How long does it take to train a lawyer?"),
        ("What does a company do with its profit?", "What does a company do with its profit?"),
        ("Is it true that glass flows?", "Is it true that glass flows?"),
        ("Did Newton publish his laws in 1687?", "Did Newton publish his laws in 1687?"),
        ("What does IT stand for?", "What does IT stand for?"),
        ("lentil soup", "lentil soup"),
        ("thanks!", "thanks!"),
        ("???", "???"),
        ("", ""),
    ],
)
def test_new_subject_is_left_alone(asked: str, expected: str) -> None:
    assert stand_alone(asked, [GOUT]) == expected


def test_first_question_is_left_alone() -> None:
    assert stand_alone("  and how is it treated? ", []) == "and how is it treated?"


def test_thanks_in_between_are_stepped_over() -> None:
    history = [GOUT, said("thanks!")]
    assert stand_alone("how is it treated?", history) == "How is gout treated?"


def test_subject_of_a_turn_without_an_answer_is_what_was_asked() -> None:
    assert stand_alone("how is it treated?", [said("What is gout?")]) == "How is gout treated?"


def test_the_rewritten_turn_is_what_counts() -> None:
    turn = Message(question="and asthma?", standalone="What is asthma?", answer="", subject="")
    assert stand_alone("how is it treated?", [GOUT, turn]) == "How is asthma treated?"


SHEET = said("What is on a balance sheet?", "assets", "Balance sheet")
DEMAND = said("what does the law of demand say", "", "Law of demand")
PILL = said("Which drug lowers uric acid?", "Allopurinol does.", "Gout")


@pytest.mark.parametrize(
    ("turn", "thing", "things", "person"),
    [
        (SHEET, "a balance sheet", "balance sheets", ""),
        (DEMAND, "the law of demand", "the law of demand", ""),
        (PILL, "Allopurinol (gout)", "gout", ""),
        (FREUD, "psychoanalysis", "psychoanalysis", "Sigmund Freud"),
    ],
)
def test_subject(turn: Message, thing: str, things: str, person: str) -> None:
    subject = subject_of(turn)
    assert (subject.thing, subject.things, subject.person) == (thing, things, person)


@pytest.mark.parametrize("part", ["tuning", "calibration", "test"])
def test_shipped_questions_are_not_rewritten(part: Any) -> None:
    texts = [question.text for question in load_questions(QUESTIONS, only=part)]
    changed = [text for text in texts if stand_alone(text, [EMBARGO]).lower() != text.lower()]
    assert len(changed) / len(texts) < 0.01


def test_neither_are_hurried_ones() -> None:
    texts = [with_slips(q.text, seed=1) for q in load_questions(QUESTIONS, only="calibration")]
    changed = [text for text in texts if stand_alone(text, [EMBARGO]).lower() != text]
    assert len(changed) / len(texts) < 0.02


def test_old_subject_never_gets_into_questions_of_no_domain() -> None:
    asked = [q.text for q in load_out_of_scope(QUESTIONS) if q.kind not in {"ill-formed", "chit-chat"}]
    assert not [text for text in asked if "embargo" in stand_alone(text, [EMBARGO]).lower()]


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=40), st.text(max_size=40), st.text(max_size=20))
def test_any_text_gives_a_text(asked: str, question: str, answer: str, subject: str) -> None:
    rewritten = stand_alone(asked, [said(question, answer, subject)])
    assert bool(rewritten) == bool(asked.strip())


@settings(deadline=None)
@given(
    st.sampled_from(["and how is it treated?", "And the opposite?", "and UDP?", "why?"]),
    st.text(max_size=200),
)
def test_hostile_subjects_do_no_harm(asked: str, title: str) -> None:
    assert stand_alone(asked, [said("What is that?", title, title)])


def test_long_input_is_left_alone() -> None:
    asked = "and it " * 5000
    assert stand_alone(asked, [said("What is gout?")]) == asked.strip()


def test_long_turns_are_read_in_reasonable_steps() -> None:
    assert stand_alone(
        "and how is it treated?", [said("what is " + "a " * 50_000, "is " * 50_000, "x" * 50_000)]
    )
