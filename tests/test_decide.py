"""Decisions: outcomes, words, citations, dissent, confidence."""

from __future__ import annotations

import math

import pytest
from ballots import ballot, cite, counted, decided, route_of, votes

from proxycouncil.errors import ConfigError
from proxycouncil.graphs.confidence import FEATURES, confidence, features, flip_rate, threshold
from proxycouncil.graphs.decide import decide
from proxycouncil.graphs.state import Ballot

FITTED: dict[str, object] = {
    "version": 1,
    "features": ["share", "support"],
    "mean": [0.5, 0.5],
    "scale": [0.25, 0.25],
    "coef": [1.0, 1.0],
    "intercept": 0.0,
    "threshold": 0.6,
    "target_risk": 0.2,
}


def test_consensus_of_two_speaks_in_a_members_own_words() -> None:
    decision = decided(votes(x="Rome.", y="ROME", z="Oslo"))
    assert decision["outcome"] == "consensus"
    assert decision["text"] in ("Rome.", "ROME")
    assert decision["agreement"] == pytest.approx(2 / 3)
    assert [(each["text"], each["members"]) for each in decision["dissent"]] == [("Oslo", ["z"])]
    assert decision["dissent"][0]["share"] == pytest.approx(1 / 3)
    assert decision["reason"] == "2 of 3 members agree."


def test_one_heavy_member_is_no_consensus() -> None:
    decision = decided(votes(x="Rome", y="Oslo"), probabilities={"x": 1.0, "y": 0.0})
    assert decision["agreement"] is not None
    assert decision["agreement"] > 0.5
    assert decision["outcome"] == "plurality"


def test_a_lone_answer_is_a_plurality_without_agreement() -> None:
    decision = decided([ballot("x", "Rome"), ballot("y", status="abstained")])
    assert (decision["outcome"], decision["agreement"]) == ("plurality", None)


def test_the_quorum_counts_those_who_abstain() -> None:
    heard = [ballot("x", "Rome"), ballot("y", status="abstained"), ballot("z", status="failed", error="e")]
    assert decided(heard, quorum=2)["outcome"] == "plurality"
    assert decided(heard, quorum=3)["outcome"] == "abstain"


def test_the_quorum_is_never_more_than_were_asked() -> None:
    assert decided(votes(x="Rome"), quorum=5)["outcome"] == "plurality"


def test_more_doubt_than_answers_is_an_abstention() -> None:
    decision = decided([ballot("w", "Rome"), *(ballot(name, status="abstained") for name in "xyz")])
    assert (decision["outcome"], decision["text"], decision["citations"]) == ("abstain", "", [])
    assert [each["text"] for each in decision["dissent"]] == ["Rome"]


def test_nobody_asked_is_an_abstention() -> None:
    decision = decided([], [])
    assert decision["outcome"] == "abstain"
    assert not decision["degraded"]


def test_the_first_cause_is_that_of_the_member_asked_first() -> None:
    failed = [ballot("y", status="failed", error="second"), ballot("x", status="failed", error="first")]
    decision = decided(failed, ["x", "y"])
    assert decision["outcome"] == "error"
    assert decision["reason"] == "Every member failed; the first cause: x: first."


def test_time_is_a_cause_as_well() -> None:
    assert "out of time" in decided([ballot("x", status="late")])["reason"]


def test_a_member_never_heard_of_is_missing() -> None:
    decision = decided(votes(x="Rome", y="Rome"), ["x", "y", "z"])
    assert decision["degraded"]
    assert decision["outcome"] == "consensus"
    assert decision["reason"].startswith("Not heard: z.")


def test_one_failed_reading_degrades_though_its_member_is_heard() -> None:
    assert decided([*votes(x="Rome", y="Rome"), ballot("x", slate="own", status="failed", error="e")])[
        "degraded"
    ]


def test_citations_are_the_winners_once_each_with_the_shown_words_first() -> None:
    first, second = cite("p1", "Rome it is."), cite("p2", "It is Rome.")
    cast = [
        ballot("x", "Rome, the city", citations=[second], read=["p2"]),
        ballot("y", "Rome", citations=[first]),
        ballot("z", "Rome", citations=[first]),
        ballot("w", "Oslo", citations=[cite("p3")], read=["p3"]),
    ]
    decision = decided(cast)
    assert decision["text"] == "Rome"
    assert [each["passage_id"] for each in decision["citations"]] == ["p1", "p2"]


