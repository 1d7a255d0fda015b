"""Two versions compared: exact tests against plain references, and what must and must not be called worse."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.regress import Plant, old_runs, planted, rate, retrained
from hypothesis import given, settings
from hypothesis import strategies as st

from proxycouncil.council.cli.app import run
from proxycouncil.errors import UsageError
from proxycouncil.eval.metrics import mcnemar
from proxycouncil.eval.paired import detectable, difference, fewer, holm
from proxycouncil.eval.regress import OTHERS, OUTSIDE, WRONG, paired, regress
from proxycouncil.eval.runs import decided_right, line_of

N = 300


def runs(seed: int = 0, count: int = N) -> list[dict[str, Any]]:
    return old_runs(count, random.Random(seed))


def spoken(record: dict[str, Any], text: str) -> dict[str, Any]:
    return {**record, "decision": {"outcome": "consensus" if text else "abstain", "text": text}}


class TestExactTest:
    @given(st.lists(st.integers(-3, 3), max_size=9))
    def test_it_is_the_share_of_all_signs_that_give_so_low_a_sum(self, changes):
        signs = itertools.product((-1, 1), repeat=len(changes))
        sums = [sum(s * abs(c) for s, c in zip(one, changes, strict=True)) for one in signs]
        assert fewer(changes) == pytest.approx(np.mean([total <= sum(changes) for total in sums]))

    @given(st.integers(0, 40), st.integers(0, 40))
    def test_with_one_question_an_entry_it_is_half_of_mcnemars(self, better, worse):
        p = fewer([1] * better + [-1] * worse)
        two_sided = mcnemar([True] * worse + [False] * better, [False] * worse + [True] * better)
        if worse > better:
            assert 2 * p == pytest.approx(two_sided)
        else:
            assert p >= 0.5

    def test_questions_that_stand_together_count_as_one(self):
        assert fewer([-3] * 4) == pytest.approx(1 / 16)
        assert fewer([-1] * 12) == pytest.approx(2**-12)

    @given(st.lists(st.floats(0, 1), max_size=8))
    def test_holm_is_between_the_value_and_bonferronis(self, values):
        for p, adjusted in zip(values, holm(values), strict=True):
            assert min(1.0, p) <= adjusted <= min(1.0, len(values) * p) + 1e-12
        assert [a for _, a in sorted(zip(values, holm(values), strict=True))] == sorted(holm(values))

    def test_few_questions_prove_nothing_even_if_none_changed(self):
        few = difference([0] * 5, [1] * 5)
        many = difference([0] * 500, [1] * 500)
        assert few.low < -0.2
        assert -0.02 < many.low <= 0 <= many.high < 0.02
        assert detectable([0] * 5, [1] * 5, level=0.05) > 0.5

    def test_the_interval_holds_the_truth(self):
        draw = np.random.default_rng(0)
        held = 0
        for seed in range(60):
            changes = draw.choice([-1, 0, 1], p=[0.15, 0.75, 0.10], size=150)
            found = difference(changes.tolist(), [1] * 150, draws=500, seed=seed)
            held += found.low <= -0.05 <= found.high
        assert held >= 53  # 57 expected; fewer than 53 once in a hundred


class TestVerdict:
    def test_the_same_runs_are_the_same(self):
        found = regress(runs(), runs())
        assert found.verdict == "same"
        assert found.reasons == ()
        assert found.drift.changed.estimate == 0
        assert found.cost["prompt_tokens"].ratio is not None
        assert found.cost["prompt_tokens"].ratio.estimate == 1

    def test_ten_points_are_seen_and_an_equal_retrain_passes(self):
        draws = {"questions": N, "repeats": 12}
        seen = rate(Plant("10 points", 0.10), count=N, repeats=12, runs=None, seed=1)
        equal = rate(Plant("equal", 0.0), count=N, repeats=12, runs=None, seed=1)
        assert seen.items() >= draws.items()
        assert seen["called_worse"] >= 11 / 12
        assert equal["called_worse"] <= 1 / 12

    def test_a_loss_in_one_domain_names_it(self):
        old = runs()
        new = planted(old, Plant("law", 0.4, domain="law"), random.Random(0))
        found = regress(old, new)
        assert found.verdict == "worse"
        assert [one.name for one in found.domains if one.verdict == "worse"] == ["law"]
        assert any(reason.startswith("law: fewer right by 4") for reason in found.reasons)

    def test_forgetting_is_told_from_the_domain_that_was_meant_to_change(self):
        old = runs()
        draw = random.Random(0)
        lost = old
        for domain in ("law", "medicine", "physics"):
            lost = planted(lost, Plant(domain, 0.12, domain=domain), draw)
        better = [spoken(one, "right") if one["domain"] == "economics" else one for one in lost]
        found = regress(old, better, changed=["economics"])
        verdicts = {one.name: one.verdict for one in found.domains}
        assert verdicts["economics"] == "better"
        assert verdicts[OTHERS] == "worse"
        assert found.verdict == "worse"

    def test_answering_wrongly_what_was_declined_is_worse_though_no_fewer_are_right(self):
        old = runs()
        new = [one if one["decision"]["text"] else spoken(one, "wrong") for one in old]
        found = regress(old, new)
        right, wrong = found.overall
        assert right.difference.estimate == 0
        assert wrong.name == WRONG
        assert wrong.verdict == found.verdict == "worse"

    def test_silence_is_right_where_nothing_is(self):
        outside = {"accepted": [], "domain": ""}
        old = [spoken(one | outside, "") for one in runs(count=60)]
        found = regress(old, [spoken(one, "made up") for one in old])
        assert all(decided_right(one) for one in old)
        assert found.verdict == "worse"
        assert paired(old, old)[0][0].domain == OUTSIDE

    def test_few_questions_are_unclear_and_say_so(self):
        old = runs(count=12)
        found = regress(old, old)
        assert found.verdict == "unclear"
        assert "ask more questions" in found.reasons[0]

    def test_a_certain_loss_that_matters_to_nobody_passes(self):
        old = [spoken(one, "right") for one in runs(count=2000)]
        new = [spoken(one, "wrong") if number % 200 == 0 else one for number, one in enumerate(old)]
        found = regress(old, new)
        assert found.overall[0].p is not None
        assert found.overall[0].p < 0.01
        assert found.verdict == "same"
        assert regress(old, new, tolerance=0.004).verdict == "worse"

    @settings(max_examples=8, deadline=None)
    @given(st.integers(0, 1000))
    def test_more_losses_are_never_less_certain(self, seed):
        old = runs(seed, count=60)
        less = planted(old, Plant("", 0.1), random.Random(seed))
        more = planted(less, Plant("", 0.2), random.Random(seed))
        first, second = regress(old, less).overall[0], regress(old, more).overall[0]
        assert first.p is not None
        assert second.p is not None
        assert second.p <= first.p


class TestDrift:
    def test_answers_that_changed_although_their_passages_did_not(self):
        old = [spoken(one, "right") for one in runs(count=30)]
        new = [dict(one) for one in old]
        new[0] = spoken(new[0], "wrong")
        new[1] = spoken(new[1], "")
        new[2] = spoken(new[2], "Right.")
        new[3] = spoken(new[3], "wrong") | {"ballots": [{"passage_ids": ["another"]}]}
        drift = regress(old, new).drift
        assert drift.ids == (old[0]["id"], old[1]["id"])
        assert (drift.same_passages, drift.right_to_wrong, drift.wrong_to_right) == (29, 2, 0)

    def test_cost_is_of_the_same_questions(self):
        old = runs(count=30)
        usage = {"prompt_tokens": 150, "completion_tokens": 5}
        new = [{**one, "seconds": 2.0, "ballots": [{**one["ballots"][0], "usage": usage}]} for one in old]
        cost = regress(old, new).cost
        assert cost["prompt_tokens"].ratio is not None
        assert cost["prompt_tokens"].ratio.estimate == pytest.approx(1.5)
        assert (cost["seconds"].old, cost["seconds"].new) == (1.0, 2.0)


def test_runs_of_other_questions_are_refused():
    old = runs(count=20)
    with pytest.raises(UsageError, match="no question in common"):
        regress(old, [{**one, "id": f"x{one['id']}"} for one in old])
    with pytest.raises(UsageError, match="another question"):
        regress(old, [{**one, "question": "Else?"} for one in old])
    with pytest.raises(UsageError, match="twice"):
        regress([*old, old[0]], old)
    assert regress(old, old[:15]).unpaired == 5


def test_the_domain_is_the_marked_one_or_where_the_old_router_saw_it():
    route = {"probabilities": {"law": 0.6, "medicine": 0.3}, "out_of_scope": 0.1}
    plain = {key: value for key, value in runs(count=1)[0].items() if key != "domain"} | {"route": route}
    assert paired([plain], [plain])[0][0].domain == "law"


class TestCommand:
    def write(self, file: Path, records: list[dict[str, Any]]) -> str:
        file.write_text("".join(map(line_of, records)), encoding="utf-8")
        return str(file)

    def test_saved_runs_are_compared_and_the_exit_code_tells(self, tmp_path, capsys):
        old = runs()
        new = planted(retrained(old, random.Random(0)), Plant("", 0.15), random.Random(0))
        before, after = self.write(tmp_path / "a.jsonl", old), self.write(tmp_path / "b.jsonl", new)
        assert run(["regress", before, before]) == 0
        shown = capsys.readouterr().out
        assert "same" in shown
        assert "psychology" in shown
        assert run(["regress", before, after, "--json"]) == 1
        found = json.loads(capsys.readouterr().out)
        assert found["verdict"] == "worse"
        assert {one["name"] for one in found["domains"]} >= {"law", "physics"}
        assert found["cost"]["seconds"]["ratio"]["estimate"] == 1.0

    def test_what_is_neither_runs_nor_a_council_is_refused(self, tmp_path, capsys):
        file = tmp_path / "a.jsonl"
        file.write_text('{"id": "1"}\n', encoding="utf-8")
        assert run(["regress", str(file), str(file)]) == 2
        assert "line 1" in capsys.readouterr().err
