"""Saved votes decided again: reading, rules, figures and the command."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ballots import TURN, ballot, counted, route_of
from polls import cases, labelled, poll, records

from proxycouncil.council.cli.app import run
from proxycouncil.errors import UsageError
from proxycouncil.eval import metrics
from proxycouncil.eval.dependence import effective_votes, same_wrong
from proxycouncil.eval.polls import LabelledPoll
from proxycouncil.eval.revote import figures, revote
from proxycouncil.eval.rules import RULES, chosen, rule_called
from proxycouncil.eval.runs import read_polls

SKILLS = {"ada": 0.6, "ben": 0.55, "cleo": 0.5, "dan": 0.3}


def written(folder: Path, lines: Sequence[object], name: str = "votes.jsonl") -> Path:
    file = folder / name
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def plain(
    answers: dict[str, object], gold: object = "3", name: str = "q1", **more: object
) -> dict[str, object]:
    return {"id": name, "gold": gold, "answers": answers, **more}


def test_the_plain_form_compares_numbers_as_decimals(tmp_path: Path) -> None:
    (case,) = read_polls(
        written(tmp_path, [plain({"a": "3", "b": "3.0", "c": "03.00", "d": "-3", "e": None})])
    )
    assert sorted(len(votes) for votes in case.poll.votes) == [1, 3]
    assert case.share_right("b") == 1.0
    assert case.share_right("d") == 0.0
    assert case.poll.abstained == {"e": 1.0}


def test_the_plain_form_compares_words_as_the_vote_does(tmp_path: Path) -> None:
    said = {"a": "Paris", "b": "PARIS.", "c": "Rome", "d": "I don't know", "e": ""}
    (case,) = read_polls(written(tmp_path, [plain(dict(said), gold="paris", question="Which city?")]))
    assert case.share_right("a") == case.share_right("b") == 1.0
    assert case.share_right("c") == 0.0
    assert set(case.poll.abstained) == {"d", "e"}


def test_numbers_of_json_are_read_as_written(tmp_path: Path) -> None:
    (case,) = read_polls(written(tmp_path, [plain({"a": 3, "b": 3.5}, gold=3)]))
    assert case.share_right("a") == 1.0


def test_what_is_not_marked_is_not_labelled(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [plain({"a": "1"}, name="x"), plain({"a": "1"}, gold=None, name="y")]
    del lines[0]["gold"]
    first, second = read_polls(written(tmp_path, lines))
    assert (first.labelled, second.labelled) == (False, True)
    assert second.right == frozenset()


def test_own_runs_split_a_vote_over_its_ballots(tmp_path: Path) -> None:
    cast = [
        ballot("law", "Rome"), ballot("law", "Oslo", slate="own"), ballot("general", "Rome"),
        ballot("physics", status="abstained"), ballot("medicine", status="failed"),
    ]  # fmt: skip
    record = {
        "id": "r1", "question": "Which city is it?", "accepted": ["Rome"], "kind": "span", "turn": TURN,
        "ballots": cast, "tally": counted(cast), "route": route_of(["law", "general"]),
    }  # fmt: skip
    (case,) = read_polls(written(tmp_path, [record]))
    assert case.share_right("law") == 0.5
    assert case.share_right("general") == 1.0
    assert case.poll.abstained == {"physics": 1.0}
    assert "medicine" not in case.poll.members


@pytest.mark.parametrize(
    "line", [{"id": "x"}, {"id": "x", "answers": ["a"]}, {"id": "x", "ballots": [{"turn": "t"}]}]
)
def test_a_line_that_is_no_vote_is_named(tmp_path: Path, line: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="line 2"):
        read_polls(written(tmp_path, [plain({"a": "1"}), line]))


def test_an_id_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="twice"):
        read_polls(written(tmp_path, [plain({"a": "1"}), plain({"a": "2"})]))


def test_folds_are_those_of_the_published_rule() -> None:
    assert [LabelledPoll(f"gsm8k-test-{n:04}", poll({})).fold for n in (1, 2, 4)] == [0, 3, 3]


def test_ties_count_in_expectation() -> None:
    tie = [labelled("q", "1", {"ada": "1", "ben": "2"})]
    voted = revote(tie, RULES["majority"])
    assert voted.right.tolist() == [0.5]
    assert voted.confidence.tolist() == [0.5]


def test_majority_best_gives_ties_to_the_best() -> None:
    made = [labelled(f"q{n}", "1", {"ada": "1", "ben": "2"}) for n in range(20)]
    decider = RULES["majority-best"](made, ["ada", "ben"])
    assert decider.decide(made[0].poll).leading == (0,)


def test_the_joint_rule_names_something_wherever_anybody_voted() -> None:
    made = cases(records(80, SKILLS, abstain=0.6))
    for case, verdict in zip(made, revote(made, RULES["joint"]).verdicts, strict=True):
        assert bool(verdict.leading) == bool(case.poll.candidates)


def test_no_rule_sees_the_fold_it_decides() -> None:
    """Labels of one fold turned upside down leave that fold's verdicts as they are."""
    made = cases(records(150, SKILLS))
    flipped = [
        LabelledPoll(case.id, case.poll, frozenset(range(len(case.poll.candidates))) - case.right)
        if case.fold == 0
        else case
        for case in made
    ]
    for name in ("joint", "best", "log-odds"):
        before, after = revote(made, RULES[name]), revote(flipped, RULES[name])
        here = [place for place, case in enumerate(made) if case.fold == 0]
        assert [before.verdicts[place] for place in here] == [after.verdicts[place] for place in here]


