"""Metrics against scipy and scikit-learn, the split against its rule, and what must hold for any input."""

import math
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxycouncil.errors import UsageError
from proxycouncil.eval import metrics, splits

QUESTIONS = Path(__file__).parents[1] / "council" / "starter" / "questions"

scored = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5001, 0.9, 1.0]), st.booleans()), min_size=1
)


def columns(cases: list[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    return [score for score, _ in cases], [right for _, right in cases]


class TestRight:
    @pytest.mark.parametrize(
        ("reply", "accepted", "kind", "right"),
        [
            ("The Bank of Japan.", ["Bank of Japan"], "span", True),
            ("the bank of japan", ["Bank of Japan"], "span", True),
            ("supplied", ["supply"], "term", False),
            ("about 12.5 percent", ["12.5"], "span", True),
            ("about 112.5 percent", ["12.5"], "span", False),
            ("O(n log n)", ["O(n log n)"], "span", True),
            ("seven", ["7"], "span", False),
            ("", ["a"], "span", False),
            ("anything", [], "span", False),
            ("anything", [""], "span", False),
            ("supply " * 12, ["supply"], "term", True),
            ("supply " * 13, ["supply"], "term", False),
            ("supply " * 40, ["supply"], "why", True),
            ("supply " * 41, ["supply"], "why", False),
        ],
    )
    def test_short_answer_rule(self, reply: Any, accepted: Any, kind: Any, right: Any) -> None:
        assert metrics.is_right(reply, accepted, kind) is right

    def test_every_shipped_answer_of_a_name_is_right_by_its_own_rule(self) -> None:
        named = [q for q in splits.load_questions(QUESTIONS) if q.kind in {"span", "term"} and q.answer]
        right = [metrics.is_right(q.answer or "", q.accepted, q.kind) for q in named]
        assert sum(right) / len(right) > 0.99


class TestIntervals:
    @pytest.mark.parametrize(("successes", "total"), [(0, 5), (5, 5), (3, 17), (50, 120)])
    def test_wilson_is_scipys(self, successes: Any, total: Any) -> None:
        from scipy.stats import binomtest

        theirs = binomtest(successes, total).proportion_ci(method="wilson")
        ours = metrics.wilson(successes, total)
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)

    def test_wilson_of_nothing_knows_nothing(self) -> None:
        assert metrics.wilson(0, 0) == metrics.Interval(0.0, 0.0, 1.0)

    def test_clopper_pearson_is_scipys_one_sided(self) -> None:
        from scipy.stats import binomtest

        for errors, total in [(0, 14), (2, 30), (7, 40)]:
            theirs = binomtest(errors, total, alternative="less").proportion_ci(0.95, method="exact").high
            assert metrics.risk_bound(errors, total) == pytest.approx(theirs, abs=1e-9)

    def test_bootstrap_covers_the_mean_and_is_repeatable(self) -> None:
        random = np.random.default_rng(1)
        first, second = random.random(80) + 0.1, random.random(80)
        one = metrics.paired_bootstrap(first, second, draws=2000, seed=3)
        assert one == metrics.paired_bootstrap(first, second, draws=2000, seed=3)
        assert one.low < one.estimate < one.high
        assert one.estimate == pytest.approx((first - second).mean())

    def test_bootstrap_agrees_with_scipy(self) -> None:
        from scipy.stats import bootstrap

        difference = np.random.default_rng(2).normal(0.2, 1, 60)
        theirs = bootstrap((difference,), np.mean, method="percentile", n_resamples=5000, rng=1)
        ours = metrics.paired_bootstrap(difference, np.zeros(60), draws=5000)
        assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.03)
        assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.03)

    def test_bootstrap_of_equals_is_zero(self) -> None:
        assert metrics.paired_bootstrap([1, 0, 1], [1, 0, 1]) == metrics.Interval(0.0, 0.0, 0.0)

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
    def test_mcnemar_is_the_sign_test(self, pairs: Any) -> None:
        from scipy.stats import binomtest

        first, second = [a for a, _ in pairs], [b for _, b in pairs]
        gained, lost = sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)
        expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
        assert metrics.mcnemar(first, second) == pytest.approx(expected)


