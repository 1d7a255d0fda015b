"""`council questions`: what the rules ask, what is kept and why, and that the split holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from langchain_core.language_models import FakeListChatModel

from proxycouncil.council import starter
from proxycouncil.council.cli.questions import _default_folder
from proxycouncil.council.question_making import fault, make_questions, write_questions
from proxycouncil.council.question_models import open_model
from proxycouncil.council.question_rules import GAP, Candidate, candidates
from proxycouncil.errors import UsageError
from proxycouncil.retrieval.passage import Passage
from proxycouncil.specialists.questions import is_right, mentions, part, read_questions

TORT = (
    "A tort is a civil wrong, other than a breach of contract, for which the injured person can sue. "
    "Torts fall into three groups: intentional torts, negligence and strict liability. "
    "James Madison drafted the Bill of Rights to answer its critics. "
    "The Bill of Rights was ratified by the states in 1791. "
    "The court has nine judges in all of its chambers."
)


def passage(title: str, text: str, *, source: str = "a.md", start: int = 0) -> Passage:
    return Passage(f"{source}{title}{start}", text, title, (title,), source, start, start + len(text), "law")


def asked(title: str, text: str) -> dict[str, str]:
    return {one.question: one.answer for one in candidates(title, text)}


def test_definitions_names_numbers_gaps_and_several_sentences_are_asked() -> None:
    found = asked("Tort", TORT)
    first, second = TORT.split(". ")[:2]
    assert found["What is a tort?"] == f"{first}."
    assert "tort" in [found[one] for one in found if one.startswith("What do you call a civil wrong")]
    assert found["Who drafted the Bill of Rights to answer its critics?"] == "James Madison"
    assert found["In which year was the Bill of Rights ratified?"] == "1791"
    assert found["How many judges does the court have?"] == "nine"
    assert found["What is a tort, and what else is said about it?"] == f"{first}. {second}."
    assert found["What belongs in the gap? The Bill of Rights was ratified by the states in ____."] == "1791"


@pytest.mark.parametrize(
    "sentence",
    [
        "Warnings are not needed for a person who is free to leave.",
        "It is a rule that nobody may be judged twice for one deed.",
        "Unfairness is judged as of the time when the contract was made.",
    ],
)
def test_what_is_no_definition_is_not_asked_as_one(sentence: str) -> None:
    assert not [one for one in candidates("Rule", sentence) if one.kind in ("definition", "term")]


def test_every_question_kept_is_answered_verbatim_and_counts_as_right() -> None:
    made = make_questions("law", [passage("Tort", TORT)], per_passage=20)
    assert {question.kind for question in made.questions} == {"definition", "term", "span", "several"}
    for question in made.questions:
        assert mentions(TORT, question.accepted)
        assert question.answer
        assert is_right(question.answer, question)
        assert not mentions(question.question, question.accepted)
    assert made.proposed.total() == len(made.questions) + made.dropped.total()


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, ""),
        ({"answer": "a criminal wrong"}, "content: the answer"),
        ({"accepted": ("crime",)}, "content: the accepted words"),
        ({"question": "What is the civil wrong?"}, "form: the question gives"),
        ({"question": "Tell me what a tort may be."}, "form: not a question"),
        ({"answer": TORT}, "form: the answer is too long"),
    ],
)
def test_content_and_form_are_judged_apart(changed: dict[str, object], why: str) -> None:
    fields = {"kind": "model", "question": "What is a tort?", "answer": "a civil wrong",
              "accepted": ("civil wrong",), "evidence": ""}  # fmt: skip
    assert fault(Candidate(**{**fields, **changed}), TORT).startswith(why)  # type: ignore[arg-type]


def test_nothing_stands_on_both_sides_of_the_split() -> None:
    repeated = "The Charter of Bergen was signed by the nine oldest harbour towns in 1343."
    passages = [
        passage(f"Entry {n}", f"{repeated} Town number {n} came {n} days late to it.") for n in range(40)
    ]
    made = make_questions("law", passages, per_passage=20)
    sides: dict[str, set[str]] = {}
    for question in made.questions:
        if "Charter" in question.question:
            sides.setdefault(question.question, set()).add(part("law", question.entry))
    assert sides
    assert len(set.union(*sides.values())) == 1
    assert made.dropped["asked before"] + made.dropped["stands on the other side of the split too"] > 30
    assert len({question.question for question in made.questions}) == len(made.questions)


def test_a_gap_takes_a_whole_name_or_number_and_a_term_is_one() -> None:
    text = (
        "Philip Lieberman argues that many Neanderthals lacked the anatomy for speech. "
        "She says that van Schaik observed apes near the coast of Sumatra for years. "
        "The finds are mostly of H. ergaster and came to us in crates. "
        "Most humans have a quotient of roughly 6.0-7.0 when they are measured. "
        "Below are the four most common definitions of a species. "
        "If there is an adverse effect the agency is told of it at once."
    )
    found = list(candidates("Apes", text))
    gaps = {one.answer for one in found if GAP in one.question}
    assert {"Neanderthals", "Sumatra"} <= gaps
    assert not gaps & {"Lieberman", "Schaik", "H", "6", "6.0"}
    assert [one.question for one in found if one.kind == "definition"] == []


def test_a_passage_stays_on_its_side_of_the_split_when_paths_and_offsets_change() -> None:
    def entries(folder: str, offset: int) -> list[str]:
        some = [
            passage(
                "report",
                f"Engine {n} burns {n + 10} litres of fuel an hour.",
                source=f"{folder}/r.md",
                start=offset + n,
            )
            for n in range(30)
        ]
        return [one.entry for one in make_questions("law", some).questions]

    assert entries("/home/a", 0) == entries("../b", 500)


def test_a_title_that_a_whole_file_shares_is_told_apart_by_place() -> None:
    pages = [
        passage("report", f"Engine {n} burns {n + 10} litres of fuel an hour.", start=n) for n in range(30)
    ]
    made = make_questions("law", pages)
    assert len({question.entry for question in made.questions}) == 30
    assert len(made.parts) > 1


def test_a_chat_model_asks_too_and_is_checked_like_a_rule() -> None:
    reply = json.dumps(
        [
            {"question": "For whom does tort law open the courts?", "answer": "the injured person"},
            {"question": "Which court hears torts?", "answer": "the court of Atlantis"},
        ]
    )
    model = FakeListChatModel(responses=[f"```json\n{reply}\n```", "I would rather not."])
    made = make_questions("law", [passage("Tort", TORT), passage("Other", "Nothing to ask.")], model=model,
                          per_passage=20)  # fmt: skip
    written = [question for question in made.questions if question.kind == "model"]
    assert [(one.question, one.answer) for one in written] == [
        ("For whom does tort law open the courts?", "the injured person")
    ]
    assert made.proposed["model"] == 2


def test_a_chat_model_that_nobody_knows_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="can't be opened"):
        open_model("nobody:knows-it")


def test_the_files_are_what_tune_and_calibrate_read(tmp_path: Path) -> None:
    passages = [
        passage(f"Ship {n}", f"A ship {n} is a vessel of {n + 3} masts for the sea.") for n in range(40)
    ]
    for domain in ("law", "sea"):
        made = make_questions(domain, passages)
        calibration = write_questions(made, tmp_path / f"{domain}.jsonl")
        assert read_questions(tmp_path / f"{domain}.jsonl") == made.questions
    kept = read_questions(calibration)
    assert {one.id.split("-")[0] for one in kept} == {"law", "sea"}
    assert {part(one.id.split("-")[0], one.entry) for one in kept} == {"calibration"}
    tested = [json.loads(line) for line in (tmp_path / "test" / "all.jsonl").read_text().splitlines()]
    assert {one["domain"] for one in tested} == {"law", "sea"}
    assert {part(one["domain"], one["entry"]) for one in tested} == {"test"}


def test_the_starter_s_own_questions_are_never_overwritten(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _default_folder(starter.DIRECTORY) == Path("questions")
    assert _default_folder(tmp_path) == tmp_path / "questions"
