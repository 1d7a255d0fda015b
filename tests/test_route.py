"""Who is asked: shapes, gates and faults on synthetic affinities, and the shipped calibration."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxycouncil.errors import ConfigError, UnknownDomainError, UsageError
from proxycouncil.eval.calibration import RoutedQuestion, fit_confidence, fit_router
from proxycouncil.eval.slips import with_slips
from proxycouncil.graphs.route import DOMAIN_FEATURES, SCOPE_FEATURES, RouterCalibration, has_content, route
from proxycouncil.retrieval.passage import Affinity

STARTER = Path(__file__).parents[1] / "council" / "starter"
DOMAINS = ("law", "medicine", "physics")
FITTED = RouterCalibration(
    embedder="mini",
    domains=DOMAINS,
    domain=dict.fromkeys(DOMAIN_FEATURES, 8.0),
    scope=dict.fromkeys(SCOPE_FEATURES, 4.0),
    scope_intercept=-8.0,
    gate=0.5,
).to_dict()

NEAR = Affinity(best=0.8, mean3=0.6, example=0.6, bm25=20.0, sentence=0.8)
FAIR = Affinity(best=0.7, mean3=0.55, example=0.55, bm25=19.0, sentence=0.8)
FAR = Affinity(best=0.1, mean3=0.1, example=0.1, bm25=1.0, sentence=0.1)
NOWHERE = Affinity(best=0.1, mean3=0.1, example=0.1, bm25=0.0, sentence=0.1)

affinity = st.builds(
    Affinity,
    best=st.floats(-1, 1),
    mean3=st.floats(-1, 1),
    example=st.floats(-1, 1),
    bm25=st.floats(0, 60),
    sentence=st.floats(-1, 1),
)
anything = st.builds(
    Affinity,
    best=st.floats(),
    mean3=st.floats(),
    example=st.floats(),
    bm25=st.floats(),
    sentence=st.floats(),
)


def ask(near: Mapping[str, Affinity], question: str = "what is a tort", **options: Any) -> Any:
    return route(question, near, **{"calibration": FITTED, "fingerprint": "mini", **options})


class TestWhoIsAsked:
    def test_a_clear_question_goes_to_its_domain_and_the_generalist(self) -> None:
        chosen = ask({"law": NEAR, "medicine": FAR, "physics": FAR})
        assert chosen["members"] == ["law", "general"]
        assert chosen["calibrated"]
        assert not chosen["declined"]

    def test_two_domains_share_a_question_between_them(self) -> None:
        assert ask({"law": NEAR, "medicine": FAIR, "physics": FAR})["members"] == [
            "law",
            "medicine",
            "general",
        ]

    @pytest.mark.parametrize(("at_most", "asked"), [(1, 1), (2, 2), (3, 3)])
    def test_at_most_so_many_specialists(self, at_most: int, asked: int) -> None:
        chosen = ask(dict.fromkeys(DOMAINS, NEAR), ask_at_most=at_most)
        assert len(chosen["members"]) == asked + 1

    def test_equal_domains_are_ordered_by_name(self) -> None:
        backwards = dict.fromkeys(reversed(DOMAINS), NEAR)
        assert ask(backwards)["members"] == [*DOMAINS, "general"]

    def test_out_of_scope_goes_to_the_generalist_alone_and_says_so(self) -> None:
        chosen = ask(dict.fromkeys(DOMAINS, FAR))
        assert chosen["members"] == ["general"]
        assert chosen["declined"]
        assert chosen["out_of_scope"] > 0.5

    def test_without_a_generalist_nobody_is_asked_what_is_out_of_scope(self) -> None:
        assert ask(dict.fromkeys(DOMAINS, FAR), seats=DOMAINS)["members"] == []

    def test_a_question_that_shares_no_word_is_put_to_nobody(self) -> None:
        chosen = ask(dict.fromkeys(DOMAINS, NOWHERE), "asdfgh jkl qwert")
        assert chosen["members"] == []
        assert chosen["declined"]

    @pytest.mark.parametrize(
        "question", ["???", "", "what is the", "and then when it because of", "\x00\x07"]
    )
    def test_a_question_that_says_nothing_is_put_to_nobody(self, question: str) -> None:
        chosen = ask(dict.fromkeys(DOMAINS, NEAR), question)
        assert chosen["members"] == []
        assert chosen["declined"]

    def test_a_seat_without_a_collection_is_never_routed_to(self) -> None:
        chosen = ask(dict.fromkeys(DOMAINS, NEAR), seats=(*DOMAINS, "poetry", "general"), ask_at_most=9)
        assert "poetry" not in chosen["members"]

    def test_a_collection_without_a_seat_is_not_asked(self) -> None:
        chosen = ask({"law": NEAR, "poetry": NEAR}, seats=("law", "general"))
        assert chosen["members"] == ["law", "general"]
        assert set(chosen["probabilities"]) == {"law"}


class TestNamedMembers:
    def test_exactly_those_are_asked_even_if_out_of_scope(self) -> None:
        chosen = ask(dict.fromkeys(DOMAINS, FAR), members=["physics", "law", "physics"])
        assert chosen["members"] == ["physics", "law"]
        assert not chosen["declined"]

    def test_the_generalist_can_be_asked_alone(self) -> None:
        assert ask(dict.fromkeys(DOMAINS, NEAR), members=["general"])["members"] == ["general"]

    def test_an_unknown_one_is_an_error_that_names_the_known(self) -> None:
        with pytest.raises(UnknownDomainError, match="'astrology'") as caught:
            ask(dict.fromkeys(DOMAINS, NEAR), members=["law", "astrology"])
        assert "general, law, medicine, physics" in caught.value.hint


class TestTrust:
    near: ClassVar = {"law": NEAR, "medicine": FAR, "physics": FAR}

    @pytest.mark.parametrize("options", [{"calibration": None}, {"fingerprint": "other"}])
    def test_without_a_fitting_calibration_the_shape_is_kept_and_said(self, options: dict[str, Any]) -> None:
        chosen = ask(self.near, **options)
        assert chosen["members"][0] == "law"
        assert chosen["members"][-1] == "general"
        assert not chosen["calibrated"]

    def test_uncalibrated_never_declines_what_says_something(self) -> None:
        assert not ask(dict.fromkeys(DOMAINS, NOWHERE), calibration=None)["declined"]

    def test_weights_transfer_to_other_domains_but_not_the_gate(self) -> None:
        chosen = ask({"poetry": NEAR, "cooking": FAR})
        assert chosen["members"] == ["poetry", "general"]
        assert not chosen["calibrated"]
        assert not ask({"poetry": FAR, "cooking": FAR})["declined"]

    @pytest.mark.parametrize(
        "broken", [{"version": 1}, {**FITTED, "version": 2}, {**FITTED, "domain": {}}, {**FITTED, "more": 1}]
    )
    def test_a_broken_calibration_is_an_error_with_a_cure(self, broken: dict[str, Any]) -> None:
        with pytest.raises(ConfigError) as caught:
            ask(self.near, calibration=broken)
        assert "fit the router again" in caught.value.hint

    def test_calibration_survives_json(self) -> None:
        fitted = RouterCalibration.from_dict(FITTED)
        assert RouterCalibration.from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted


class TestProbabilities:
    def test_no_domains(self) -> None:
        chosen = ask({})
        assert chosen["members"] == ["general"]
        assert chosen["out_of_scope"] == 1.0

    def test_one_domain_holds_all_that_is_in_scope(self) -> None:
        chosen = ask({"law": NEAR})
        assert chosen["probabilities"]["law"] == pytest.approx(1 - chosen["out_of_scope"])

    @settings(deadline=None)
    @given(st.dictionaries(st.text(min_size=1, max_size=5), anything, max_size=8), st.booleans())
    def test_they_sum_to_one_whatever_comes(self, near: dict[str, Affinity], fitted: bool) -> None:
        chosen = ask(near, calibration=FITTED if fitted else None)
        values = [*chosen["probabilities"].values(), chosen["out_of_scope"]]
        assert all(math.isfinite(value) and 0 <= value <= 1 for value in values)
        assert sum(values) == pytest.approx(1)
        assert list(chosen["probabilities"].values()) == sorted(
            chosen["probabilities"].values(), reverse=True
        )

    @settings(deadline=None)
    @given(st.fixed_dictionaries(dict.fromkeys(DOMAINS, affinity)), st.permutations(DOMAINS))
    def test_order_of_domains_does_not_matter(self, near: dict[str, Affinity], order: list[str]) -> None:
        assert ask(near)["members"] == ask({domain: near[domain] for domain in order})["members"]

    @settings(deadline=None)
    @given(st.fixed_dictionaries(dict.fromkeys(DOMAINS, affinity)), st.floats(0.01, 0.2))
    def test_nearer_is_never_less_likely(self, near: dict[str, Affinity], step: float) -> None:
        closer = replace(near["law"], best=near["law"].best + step)
        before, after = ask(near), ask({**near, "law": closer})
        assert after["probabilities"]["law"] >= before["probabilities"]["law"] - 1e-12


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ("What is WHO?", True),
        ("what is who", False),
        ("¿?", False),
        ("42", True),
        ("What is C?", True),
        ("光とは", True),
    ],
)
def test_has_content(question: str, says: bool) -> None:
    assert has_content(question) is says


def synthetic(count: int, seed: int = 0) -> list[RoutedQuestion]:
    """Questions whose own domain is nearer by a noisy margin; every fifth belongs nowhere."""
    random = np.random.default_rng(seed)
    cases = []
    for number in range(count):
        own = "" if number % 5 == 0 else DOMAINS[number % 3]
        near = {}
        for domain in DOMAINS:
            cosine = float(np.clip(random.normal(0.65 if domain == own else 0.3, 0.1), 0, 1))
            near[domain] = Affinity(cosine, cosine - 0.05, cosine, 30 * cosine, cosine)
        cases.append(RoutedQuestion(near, own, number))
    return cases


class TestFitting:
    def test_a_fitted_router_finds_domains_and_declines_the_rest(self) -> None:
        fitted = fit_router(synthetic(400), embedder="mini", fitted_on="synthetic").to_dict()
        fresh = synthetic(400, seed=1)
        routes = [
            route("a question", case.affinities, calibration=fitted, fingerprint="mini") for case in fresh
        ]
        inside = [(case, chosen) for case, chosen in zip(fresh, routes, strict=True) if case.domain]
        first = [next(iter(chosen["probabilities"])) == case.domain for case, chosen in inside]
        assert np.mean(first) > 0.95
        assert np.mean([chosen["declined"] for _, chosen in inside]) < 0.06
        outside = [chosen for case, chosen in zip(fresh, routes, strict=True) if not case.domain]
        assert np.mean([chosen["declined"] for chosen in outside]) > 0.8

    def test_nearer_never_speaks_against_a_domain(self) -> None:
        fitted = fit_router(synthetic(60), embedder="mini", fitted_on="synthetic")
        assert min(fitted.domain.values()) >= 0

    def test_only_one_kind_of_question_is_refused(self) -> None:
        with pytest.raises(UsageError, match="in scope and out of scope"):
            fit_router([case for case in synthetic(50) if case.domain], embedder="mini", fitted_on="")


class TestConfidence:
    @staticmethod
    def cases(count: int, seed: int = 0) -> tuple[list[dict[str, float]], list[bool]]:
        random = np.random.default_rng(seed)
        signal = random.normal(size=count)
        right = random.random(count) < 1 / (1 + np.exp(-(2 * signal + 1)))
        noise = random.normal(size=count)
        return [
            {"signal": float(s), "noise": float(n)} for s, n in zip(signal, noise, strict=True)
        ], right.tolist()

    def confidence(self, fitted: dict[str, Any], features: list[dict[str, float]]) -> Any:
        table = np.array([[case[name] for name in fitted["features"]] for case in features])
        standard = (table - fitted["mean"]) / fitted["scale"]
        return 1 / (1 + np.exp(-(standard @ fitted["coef"] + fitted["intercept"])))

    def test_confidence_is_a_probability_and_its_threshold_keeps_its_promise(self) -> None:
        from proxycouncil.eval.metrics import ece

        fitted = fit_confidence(*self.cases(1000), target_risk=0.2)
        features, right = self.cases(4000, seed=1)
        sure = self.confidence(json.loads(json.dumps(fitted)), features)
        assert ece(sure, right) < 0.05
        assert fitted["threshold_rule"] == "risk"
        assert 1 - np.mean(np.array(right)[sure >= fitted["threshold"]]) <= 0.2

    def test_a_risk_out_of_reach_falls_back_to_coverage_and_says_so(self) -> None:
        features, right = self.cases(300)
        fitted = fit_confidence(features, [r and i % 2 == 0 for i, r in enumerate(right)], min_coverage=0.6)
        assert fitted["threshold_rule"] == "coverage"
        assert fitted["coverage"] == pytest.approx(0.6, abs=0.02)

    def test_one_kind_of_label_is_refused(self) -> None:
        with pytest.raises(UsageError, match="right and wrong"):
            fit_confidence([{"a": 1.0}] * 10, [True] * 10)


class TestSlips:
    @settings(deadline=None)
    @given(st.text(), st.integers(0, 5))
    def test_same_text_same_slips(self, text: str, seed: int) -> None:
        assert with_slips(text, seed=seed) == with_slips(text, seed=seed)

    def test_none_leave_the_words(self) -> None:
        assert with_slips("What is the Moon?", seed=0, drop=0, slip=0) == "what is the moon"

    def test_a_question_never_vanishes(self) -> None:
        assert with_slips("???", seed=0) == "???"


class TestShippedCalibration:
    def test_it_knows_the_shipped_domains(self) -> None:
        stored = json.loads((STARTER / "calibration.json").read_text(encoding="utf-8"))["route"]
        fitted = RouterCalibration.from_dict(stored)
        assert set(fitted.domains) == {file.stem for file in (STARTER / "domains").glob("*.json")}
        assert 0.25 <= fitted.gate <= 0.6