def test_a_declined_question_is_marked() -> None:
    tally = counted(votes(general="Rome"))
    route = route_of(["general"], {"law": 0.1}, out_of_scope=0.9, declined=True)
    decision = decide(tally, votes(general="Rome"), route, question="", quorum=2, target_risk=0.05)
    assert decision["outcome"] == "plurality"
    assert "outside of the council's fields" in decision["reason"]


def test_decisive_members_are_those_whose_leaving_changes_the_lead() -> None:
    tally = counted(votes(v="Rome", w="Rome", x="Oslo", y="Oslo", z="Rome"))
    assert tally["decisive"] == []
    assert counted(votes(x="Rome", y="Oslo"), probabilities={"x": 0.9, "y": 0.1})["decisive"] == ["x"]
    assert counted(votes(x="Rome"))["decisive"] == ["x"]


def test_effective_votes_are_fewer_than_members() -> None:
    tally = counted(votes(x="Rome", y="Rome", z="Rome"))
    assert tally["n_eff"] == pytest.approx(3 / (1 + 2 * 0.44))
    assert counted(votes(x="Rome"))["n_eff"] == pytest.approx(1.0)
    assert counted(votes(x=None))["n_eff"] is None


def test_one_member_that_changes_its_mind_is_a_flip() -> None:
    tally = counted([ballot("x", "Rome"), ballot("x", "Oslo", slate="own"), ballot("y", "Rome")])
    assert flip_rate(tally) == 0.5
    assert tally["p_none"] > 0


def test_uncalibrated_confidence_promises_nothing() -> None:
    decision = decided(votes(x="Rome", y="Rome"))
    assert not decision["calibrated"]
    assert decision["outcome"] == "consensus", "no threshold binds without a calibration"


def test_the_risk_bound_abstains() -> None:
    weak = [ballot(name, "Rome", support=0.0) for name in "xy"]
    strong = [ballot(name, "Rome", support=1.0) for name in "xy"]
    refused = decided(weak, calibration=FITTED, target_risk=0.2)
    given = decided(strong, calibration=FITTED, target_risk=0.2)
    assert (refused["outcome"], refused["calibrated"]) == ("abstain", True)
    assert "60%" in refused["reason"]
    assert given["outcome"] == "consensus"
    assert given["confidence"] > 0.6 > refused["confidence"]


@pytest.mark.parametrize(("risk", "needed"), [(0.2, 0.6), (0.05, 0.95), (0.3, 0.6), (0.5, 0.5)])
def test_a_stricter_risk_needs_a_likelier_answer(risk: float, needed: float) -> None:
    assert threshold(FITTED, risk) == pytest.approx(needed)
    assert threshold(None, risk) == 0.0


def test_only_a_proven_risk_is_taken_where_that_is_asked_for() -> None:
    proven = FITTED | {"proven_threshold": 0.8}
    assert threshold(proven, 0.2, proven_only=True) == 0.8
    assert threshold(proven, 0.3, proven_only=True) == 0.8
    assert threshold(proven, 0.1, proven_only=True) == math.inf
    assert threshold(FITTED, 0.2, proven_only=True) == math.inf
    assert threshold(None, 0.2, proven_only=True) == math.inf


def test_what_is_not_proven_is_not_answered() -> None:
    cast = [ballot(name, "Rome", support=1.0) for name in "xy"]
    sure = decided(cast, calibration=FITTED, target_risk=0.2)["confidence"]
    told = {
        name: decided(cast, calibration=FITTED | fitted, target_risk=0.2, proven_only=True, stale=stale)
        for name, fitted, stale in (
            ("below", {"proven_threshold": sure - 0.01}, ()),
            ("above", {"proven_threshold": min(1.0, sure + 0.01)}, ()),
            ("nothing", {"proven_threshold": None}, ()),
            ("stale", {"proven_threshold": 0.0}, ("experts",)),
        )
    }
    assert {name: decision["outcome"] for name, decision in told.items()} == {
        "below": "consensus", "above": "abstain", "nothing": "abstain", "stale": "abstain",
    }  # fmt: skip
    assert "none is proven" in told["nothing"]["reason"]
    assert decided(cast, proven_only=True)["outcome"] == "abstain"


