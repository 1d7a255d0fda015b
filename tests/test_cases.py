"""Cases: what is stored comes back, nothing held out is learnt, slates answer or are refused."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxycouncil.errors import UsageError
from proxycouncil.specialists.cases import REFUSAL, Case, mix, read_cases, write_cases
from proxycouncil.specialists.domain_cases import SlateVariant, answers, domain_cases
from proxycouncil.specialists.questions import (
    Question,
    fold,
    is_held_out,
    is_right,
    mentions,
    of_part,
    part,
    read_questions,
)
from proxycouncil.specialists.request import Snippet

STARTER = Path(__file__).parents[1] / "council" / "starter"
DOMAINS = ("computing", "economics", "law", "medicine", "physics", "psychology")

text = st.text(max_size=40)
snippets = st.lists(st.builds(Snippet, text, text), max_size=3).map(tuple)
cases = st.builds(Case, text, snippets, text, group=text, entry=text, source=text, license=text)


def question(number: int, **changes: object) -> Question:
    fields = {
        "id": f"q{number}",
        "entry": f"Entry {number}",
        "kind": "span",
        "question": f"What is number {number}?",
        "answer": f"gold{number}",
        "accepted": [f"gold{number}"],
    }
    return Question.model_validate(fields | changes)


@pytest.mark.parametrize("name", ["cases.jsonl", "cases.jsonl.gz"])
@given(kept=st.lists(cases, max_size=4))
def test_stored_cases_come_back(tmp_path_factory: pytest.TempPathFactory, name: str, kept: list[Case]):
    path = tmp_path_factory.mktemp("cases") / name
    write_cases(path, kept)
    first = path.read_bytes()
    assert read_cases(path) == kept
    write_cases(path, kept)
    assert path.read_bytes() == first


@pytest.mark.parametrize("line", ["{", "[]", '{"question": "q"}', '{"snippets": [["a", "b"]], "colour": 1}'])
def test_a_malformed_case_is_named_by_its_line(tmp_path: Path, line: str):
    path = tmp_path / "cases.jsonl"
    write_cases(path, [Case("q", (), "a", group="g", entry="e")])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UsageError, match="line 2"):
        read_cases(path)


def test_a_truncated_archive_is_a_usage_error(tmp_path: Path):
    path = tmp_path / "cases.jsonl.gz"
    write_cases(path, [Case("q", (), "a" * 999, group="g", entry="e")])
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UsageError, match=r"cases\.jsonl\.gz"):
        read_cases(path)


@given(own=st.integers(0, 30), general=st.integers(1, 12), seed=st.integers(0, 99))
def test_half_of_a_mix_is_general(own: int, general: int, seed: int):
    mine = [Case(f"d{n}", (), "a", group="d", entry="e") for n in range(own)]
    others = [Case(f"g{n}", (), "a", group="general", entry="e") for n in range(general)]
    mixed = mix(mine, others, seed=seed)
    assert mixed == mix(mine, others, seed=seed)
    assert sorted(case.question for case in mixed if case.group == "d") == sorted(c.question for c in mine)
    counts = [sum(case == other for case in mixed) for other in others]
    assert sum(counts) == own
    assert max(counts) - min(counts) <= 1


def test_a_mix_needs_general_cases():
    with pytest.raises(UsageError, match="general"):
        mix([Case("q", (), "a", group="g", entry="e")], [])


def test_the_split_is_the_published_one():
    # The digest of "lawCommon law" ends in fd, and 0xfd mod 8 is 5.
    assert fold("law", "Common law") == 5
    assert {part("law", "Common law"), part("economics", "x3")} <= {"test", "calibration", "tuning"}


@given(st.text(max_size=12), st.text(max_size=12))
def test_held_out_entries_are_of_the_tuning_part(domain: str, entry: str):
    assert part(domain, entry) == "tuning" or not is_held_out(domain, entry)


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("gold1", True),
        ("It is GOLD1.", True),
        ("gold10", False),
        ("a gold1" + " and more" * 6, False),
    ],
)
def test_right_is_an_accepted_string_in_a_short_reply(reply: str, right: bool):
    assert is_right(reply, question(1)) is right


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "line 2"),
        ('{"id": "x"}', "line 2: entry"),
        (json.dumps(question(1).model_dump() | {"kind": 3}), "line 2: kind"),
    ],
)
def test_a_malformed_question_is_named_by_its_line(tmp_path: Path, line: str, told: str):
    path = tmp_path / "law.jsonl"
    path.write_text(question(0).model_dump_json() + "\n" + line)
    with pytest.raises(UsageError, match=told):
        read_questions(path)


def test_missing_questions_are_a_usage_error(tmp_path: Path):
    with pytest.raises(UsageError, match="nowhere"):
        read_questions(tmp_path / "nowhere.jsonl")


class Shelf:
    """Slates of one gold excerpt among others; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[SlateVariant] = []

    def __call__(self, text: str, variant: SlateVariant) -> Sequence[Snippet]:
        self.asked.append(variant)
        number = re.sub(r"\D", "", text)
        rows = [Snippet(f"Entry {number}", f"The number is gold{number}, they say.")]
        rows += [Snippet(f"Other {n}", f"Nothing of note, part {n}.") for n in range(variant.limit - 1)]
        return rows


