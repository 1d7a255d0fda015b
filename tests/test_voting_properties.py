"""What no vote may depend on, whatever is cast."""

from __future__ import annotations

import math
from typing import Any

from ballots import ballot, counted, decided
from hypothesis import given, settings
from hypothesis import strategies as st

from proxycouncil.graphs.answers import canonical
from proxycouncil.graphs.grouping import compatible, group, same
from proxycouncil.graphs.state import Ballot

STEADY = settings(deadline=None, max_examples=40)
"""A property, not a race: the machine may be busy."""

MEMBERS = ["economics", "law", "medicine", "general"]
ANSWERS = [
    "Rome", "the city of Rome", "ROME.", "Oslo", "42", "forty-two", "42 mg", "0.042 g", "24", "Yes.", "No.",
    "not Rome", "1995", "1 January 1995", "2 January 1995", "a, b and c", "c, a, b", "a and b", "", "N/A",
    "That is not in the passages.", "Not sure, probably Rome", "Tony Hoare", "Hoare", "Hoare, who is British",
]  # fmt: skip
QUESTIONS = st.sampled_from(
    ["", "Is it so?", "How many are there?", "Which city, Rome or Oslo?", "What is it?"]
)

PIECES = (
    "0 1 5 12 1995 1,5 1.000 2,000 3e5 1e999 - + . , ; ( ) / ^ % ° $ | & : ? x a an the of and or "
    "half third thirds two twenty hundred million one dozen per at least more than about minus mg km "
    "C F MB year days hour March 1st 19th 1940s UTF-8 A Rome not no yes without is was by in WHO "
    "probably I think unknown answer only most 12/03/2024 ½ ²"
).split()

answers = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=7).map(" ".join),
    st.lists(st.sampled_from(PIECES), max_size=5).map("".join),
    st.sampled_from(ANSWERS),
    st.text(max_size=40),
)
signals = st.one_of(st.none(), st.floats())


@st.composite
def ballots(draw: st.DrawFn) -> Ballot:
    return ballot(
        draw(st.sampled_from(MEMBERS)),
        draw(answers),
        status=draw(st.sampled_from(["answered", "answered", "abstained", "failed", "late", "stopped"])),
        slate=draw(st.sampled_from(["shared", "own"])),
        confidence=draw(signals),
        support=draw(signals),
    )


cast = st.lists(ballots(), max_size=8)
odds = st.dictionaries(st.sampled_from(MEMBERS), st.floats(), max_size=4)


@STEADY
@given(answers, QUESTIONS)
def test_a_canonical_value_is_its_own_canonical_value(text: str, question: str) -> None:
    value = canonical(text, question=question).value
    assert canonical(value, question=question).value == value


@STEADY
@given(st.sampled_from(ANSWERS), QUESTIONS)
def test_known_forms_are_their_own_canonical_value(text: str, question: str) -> None:
    value = canonical(text, question=question).value
    assert canonical(value, question=question).value == value


@STEADY
@given(answers, answers, QUESTIONS)
def test_sameness_is_symmetric_and_guarded(a: str, b: str, question: str) -> None:
    one, other = canonical(a, question=question), canonical(b, question=question)
    assert same(one, other) == same(other, one)
    assert compatible(one, other) == compatible(other, one)
    assert same(one, one) == (one.kind != "none")


@STEADY
@given(st.lists(answers, max_size=7), QUESTIONS, st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_order(texts: list[str], question: str, random: Any) -> None:
    shuffled = list(texts)
    random.shuffle(shuffled)

    def parts(order: list[str]) -> set[frozenset[str]]:
        read = [canonical(text, question=question) for text in order]
        return {frozenset(order[index] for index in indexes) for indexes in group(read)}

    assert parts(texts) == parts(shuffled)


@STEADY
@given(st.lists(answers, max_size=7), QUESTIONS)
def test_every_two_in_a_group_are_the_same(texts: list[str], question: str) -> None:
    read = [canonical(text, question=question) for text in texts]
    found = group(read)
    assert sorted(index for indexes in found for index in indexes) == [
        index for index, answer in enumerate(read) if answer.kind != "none"
    ]
    for indexes in found:
        assert all(same(read[i], read[j]) for i in indexes for j in indexes)


@STEADY
@given(cast, odds, st.randoms(use_true_random=False))
def test_ballots_in_any_order_are_one_decision(
    given_ballots: list[Ballot], chances: dict[str, float], random: Any
) -> None:
    shuffled = list(given_ballots)
    random.shuffle(shuffled)
    assert counted(given_ballots, MEMBERS, probabilities=chances) == counted(
        shuffled, MEMBERS, probabilities=chances
    )
    assert decided(given_ballots, MEMBERS)["outcome"] == decided(shuffled, MEMBERS)["outcome"]
    assert decided(given_ballots, MEMBERS)["text"] == decided(shuffled, MEMBERS)["text"]


@STEADY
@given(cast, st.permutations(MEMBERS))
def test_members_in_any_order_are_one_count(given_ballots: list[Ballot], asked: list[str]) -> None:
    one, other = counted(given_ballots, MEMBERS), counted(given_ballots, asked)
    assert [each["text"] for each in one["groups"]] == [each["text"] for each in other["groups"]]
    assert [each["weight"] for each in one["groups"]] == [each["weight"] for each in other["groups"]]
    assert (one["agreement"], one["p_none"]) == (other["agreement"], other["p_none"])
    assert set(one["decisive"]) == set(other["decisive"])


@STEADY
@given(cast)
def test_handing_everything_in_twice_changes_nothing(given_ballots: list[Ballot]) -> None:
    once, twice = counted(given_ballots, MEMBERS), counted(given_ballots * 2, MEMBERS * 2)
    assert [each["members"] for each in once["groups"]] == [each["members"] for each in twice["groups"]]
    for one, other in zip(once["groups"], twice["groups"], strict=True):
        assert math.isclose(one["weight"], other["weight"])


@STEADY
@given(cast, odds)
def test_everything_is_finite(given_ballots: list[Ballot], chances: dict[str, float]) -> None:
    tally = counted(given_ballots, MEMBERS, probabilities=chances)
    assert all(math.isfinite(each["weight"]) and each["weight"] > 0 for each in tally["groups"])
    assert 0 <= tally["p_none"] <= 1
    assert tally["agreement"] is None or 0 < tally["agreement"] <= 1
    assert tally["n_eff"] is None or 0 < tally["n_eff"] <= len(MEMBERS)
    decision = decided(given_ballots, MEMBERS)
    assert 0 <= decision["confidence"] <= 1
    assert decision["text"] in {each["text"] for each in given_ballots} | {""}
    assert (decision["text"] != "") == (decision["outcome"] in ("consensus", "plurality"))


@STEADY
@given(st.lists(st.sampled_from(["", " ", "null", "N/A", "I don't know"]), min_size=2, max_size=4))
def test_nothing_said_is_nothing_decided(texts: list[str]) -> None:
    given_ballots = [ballot(member, text) for member, text in zip(MEMBERS, texts, strict=False)]
    tally = counted(given_ballots)
    assert tally["groups"] == []
    assert tally["p_none"] == 1.0
    assert decided(given_ballots)["outcome"] == "abstain"