@pytest.mark.parametrize(
    "damage", [{"features": ["unheard of", "support"]}, {"coef": [1.0]}, {"intercept": None}, {"scale": "?"}]
)
def test_a_damaged_calibration_is_refused_with_a_cure(damage: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        decided(votes(x="Rome", y="Rome"), calibration=FITTED | damage)
    assert "fit it again" in caught.value.hint


def test_features_are_complete_and_finite_with_and_without_answers() -> None:
    for cast in (votes(x="Rome", y="Oslo"), votes(x=None), []):
        tally = counted(cast, ["x", "y"])
        found = features(tally, cast, route_of(["x", "y"]), question="")
        assert tuple(found) == FEATURES
        assert confidence(tally, found).value >= 0.0


def _support(cast: list[Ballot], asked: list[str]) -> float:
    return features(counted(cast), cast, route_of(asked), question="")["support"]


def test_an_answer_fits_when_it_is_as_long_as_the_question_wants() -> None:
    long = "Friedrich von Wieser introduced the words in the year 1914 in a book about the social economy."
    for question, answer, fitting in [
        ("Who introduced it?", "Friedrich von Wieser", True),
        ("Who introduced it?", long, False),
        ("Why was it introduced?", long, True),
        ("Why was it introduced?", "a book", False),
        ("Is it older than that?", "Yes.", True),
    ]:
        cast = votes(x=answer, y=answer)
        tally = counted(cast, question=question)
        assert features(tally, cast, route_of(["x", "y"]), question=question)["fits"] == fitting


def test_support_counts_once_per_passage() -> None:
    shared = [
        ballot(name, "Rome", support=support, citations=[cite()])
        for name, support in (("x", 1.0), ("y", 0.2))
    ]
    apart = [*shared, ballot("z", "Rome", support=0.5, citations=[cite("p2")], read=["p2"])]
    asked = ["x", "y", "z"]
    assert _support(shared, asked) == pytest.approx(1.0)
    assert _support(apart, asked) == pytest.approx(0.75)


def test_relevance_is_told_where_every_leading_ballot_tells_it() -> None:
    def told(*found: float | None) -> dict[str, float]:
        cast = [ballot(name, "Rome") for name, _ in zip("xyz", found, strict=False)]
        for one, near in zip(cast, found, strict=True):
            one["signals"]["relevance"] = near
        elsewhere = ballot("o", "Oslo")
        return features(counted([*cast, elsewhere]), [*cast, elsewhere], route_of([*"xyzo"]), question="")

    assert told(0.9, 0.5)["relevance"] == pytest.approx(0.7)
    assert told(0.9, None)["relevance"] == pytest.approx(0.45)  # one that cites nothing
    assert "relevance" not in told(0.9, math.nan)
    untold = votes(x="Rome", y="Rome")
    assert "relevance" not in features(counted(untold), untold, route_of(["x", "y"]), question="")


def test_what_cites_the_nearer_sentence_is_surer() -> None:
    fitted = FITTED | {name: [*FITTED[name], value] for name, value in _RELEVANCE.items()}  # type: ignore[misc]

    def sure(near: float | None) -> float:
        cast = votes(x="Rome", y="Rome")
        for one in cast if near is not None else []:
            one["signals"]["relevance"] = near
        return decided(cast, calibration=fitted)["confidence"]

    assert sure(0.4) < sure(None) < sure(0.9)  # not measured: as it mostly was
    assert sure(None) == pytest.approx(sure(0.6))


_RELEVANCE: dict[str, object] = {"features": "relevance", "mean": 0.6, "scale": 0.2, "coef": 1.0}


def test_of_alike_answers_the_one_as_long_as_the_question_wants_is_shown() -> None:
    short = "Paris"
    long = "Paris, which lies on the Seine and was the seat of the kings of the country for centuries"
    question = "Which city is the capital of France?"
    cast = votes(x=long, y=short)
    (group,) = counted(cast, question=question)["groups"]
    assert group["text"] == short
