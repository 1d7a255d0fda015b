"""Votes weighed as fitted: the same groups in another order, with probabilities; and how the fit chooses."""

from __future__ import annotations

import math
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from ballots import TURN, ballot, counted, route_of
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from proxycouncil.council.rendering import vote_table
from proxycouncil.errors import ConfigError, UsageError
from proxycouncil.eval.fitting import fit_vote, fit_without
from proxycouncil.eval.promise import fit_promise
from proxycouncil.eval.runs import voted_run
from proxycouncil.graphs.early import settled
from proxycouncil.graphs.fitted import FittedVote
from proxycouncil.graphs.joint import JointRule
from proxycouncil.graphs.state import Ballot, Tally
from proxycouncil.graphs.weighing import semantic_entropy

MEMBERS = ("law", "physics", "general")
FITTED = FittedVote(
    JointRule(
        {"law": 3.0, "physics": 1.0, "general": 1.0}, {"law": 0.5, "physics": 0.5, "general": 0.5}, 1.0
    ),
    best="law",
    correlation=0.5,
)


def recounted(ballots: list[Ballot], fitted: FittedVote = FITTED) -> Tally:
    asked = list(MEMBERS)
    return fitted.recount(counted(ballots, asked), ballots, route_of(asked), question="")


def said(**texts: str) -> list[Ballot]:
    return [
        ballot(name, text, status="answered" if text else "abstained", confidence=0.5)
        for name, text in texts.items()
    ]


def test_weights_lead_where_heads_would_not() -> None:
    cast = said(law="Oslo", physics="Rome", general="Rome")
    assert counted(cast)["groups"][0]["text"] == "Rome"
    count = recounted(cast)
    assert [group["text"] for group in count["groups"]] == ["Oslo", "Rome"]
    assert count["agreement"] == pytest.approx(3 / 5)
    probabilities = [group["probability"] for group in count["groups"]]
    assert sum(probabilities) + count["p_none"] == pytest.approx(1.0)
    assert count["weighed_by"] == "fitted"
    assert count["decisive"] == ["law"]


@pytest.mark.parametrize(
    ("leads", "leader"), [("joint", "Oslo"), ("best", "Oslo"), ("majority-best", "Rome"), ("count", "Rome")]
)
def test_another_rule_may_name_the_answer_but_the_joint_one_says_how_sure(leads: Any, leader: str) -> None:
    cast = said(law="Oslo", physics="Rome", general="Rome")
    groups = recounted(cast, replace(FITTED, leads=leads))["groups"]
    assert groups[0]["text"] == leader
    assert {group["text"]: group["probability"] for group in groups} == {
        group["text"]: pytest.approx(group["probability"]) for group in recounted(cast)["groups"]
    }


def test_evidence_counts_where_the_fit_takes_votes_weighed() -> None:
    cast = [
        ballot("physics", "Oslo", confidence=0.9, support=0.9),
        ballot("general", "Rome", confidence=0.2, support=0.2),
    ]
    weighed = recounted(cast, replace(FITTED, weighed=True))["groups"]
    assert weighed[0]["text"] == "Oslo"
    assert weighed[0]["weight"] == pytest.approx(0.9)
    equal = recounted(cast)["groups"]
    assert equal[0]["weight"] == equal[1]["weight"]


@settings(max_examples=30)
@given(st.permutations(list(MEMBERS)), st.lists(st.sampled_from(["", "Rome", "Oslo", "Bern"]), min_size=3))
def test_the_order_of_ballots_changes_nothing(order: list[str], texts: list[str]) -> None:
    cast = said(**dict(zip(MEMBERS, texts, strict=False)))
    shuffled = sorted(cast, key=lambda one: order.index(one["member"]))
    for weighed in (False, True):
        fitted = replace(FITTED, weighed=weighed)
        assert recounted(cast, fitted) == recounted(shuffled, fitted)


def test_where_nobody_answers_none_is_certain() -> None:
    count = recounted(said(law="", physics="", general=""))
    assert (count["groups"], count["p_none"], count["agreement"]) == ([], 1.0, None)


