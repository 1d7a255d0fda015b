"""The joint rule: what no order, copy or silence may change, and what a fit has to find."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polls import cases, labelled, poll, records

from proxycouncil.errors import ConfigError
from proxycouncil.eval.joint import ENOUGH, cold_shape, fit_cold, fit_joint
from proxycouncil.graphs.joint import JointRule
from proxycouncil.graphs.poll import Poll

STEADY = settings(deadline=None, max_examples=60)

MEMBERS = ("ada", "ben", "cleo", "dan", "eve")
SKILLS = {"ada": 0.7, "ben": 0.6, "cleo": 0.55, "dan": 0.3}

answers = st.dictionaries(
    st.sampled_from(MEMBERS), st.one_of(st.none(), st.sampled_from("12345")), max_size=len(MEMBERS)
)
weights = st.fixed_dictionaries({name: st.floats(0, 5) for name in MEMBERS})
doubts = st.fixed_dictionaries({name: st.floats(-2, 5) for name in MEMBERS})
rules = st.builds(JointRule, weights, doubts, st.floats(-3, 3), st.floats(0.3, 3))


@STEADY
@given(answers, rules)
def test_odds_are_a_distribution(said: dict[str, str | None], rule: JointRule) -> None:
    cast = poll(said)
    odds = rule.odds(cast)
    assert len(odds.candidates) == len(cast.candidates)
    assert math.isclose(sum(odds.candidates) + odds.none, 1.0)


@STEADY
@given(answers, rules, st.randoms(use_true_random=False))
def test_the_order_of_members_changes_nothing(
    said: dict[str, str | None], rule: JointRule, random: Any
) -> None:
    order = list(said)
    random.shuffle(order)
    shuffled = JointRule(
        dict(reversed(rule.weights.items())), dict(reversed(rule.doubt.items())), rule.none, rule.temperature
    )
    assert rule.odds(poll(said)) == shuffled.odds(poll({name: said[name] for name in order}))


@STEADY
@given(answers, rules, st.sampled_from(MEMBERS), st.floats(0, 1))
def test_a_member_twice_with_its_weight_split_changes_nothing(
    said: dict[str, str | None], rule: JointRule, who: str, part: float
) -> None:
    if who not in said:
        return
    twice = {**said, "twin": said[who]}
    split = JointRule(
        {**rule.weights, who: part * rule.weights[who], "twin": (1 - part) * rule.weights[who]},
        {**rule.doubt, who: part * rule.doubt[who], "twin": (1 - part) * rule.doubt[who]},
        rule.none,
        rule.temperature,
    )
    before, after = rule.odds(poll(said)), split.odds(poll(twice))
    assert np.allclose([*before.candidates, before.none], [*after.candidates, after.none])


@STEADY
@given(st.lists(st.sampled_from(MEMBERS), unique=True), rules)
def test_where_nobody_votes_none_is_certain(silent: list[str], rule: JointRule) -> None:
    odds = rule.odds(poll(dict.fromkeys(silent)))
    assert odds.candidates == ()
    assert odds.none == 1.0


@STEADY
@given(answers, rules, st.sampled_from(MEMBERS))
def test_a_vote_more_never_speaks_against_its_candidate(
    said: dict[str, str | None], rule: JointRule, who: str
) -> None:
    rest = {name: text for name, text in said.items() if name != who}
    with_vote = {**rest, who: "1"}
    if "1" not in rest.values():
        return
    before, after = rule.odds(poll(rest)), rule.odds(poll(with_vote))
    place = poll(rest).candidates.index("1")
    assert after.candidates[poll(with_vote).candidates.index("1")] >= before.candidates[place] - 1e-12


def test_a_member_that_was_not_seen_weighs_as_the_mean() -> None:
    rule = JointRule({"ada": 1.0, "ben": 3.0}, {}, 0.0)
    known = JointRule({"ada": 1.0, "ben": 3.0, "new": 2.0}, {}, 0.0)
    said = {"ada": "1", "new": "2"}
    assert rule.odds(poll(said)) == known.odds(poll(said))


def test_a_fit_is_the_optimum_of_the_plain_loss() -> None:
    """Moving any one number either way makes the regularised log-loss worse."""
    from proxycouncil.eval import joint

    made = cases(records(120, SKILLS, abstain=0.1))
    seats = sorted(SKILLS)
    table = joint._Table.of(made, seats)
    fitted = joint._fit(table, 1.0)

    def loss(theta: np.ndarray[Any, Any]) -> float:
        rule = JointRule(
            dict(zip(seats, theta[:4], strict=True)), dict(zip(seats, theta[4:8], strict=True)), theta[8]
        )
        total = 0.0
        for case in made:
            odds = rule.odds(case.poll)
            hit = sum(odds.candidates[place] for place in case.right) if case.right else odds.none
            total -= math.log(hit)
        for part, home in ((theta[:4], 1.0), (theta[4:8], 0.0)):
            total += ((part - part.mean()) ** 2).sum() + joint._ANCHOR * (part.mean() - home) ** 2
        return total + joint._ANCHOR * (theta[8] - 1.0) ** 2

    best = np.concatenate([fitted.weights, fitted.doubt, [fitted.none]])
    for place in range(len(best)):
        for step in (-0.02, 0.02):
            moved = best.copy()
            moved[place] += step
            if place >= 4 or moved[place] >= 0:
                assert loss(moved) > loss(best)


def test_a_fit_finds_who_is_worth_more() -> None:
    rule = fit_joint(cases(records(400, SKILLS)), sorted(SKILLS))
    found = rule.weights
    assert found["ada"] > found["cleo"] > found["dan"] >= 0
    assert 0.5 < rule.temperature < 2


def test_copies_share_what_one_of_them_would_weigh() -> None:
    skills = SKILLS | {"ben2": 0.6, "ben3": 0.6}
    trio = ("ben", "ben2", "ben3")
    apart = fit_joint(cases(records(500, skills)), sorted(skills)).weights
    copied = fit_joint(
        cases(records(500, skills, copies={"ben2": "ben", "ben3": "ben"})), sorted(skills)
    ).weights
    assert sum(copied[name] for name in trio) < 0.6 * sum(apart[name] for name in trio)


def test_p_none_is_as_often_as_nobody_is_right() -> None:
    made = cases(records(600, {"ada": 0.4, "ben": 0.35, "cleo": 0.3}))
    learnt, unseen = made[:400], made[400:]
    rule = fit_joint(learnt, ["ada", "ben", "cleo"])
    stated = np.mean([rule.odds(case.poll).none for case in unseen])
    assert abs(stated - np.mean([not case.right for case in unseen])) < 0.08


def test_the_fit_does_not_depend_on_the_order_of_questions_or_members() -> None:
    made = cases(records(120, SKILLS))
    first, second = fit_joint(made, sorted(SKILLS)), fit_joint(made[::-1], sorted(SKILLS, reverse=True))
    for name in SKILLS:
        assert math.isclose(first.weights[name], second.weights[name], abs_tol=2e-3)


@pytest.mark.parametrize("labels", [0, 1, ENOUGH - 1])
def test_few_labels_give_the_cold_rule(labels: int) -> None:
    made = cases(records(labels, SKILLS))
    assert fit_joint(made, sorted(SKILLS)) == fit_cold(made, sorted(SKILLS))


def test_without_labels_all_weigh_alike() -> None:
    rule = fit_cold([], ["ada", "ben"])
    assert rule.weights["ada"] == rule.weights["ben"] > 0
    assert rule.odds(poll({"ada": "1", "ben": "1"})).candidates[0] > 0.5


def test_cold_weights_are_positive_whatever_the_accuracies() -> None:
    never = [labelled(f"q{number}", "10", {"ada": "10", "ben": "3"}) for number in range(40)]
    ada, ben = cold_shape(never, ["ada", "ben"])
    assert ada > ben > 0


def test_a_rule_survives_json() -> None:
    rule = JointRule({"ada": 1.5}, {"ada": -0.5}, 0.25, 1.1)
    assert JointRule.read(rule.plain()) == rule


@pytest.mark.parametrize(
    "damage", [{"weights": {"ada": -1.0}}, {"none": math.nan}, {"temperature": 0.0}, {"doubt": None}]
)
def test_a_damaged_rule_is_refused(damage: dict[str, object]) -> None:
    plain = JointRule({"ada": 1.5}, {"ada": -0.5}, 0.25).plain()
    with pytest.raises(ConfigError):
        JointRule.read(plain | damage)


def test_a_part_of_the_members_is_what_they_alone_would_have_cast() -> None:
    cast = poll({"ada": "1", "ben": "2", "cleo": None})
    assert cast.only(["ben", "cleo"]) == poll({"ben": "2", "cleo": None})
    assert cast.only([]) == Poll((), (), {})