def test_cases_answer_what_their_slate_holds_and_refuse_the_rest():
    shelf, asked = Shelf(), [question(number) for number in range(60)]
    made = list(domain_cases("law", asked, shelf, variants=3, seed=1))
    assert len(made) == 180
    for case in made:
        shown = any(mentions(snippet.text, [case.answer]) for snippet in case.snippets)
        assert shown != case.is_refusal
        assert 3 <= len(case.snippets) <= 5
        assert case.group == "law"
    assert 3 <= sum(case.is_refusal for case in made) <= 25
    assert {variant.scope for variant in shelf.asked} == {"shared", "own"}
    typed = [case for case in made if not case.question.endswith("?")]
    assert 20 < len(typed) < 80
    assert all(case.question == case.question.lower() for case in typed)


def test_cases_are_the_same_for_the_same_seed():
    asked = [question(number) for number in range(5)]
    first, again, other = (list(domain_cases("law", asked, Shelf(), seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_foreign_questions_are_refused():
    def nothing(_: str, variant: SlateVariant) -> list[Snippet]:
        return [Snippet("Other", "Nothing of note.")] * variant.limit

    foreign = [question(number) for number in range(100, 140)]
    made = list(domain_cases("law", [], nothing, foreign=foreign))
    assert made == []
    made = list(domain_cases("law", [question(1)] * 10, nothing, foreign=foreign, variants=2))
    assert len(made) == 21
    assert {case.answer for case in made} == {REFUSAL}


def test_a_slate_that_may_hold_the_answer_in_other_words_is_left_out():
    def paraphrased(_: str, variant: SlateVariant) -> list[Snippet]:
        return [Snippet("Entry 1", "It is the yellow one.")] * variant.limit

    made = list(domain_cases("law", [question(1)] * 20, paraphrased))
    assert all(not case.snippets for case in made)


def test_yes_and_no_are_decided_by_their_entry():
    asked = question(1, kind="yesno", answer="No. It is not.", accepted=["is not"])
    assert answers(Snippet("Entry 1", "It never was."), asked)
    assert not answers(Snippet("Entry 2", "It is not."), asked)


@pytest.mark.parametrize("domain", DOMAINS)
def test_shipped_answers_are_right_by_their_own_rule(domain: str):
    for asked in read_questions(STARTER / "questions" / f"{domain}.jsonl"):
        assert asked.answer is not None
        assert is_right(asked.answer, asked), asked.id
        if asked.kind == "yesno":
            assert asked.answer.startswith(("Yes", "No")), asked.id


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_domain_has_questions_in_every_part(domain: str):
    asked = read_questions(STARTER / "questions" / f"{domain}.jsonl")
    parts = [
        of_part(asked, domain, "test"),
        of_part(asked, domain, "calibration"),
        of_part(asked, domain, "tuning"),
    ]
    assert sum(map(len, parts)) == len(asked)
    assert min(map(len, parts)) > 30


def test_shipped_general_cases_are_free_and_attributed():
    shipped = read_cases(STARTER / "general-cases.jsonl.gz")
    notice = (STARTER / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert len(shipped) >= 8000
    assert all(re.fullmatch(r"CC BY(-SA)? [34]\.0", case.license) for case in shipped)
    for source in {case.source.split(" (CNCF)")[0] for case in shipped}:
        assert f"| {source} |" in notice
    assert 0.03 < sum(case.is_refusal for case in shipped) / len(shipped) < 0.2
    assert all(1 <= len(case.snippets) <= 6 for case in shipped)