def test_the_joint_rule_is_ahead_of_the_best_member() -> None:
    found = figures(revote(cases(records(500, SKILLS)), RULES["joint"]))
    assert found["accuracy"] > found["best_member"]["accuracy"] + 0.05
    assert found["ece"] < 0.08
    assert abs(found["p_none"] - found["none_right"]) < 0.05
    assert 1 < found["n_eff"] <= 4


def test_auto_takes_the_best_member_where_the_rest_only_echo_a_mistake() -> None:
    made = [
        labelled(f"q{n}", "10", {"ada": "10" if n % 10 else "1", "ben": "2", "cleo": "2", "dan": "2"})
        for n in range(40)
    ]
    assert chosen(made, ["ada", "ben", "cleo", "dan"]) in ("joint", "best")
    voted = revote(made, RULES["auto"])
    assert voted.right.mean() == 0.9


def test_figures_agree_with_the_plain_formulas() -> None:
    made = cases(records(200, SKILLS))
    voted = revote(made, RULES["joint"])
    found = figures(voted)
    right = np.array([v.share_right(c.right) for c, v in zip(made, voted.verdicts, strict=True)])
    sure = np.array([verdict.confidence for verdict in voted.verdicts])
    assert found["accuracy"] == pytest.approx(right.mean())
    assert found["brier"] == pytest.approx(((sure - right) ** 2).mean())
    assert found["ece"] == metrics.ece(sure, right)


def test_kish_for_equal_weights_and_one_correlation() -> None:
    """Two that are always right together are one vote; two that are independent are two."""
    together = [labelled(f"q{n}", "1", dict.fromkeys(["a", "b"], "1" if n % 2 else "2")) for n in range(8)]
    assert effective_votes(together, {"a": 1.0, "b": 1.0}) == pytest.approx(1.0)
    apart = [
        labelled(f"q{n}", "1", {"a": "1" if n % 2 else "2", "b": "1" if n // 2 % 2 else "2"})
        for n in range(8)
    ]
    assert effective_votes(apart, {"a": 1.0, "b": 1.0}) == pytest.approx(2.0)
    assert effective_votes(apart, {"a": 1.0, "b": 0.0}) == pytest.approx(1.0)


def test_the_same_wrong_answer_is_counted_where_both_are_wrong() -> None:
    made = [labelled(f"q{n}", "1", {"a": "2", "b": "2" if n < 5 else "3", "c": "1"}) for n in range(20)]
    (pair,) = same_wrong(made, ["a", "b", "c"])
    assert (pair.members, pair.both_wrong, pair.rate) == (("a", "b"), 20, 0.25)


def test_an_unknown_rule_and_an_unknown_member_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no rule"):
        rule_called("borda")
    with pytest.raises(UsageError, match="nobody"):
        read_polls(written(tmp_path, [plain({"a": "1"})]), members=["zoe"])


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("rule", sorted(RULES))
def test_the_command_prints_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str], rule: str) -> None:
    file = written(tmp_path, records(60, SKILLS))
    assert run(["revote", str(file), "--rule", rule, "--members", "ada,ben,cleo", "--json"]) == 0
    found = told(capsys)
    for key in ("accuracy", "ece", "brier", "n_eff"):
        assert isinstance(found[key], float)
    assert {"auroc", "p_none", "weights", "best_member", "intervals"} <= found.keys()
    low, high = found["intervals"]["accuracy"]
    assert low <= found["accuracy"] <= high
    assert set(found["weights"]) <= {"ada", "ben", "cleo"}


def test_fitted_on_other_votes_the_file_needs_no_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learnt = written(tmp_path, records(80, SKILLS), "learnt.jsonl")
    unseen = [{"id": one["id"], "answers": one["answers"]} for one in records(5, SKILLS, seed=1)]
    out = tmp_path / "out.jsonl"
    file = written(tmp_path, unseen)
    assert run(["revote", str(file), "--fit", str(learnt), "--out", str(out), "--json"]) == 0
    assert "accuracy" not in told(capsys)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["id"] for line in lines] == [one["id"] for one in unseen]
    assert all(0 <= line["confidence"] <= 1 and 0 <= line["p_none"] <= 1 for line in lines)


def test_all_null_is_nothing_named_and_none_certain(tmp_path: Path) -> None:
    made = [*records(60, SKILLS), plain(dict.fromkeys(SKILLS), gold="10", name="silent")]
    file, out = written(tmp_path, made), tmp_path / "out.jsonl"
    assert run(["revote", str(file), "--out", str(out)]) == 0
    silent = json.loads(out.read_text().splitlines()[-1])
    assert silent == {"id": "silent", "answer": None, "confidence": 0.0, "p_none": 1.0}


def test_the_table_says_what_the_rule_gains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["revote", str(written(tmp_path, records(60, SKILLS)))]) == 0
    printed = capsys.readouterr().out
    assert "ahead of it" in printed
    assert "effective votes" in printed


def test_fractional_truths_agree_with_whole_ones() -> None:
    sure, right = [0.1, 0.4, 0.4, 0.8], [False, True, False, True]
    shares = [0.0, 1.0, 0.0, 1.0]
    for measure in (metrics.auroc, metrics.brier, metrics.ece):
        assert math.isclose(measure(sure, right), measure(sure, shares))
    assert metrics.auroc([0.5, 0.5], [0.5, 0.5]) == 0.5
    assert metrics.brier([0.5], [0.5]) == 0.25
