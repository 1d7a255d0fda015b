"""Cross-scores: what they make of a vote, who is asked to score, and what a calibration learns from them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from ballots import TURN, route_of, votes
from second_looks import RIGHT, SEATS, WRONG, asked, by_scores, context_of, score

from proxycouncil.errors import NotSupportedError
from proxycouncil.eval.promise import fit_promise
from proxycouncil.graphs.confidence import FEATURES, confidence, features
from proxycouncil.graphs.leanings import leaning
from proxycouncil.graphs.poll import poll_of
from proxycouncil.graphs.state import CrossScore
from proxycouncil.graphs.weighing import tally


def test_a_vote_leans_as_likely_as_each_answer_would_have_been():
    parts = leaning(score("a", none=-3.0, Paris=-0.1, Lyon=-2.1), [{"Paris"}, {"Lyon"}, {"unheard"}])
    assert sum(parts) == pytest.approx(1.0)
    assert parts[0] / parts[1] == pytest.approx(math.exp(2.0))
    assert parts[2] == 0.0
    assert parts[3] / parts[0] == pytest.approx(math.exp(-2.9))


def test_more_wordings_of_one_answer_weigh_no_more():
    one = leaning(score("a", Paris=-0.1, Lyon=-1.0), [{"Paris"}, {"Lyon"}])
    many = leaning(score("a", Paris=-0.1, paris=-0.2, Lyon=-1.0), [{"Paris", "paris"}, {"Lyon"}])
    assert many == one


def test_members_who_would_have_said_it_move_the_vote():
    sure = {"Paris": -0.05, "Lyon": -3.0}
    scores = [score("a", **sure), score("b", Paris=-0.6, Lyon=-0.5), score("c", Paris=-0.6, Lyon=-0.5)]
    plain = tally(votes(a="Paris", b="Lyon", c="Lyon"), route=route_of("abc"), turn=TURN, asked=list("abc"))
    moved = by_scores(scores, a="Paris", b="Lyon", c="Lyon")
    assert plain["groups"][0]["text"] == "Lyon"
    assert moved["groups"][0]["text"] == "Paris"
    assert moved["groups"][0]["members"] == ["a"], "who said it is who said it"
    assert sum(one["weight"] for one in moved["groups"]) + moved["p_none"] * 0.5 == pytest.approx(0.5)


def test_the_order_of_members_and_scores_changes_nothing():
    scores = [score("a", Paris=-0.1, Lyon=-2.0), score("b", Paris=-1.0, Lyon=-0.3)]
    first = by_scores(scores, a="Paris", b="Lyon")
    second = by_scores(scores[::-1], b="Lyon", a="Paris")
    assert [one["text"] for one in first["groups"]] == [one["text"] for one in second["groups"]]
    assert [one["weight"] for one in first["groups"]] == pytest.approx(
        [one["weight"] for one in second["groups"]]
    )


def test_saved_votes_are_taken_as_they_leant():
    scores = [score("a", Paris=-0.1, Lyon=-2.0), score("b", Paris=-1.0, Lyon=-0.3)]
    counted = by_scores(scores, a="Paris", b="Lyon")
    cast = votes(a="Paris", b="Lyon")
    poll = poll_of(counted, cast)
    for name in "ab":
        whole = sum(votes_.get(name, 0.0) for votes_ in poll.votes) + poll.abstained[name]
        assert whole == pytest.approx(1.0)
    paris = poll.candidates.index("Paris")
    expected = leaning(scores[0], [one["texts"] for one in counted["groups"]])[paris]
    assert poll.votes[paris]["a"] == pytest.approx(expected)
    counted["voted_by"] = "ballots"
    assert poll_of(counted, cast).votes[paris] == {"a": 1.0}


async def test_every_reading_scores_every_answer_as_it_was_asked():
    replies = {"economics": RIGHT, "law": WRONG}
    context = context_of(replies, lambda _, text: -0.2 if text == RIGHT else -2.0, cross_scoring=True)
    found = await asked(context)
    count = found["tally"]
    assert count["voted_by"] == "cross_scores"
    assert {(one["member"], one["slate"]) for one in count["cross_scores"]} == {
        (name, slate) for name in SEATS for slate in ("shared", "own")
    }
    ((requests, continuations),) = context.generator.scored
    written = {(one.pairs, one.prompt) for one in context.generator.requests}
    assert {(one.pairs, one.prompt) for one in requests} == written
    assert all(set(texts) >= {RIGHT, WRONG} for texts in continuations)
    assert count["groups"][0]["text"] == RIGHT
    assert found["decision"]["text"] == RIGHT


async def test_by_default_nothing_is_scored_and_the_count_says_nothing_of_it():
    context = context_of({"*": RIGHT}, lambda *_: -0.1)
    count = (await asked(context))["tally"]
    assert not context.generator.scored
    assert not {"voted_by", "cross_scores", "reconsidered"} & set(count)
    assert set(features(count, [], route_of(SEATS), question="")) == set(FEATURES)


async def test_without_a_scorer_ballots_are_counted_and_it_is_said():
    plain = await asked(context_of({"economics": RIGHT, "law": WRONG}))
    found = await asked(context_of({"economics": RIGHT, "law": WRONG}, cross_scoring=True))
    assert found["tally"]["voted_by"] == "ballots"
    assert not found["tally"]["degraded"]
    assert found["tally"]["groups"] == plain["tally"]["groups"]


@pytest.mark.parametrize(
    ("error", "degraded"), [(NotSupportedError("a server"), False), (RuntimeError("no memory"), True)]
)
async def test_a_scorer_that_fails_leaves_the_ballots(error: Exception, degraded: bool):
    def likes(member: str, text: str) -> float:
        raise error

    count = (await asked(context_of({"*": RIGHT}, likes, cross_scoring=True)))["tally"]
    assert count["voted_by"] == "ballots"
    assert count["degraded"] is degraded
    assert count["groups"][0]["text"] == RIGHT


async def test_truth_is_asked_behind_the_answer_and_is_no_vote():
    def likes(_: str, text: str) -> float:
        return {"Yes": -0.1, "No": -1.1}.get(text.rpartition(" ")[2], -1.0)

    context = context_of({"economics": RIGHT, "law": WRONG}, likes, signals=("p_true",))
    count = (await asked(context))["tally"]
    plain = (await asked(context_of({"economics": RIGHT, "law": WRONG})))["tally"]
    assert count["groups"] == plain["groups"]
    assert "voted_by" not in count
    true = 1 / (1 + math.exp(-2.0))  # two tokens, each e times as likely
    for one in count["cross_scores"]:
        assert one["p_true"] == pytest.approx({RIGHT: true, WRONG: true})
    described = features(count, [], route_of(SEATS), question="")
    assert described["p_true"] == pytest.approx(true)
    assert 0 < described["cross_score"] < 1


def test_a_calibration_is_fitted_on_the_signals_and_bears_it_if_one_is_missing():
    runs = [_run(number) for number in range(40)]
    del runs[3]["tally"]["cross_scores"]
    fitted = fit_promise(runs, target_risk=0.2, min_coverage=0.5).confidence
    assert {"cross_score", "p_true"} <= set(fitted["features"])
    right, wrong = runs[2], runs[1]  # alike in all but what the scores say
    described = _described(right)
    sure = confidence(right["tally"], described, fitted).value
    assert sure > confidence(wrong["tally"], _described(wrong), fitted).value
    unmeasured = {name: value for name, value in described.items() if name in FEATURES}
    assert 0 < confidence(right["tally"], unmeasured, fitted).value < sure


def _described(run: Any) -> dict[str, float]:
    return features(run["tally"], run["ballots"], run["route"], question="")


def _run(number: int) -> Any:
    """Right where the number is even, and the scores know it."""
    right = number % 2 == 0
    cast = votes(a="Paris", b="Paris" if number % 3 else "Lyon")
    sure = -0.1 if right else -1.5
    scores = [
        CrossScore(
            member=name, slate="shared", logprobs={"Paris": sure, "Lyon": -1.0}, none=-2.0,
            p_true={"Paris": 0.9 if right else 0.3, "Lyon": 0.2},
        )
        for name in "ab"
    ]  # fmt: skip
    count = tally(cast, route=route_of("ab"), turn=TURN, asked=["a", "b"])
    return {
        "id": f"q{number}", "question": "?", "ballots": cast, "route": route_of("ab"),
        "gold": "Paris" if right else "Rome",
        "tally": {**count, "cross_scores": scores},
    }  # fmt: skip