class TestConfidence:
    @settings(deadline=None)
    @given(scored)
    def test_auroc_and_brier_are_sklearns(self, cases: Any) -> None:
        from sklearn.metrics import brier_score_loss, roc_auc_score

        score, right = columns(cases)
        assert metrics.brier(score, right) == pytest.approx(brier_score_loss(right, score, pos_label=True))
        if len(set(right)) == 2:
            assert metrics.auroc(score, right) == pytest.approx(roc_auc_score(right, score))
        else:
            assert math.isnan(metrics.auroc(score, right))

    def test_ece_by_hand(self) -> None:
        # Two bins: {0.2, 0.4} with one right, {0.6, 0.8} with two right.
        assert metrics.ece([0.8, 0.2, 0.6, 0.4], [True, False, True, True], bins=2) == pytest.approx(0.25)

    def test_ece_breaks_ties_by_file_order(self) -> None:
        assert metrics.ece([0.5] * 4, [True, True, False, False], bins=2) == pytest.approx(0.5)
        assert metrics.ece([0.5] * 4, [True, False, True, False], bins=2) == pytest.approx(0.0)

    @settings(deadline=None)
    @given(scored)
    def test_ece_is_a_share_and_zero_for_oracles(self, cases: Any) -> None:
        score, right = columns(cases)
        assert 0.0 <= metrics.ece(score, right) <= 1.0
        assert metrics.ece([float(r) for r in right], right) == 0.0

    @settings(deadline=None)
    @given(scored)
    def test_risk_coverage_ends_at_everything(self, cases: Any) -> None:
        score, right = columns(cases)
        points = metrics.risk_coverage(score, right)
        assert points[-1].coverage == 1.0
        assert points[-1].risk == pytest.approx(1 - np.mean(right))
        assert len(points) == len(set(score))
        assert [p.coverage for p in points] == sorted(p.coverage for p in points)


class TestPromisedRisk:
    def test_a_good_order_of_answers_keeps_its_promise(self) -> None:
        random = np.random.default_rng(0)
        confidence = random.random(3000)
        right = random.random(3000) < confidence
        kept = metrics.risk_threshold(confidence, right, target=0.2)
        assert kept is not None
        assert kept.risk <= kept.bound <= 0.2
        # The true risk above t is (1 − t) / 2, so 0.6 is where it meets the target.
        assert 0.6 <= kept.threshold <= 0.72

    def test_hopeless_answers_get_none(self) -> None:
        confidence = np.linspace(0, 1, 200)
        assert metrics.risk_threshold(confidence, np.zeros(200, dtype=bool), target=0.2) is None

    def test_too_few_cases_prove_nothing(self) -> None:
        assert metrics.risk_threshold([0.9] * 10, [True] * 10, target=0.2) is None

    def test_a_few_wrong_among_the_surest_do_not_spoil_the_proof(self) -> None:
        confidence = np.concatenate([np.full(30, 0.95), np.full(120, 0.9), np.full(300, 0.4)])
        right = np.ones(450, dtype=bool)
        right[[1, 5, 9, 20, *range(40, 150, 8), *range(150, 450, 2)]] = False
        kept = metrics.risk_threshold(confidence, right, target=0.2)
        assert kept is not None
        assert kept.coverage == pytest.approx(1 / 3)
        assert metrics.risk_bound(4, 30) > 0.2 > metrics.risk_bound(18, 150)

    def test_the_promise_holds_however_wrong_the_confidences_are(self) -> None:
        random = np.random.default_rng(7)
        broken = 0
        for _ in range(200):
            truth = random.random(200)
            kept = metrics.risk_threshold(truth**0.1, random.random(200) < truth, target=0.2)
            broken += kept is not None and (1 - kept.threshold**10) / 2 > 0.2
        assert broken / 200 <= 0.08

    def test_promise_holds_in_95_of_100_samples(self) -> None:
        random = np.random.default_rng(5)
        broken = 0
        for _ in range(200):
            confidence = random.random(200)
            right = random.random(200) < confidence
            kept = metrics.risk_threshold(confidence, right, target=0.2)
            broken += kept is not None and (1 - kept.threshold) / 2 > 0.2
        assert broken / 200 <= 0.08


class TestSplit:
    def test_parts_are_those_of_the_rule(self) -> None:
        parts = {0: "test", 1: "calibration"}
        for question in splits.load_questions(QUESTIONS)[:500]:
            eighth = int(md5((question.domain + question.entry).encode()).hexdigest(), 16) % 8
            assert question.part == parts.get(eighth, "tuning")

    def test_an_entry_is_in_one_part(self) -> None:
        seen: dict[tuple[str, str], str] = {}
        for question in splits.load_questions(QUESTIONS):
            assert seen.setdefault((question.domain, question.entry), question.part) == question.part

    def test_parts_add_up(self) -> None:
        whole = splits.load_questions(QUESTIONS)
        parts = [splits.load_questions(QUESTIONS, only=p) for p in ("test", "calibration", "tuning")]
        assert sum(map(len, parts)) == len(whole) > 4000
        assert {q.domain for q in whole} == {
            "computing", "economics", "law", "medicine", "physics", "psychology",
        }  # fmt: skip

    def test_out_of_scope_questions_accept_nothing(self) -> None:
        first, second = splits.halves(splits.load_out_of_scope(QUESTIONS))
        assert len(first) == len(second) == 60
        assert not any(q.accepted or q.answer for q in first + second)

    def test_missing_and_broken_files_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no questions in"):
            splits.load_questions(tmp_path)
        with pytest.raises(UsageError, match=r"out-of-scope\.jsonl"):
            splits.load_out_of_scope(tmp_path)
        (tmp_path / "law.jsonl").write_text('\n{"id": \n')
        with pytest.raises(UsageError, match=r"law\.jsonl, line 2"):
            splits.load_questions(tmp_path)
