"""What an arm's replies are worth."""

import pytest

from proxycouncil.eval.answerer import Reply
from proxycouncil.eval.splits import Question
from proxycouncil.eval.starter import Material, Replies, score


def question(name: str, *accepted: str) -> Question:
    return Question(id=name, entry=name, kind="term", domain="law", text=f"{name}?", accepted=accepted)


INSIDE = (question("a", "alpha"), question("b", "beta"), question("c", "gamma"))
OUTSIDE = (question("d"),)


def scored(*replies: Reply) -> float | None:
    told = Replies("arm", replies[:3], replies[3:], 0.0)
    return score(told, Material(INSIDE, OUTSIDE)).calibration_error


def test_the_calibration_error_is_of_what_was_answered_and_out_of_scope_is_wrong():
    # Bins of one: |0.9 − 1|, |0.4 − 0|, |0.2 − 0|; what was declined counts nowhere.
    sure = scored(Reply("alpha", 0.9), Reply("wrong", 0.4), Reply("", 0.7), Reply("something", 0.2))
    assert sure == pytest.approx((0.1 + 0.4 + 0.2) / 3)


def test_an_arm_that_says_nothing_of_how_sure_it_is_has_none():
    assert scored(Reply("alpha"), Reply("beta"), Reply("gamma"), Reply("")) is None