def test_it_survives_a_file_and_a_damaged_one_is_refused() -> None:
    assert FittedVote.read(FITTED.plain()) == FITTED
    for damage in ({"rule": "loudest"}, {"correlation": 2.0}, {"joint": {}}):
        with pytest.raises(ConfigError):
            FittedVote.read(FITTED.plain() | damage)


def test_members_are_stopped_only_where_fitted_weights_leave_nothing_open() -> None:
    route = route_of(MEMBERS)

    def stops(fitted: FittedVote | None, *cast: Ballot) -> bool:
        return settled(
            cast, route=route, turn=TURN, question="", readings=1, quorum=1, fitted=fitted
        )  # fmt: skip

    sure = {"confidence": 1.0, "support": 1.0}
    law, physics = ballot("law", "Rome", **sure), ballot("physics", "Rome", **sure)  # type: ignore[arg-type]
    assert not stops(FITTED, law)
    assert stops(FITTED, law, physics)
    assert not stops(replace(FITTED, joint=replace(FITTED.joint, none=3.5)), law, physics)
    assert not stops(replace(FITTED, leads="best"), law, physics)


def runs(count: int, *, lucky: str) -> list[dict[str, Any]]:
    """Marked runs in which one member is always right and two others agree on the wrong answer at times."""
    made = []
    for number in range(count):
        texts = {name: "Rome" if name == lucky or number % 3 else "Oslo" for name in MEMBERS}
        cast = said(**texts)
        made.append(
            {
                "id": f"r{number}", "question": "Which city is it?", "accepted": ["Rome"], "kind": "span",
                "ballots": cast, "tally": counted(cast, MEMBERS), "route": route_of(MEMBERS),
            }
        )  # fmt: skip
    return made


def test_the_fit_finds_the_member_to_trust() -> None:
    voted = [voted_run(record) for record in runs(60, lucky="physics")]
    fitted = fit_vote(voted)
    assert fitted.best == "physics"
    assert fitted.joint.weights["physics"] > 2 * fitted.joint.weights["law"]
    assert fitted.correlation == pytest.approx(1 / 3)  # one pair of three repeats itself
    cast = said(law="Oslo", physics="Rome", general="Oslo")
    assert recounted(cast, fitted)["groups"][0]["text"] == "Rome"
    assert set(fit_without(voted, fitted)) == {voted_case.equal.fold for voted_case in voted}


def test_few_labels_fit_no_weights_and_a_calibrated_run_is_then_refused() -> None:
    few = runs(30, lucky="physics")
    assert fit_promise(few, target_risk=0.2).vote is None
    few[0]["tally"] = FITTED.recount(few[0]["tally"], few[0]["ballots"], few[0]["route"], question="")
    with pytest.raises(UsageError, match="weighed by a calibration"):
        fit_promise(few, target_risk=0.2)


def test_scattered_readings_have_more_entropy_than_the_plain_formula_says() -> None:
    assert semantic_entropy([]) == semantic_entropy([6]) == 0.0
    assert semantic_entropy([1]) == 0.0
    even = semantic_entropy([3, 3])
    assert even >= math.log(2)
    assert even < semantic_entropy([2, 2, 2]) < semantic_entropy([2, 1, 1, 1, 1])
    tally = counted(said(law="Oslo", physics="Rome", general="Rome"))
    assert tally["entropy"] == pytest.approx(semantic_entropy([2, 1]))


def test_the_table_of_a_vote_shows_the_fitted_probabilities() -> None:
    cast = said(law="Oslo", physics="Rome", general="Rome")

    def shown(tally: Tally) -> str:
        console = Console(width=100, file=StringIO())
        console.print(vote_table(tally))
        return str(console.file.getvalue())  # type: ignore[attr-defined]

    assert "right" not in shown(counted(cast))
    table = shown(recounted(cast))
    assert "right" in table
    assert f"{recounted(cast)['p_none']:.0%}" in table.splitlines()[-1]
