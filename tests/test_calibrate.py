"""A council calibrated on its own runs: what is bought, what is kept, and when it is stale."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ballots import TURN, ballot, counted, route_of
from fakes import FakeGenerator, FakeSearcher, Script, question_of

from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.council.fingerprints import changed
from proxycouncil.errors import UsageError
from proxycouncil.eval.promise import Promise, fit_promise, needed
from proxycouncil.eval.runs import read_polls
from proxycouncil.specialists.request import Request

WRONG = "the price of a ticket"
RIGHT = "the best alternative given up"


def reply(_: str, request: Request) -> Script:
    """Right and sure of it, except on every fourth question."""
    number = int(question_of(request).rstrip("?").split()[-1])
    return Script(WRONG, logprob=-2.0) if number % 4 == 0 else Script(RIGHT, logprob=-0.05)


def council(calibration: Path | None = None) -> Council:
    config = CouncilConfig.from_mapping(
        {
            "family": {"base": "none", "antiexpert": "none"},
            "specialists": {name: {"expert": "none"} for name in ("economics", "law", "medicine")},
            "generalist": {"expert": "none"},
            "council": {"calibration": str(calibration)} if calibration else {},
        }
    )
    return Council(config, generator=FakeGenerator(reply), searcher=FakeSearcher())


def questions(folder: Path, count: int = 48) -> Path:
    file = folder / "questions.jsonl"
    lines = [
        {"id": f"q{n}", "question": f"What is opportunity cost {n}?", "accepted": [RIGHT], "kind": "cause"}
        for n in range(count)
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def command(*arguments: str, calibration: Path | None = None) -> int:
    return run(arguments, Process(lambda _: council(calibration)))


def record(number: int, text: str, confidence: float) -> dict[str, Any]:
    cast = [ballot("law", text, confidence=confidence, support=confidence)]
    return {
        "id": f"r{number}", "question": "Which city is it?", "accepted": ["Rome"], "kind": "span",
        "turn": TURN, "ballots": cast, "tally": counted(cast), "route": route_of(["law"]),
    }  # fmt: skip


def test_what_is_bought_is_said_in_one_sentence() -> None:
    runs = [record(n, "Oslo" if n % 5 == 0 else "Rome", 0.1 if n % 5 == 0 else 0.9) for n in range(200)]
    bought = fit_promise(runs, target_risk=0.05)
    assert bought.kept
    assert bought.coverage == pytest.approx(0.8)
    assert bought.sentence() == "answers 80% of questions; at most 5% of those wrong, at 95% confidence"


def test_what_is_proven_for_fewer_answers_is_said() -> None:
    fitted = {"target_risk": 0.2, "threshold_rule": "coverage", "coverage": 0.8, "proven_coverage": 0.4}
    said = Promise(100, 80, 60, fitted, None, {}).sentence()
    assert "wrong answers at 20% are proven only where 32% of questions are answered" in said
    assert "answers 64% of questions and promises nothing" in said


def test_what_can_not_be_bought_is_not_promised() -> None:
    runs = [record(n, "Oslo" if n % 2 else "Rome", 0.5) for n in range(60)]
    bought = fit_promise(runs, target_risk=0.05)
    assert not bought.kept
    assert "promises nothing" in bought.sentence()
    assert "at least 59 answers" in bought.sentence()


@pytest.mark.parametrize(
    ("risk", "counts"), [(0.10, (29, 46, 61)), (0.05, (59, 93, 124)), (0.02, (149, 236, 313))]
)
def test_how_many_answers_a_risk_takes(risk: float, counts: tuple[int, ...]) -> None:
    assert tuple(needed(risk, errors=errors) for errors in range(3)) == counts


def test_runs_without_marks_or_with_an_impossible_risk_are_refused() -> None:
    with pytest.raises(UsageError, match="what is right"):
        fit_promise([{"id": "x", "question": "?"}], target_risk=0.1)
    with pytest.raises(UsageError, match="share"):
        fit_promise([record(0, "Rome", 0.5)], target_risk=1.0)


def test_calibrate_writes_a_file_that_a_council_uses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, runs, out = questions(tmp_path), tmp_path / "runs.jsonl", tmp_path / "calibration.json"
    arguments = ["calibrate", str(asked), "--target-risk", "0.2", "--runs", str(runs), "--out", str(out)]
    assert command(*arguments, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["questions"], told["right"], told["kept"]) == (48, 36, True)
    assert told["sentence"].startswith("answers 75% of questions; at most 20%")
    fitted = json.loads(out.read_text())
    assert set(fitted["fingerprints"]) == {"settings", "embedder"}
    with council(out) as using:
        using.config = using.config.model_copy(
            update={"council": using.config.council.model_copy(update={"target_risk": 0.2})}
        )
        assert using.ask("What is opportunity cost 3?").decision.calibrated
        assert using.ask("What is opportunity cost 4?").outcome == "abstain"


def test_with_enough_questions_the_live_count_uses_fitted_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, out = questions(tmp_path, 56), tmp_path / "calibration.json"
    assert command("calibrate", str(asked), "--target-risk", "0.2", "--out", str(out)) == 0
    assert "weights fitted to votes by route and evidence: " in capsys.readouterr().out
    fitted = json.loads(out.read_text())["vote"]
    assert fitted["rule"] == "joint"
    assert set(fitted["joint"]["weights"]) == {"economics", "general"}
    with council(out) as using:
        tally = using.ask("What is opportunity cost 3?").tally
    assert tally["weighed_by"] == "fitted"
    assert tally["groups"][0]["probability"] == pytest.approx(1 - tally["p_none"])
    assert 0 < tally["p_none"] < 0.5


def test_kept_runs_are_not_asked_again_and_can_be_revoted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, runs, out = questions(tmp_path), tmp_path / "runs.jsonl", tmp_path / "calibration.json"
    arguments = ["calibrate", str(asked), "--target-risk", "0.2", "--runs", str(runs), "--out", str(out)]
    assert command(*arguments) == 0
    silent = Process(
        lambda _: Council(council().config, generator=FakeGenerator({}), searcher=FakeSearcher())
    )
    assert run(arguments, silent) == 0
    assert run(["revote", str(runs), "--rule", "majority", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["accuracy"] == 0.75
    other = questions(tmp_path, 47)
    assert run(["calibrate", str(other), "--runs", str(runs), "--out", str(out)], silent) == 2


def test_a_changed_council_says_that_its_calibration_is_stale(tmp_path: Path) -> None:
    asked, out = questions(tmp_path), tmp_path / "calibration.json"
    assert command("calibrate", str(asked), "--target-risk", "0.2", "--out", str(out)) == 0
    fitted = json.loads(out.read_text())
    fitted["fingerprints"]["embedder"] = "another"
    out.write_text(json.dumps(fitted))
    with council(out) as using:
        assert using.stale == ("embedder",)
        decision = using.ask("What is opportunity cost 3?").decision
        assert not decision.calibrated
        assert "stale: embedder" in decision.reason


def test_parts_that_nobody_noted_are_not_stale() -> None:
    assert changed(None, {"family": "a"}) == ()
    assert changed({"fingerprints": {"family": "a"}}, {"family": "a", "experts": "b"}) == ()
    assert changed({"fingerprints": {"family": "a", "experts": "c"}}, {"family": "b", "experts": "b"}) == (
        "experts", "family",
    )  # fmt: skip


def test_ask_saves_what_revote_reads(tmp_path: Path) -> None:
    file, runs = questions(tmp_path, 6), tmp_path / "runs.jsonl"
    assert command("ask", "--file", str(file), "--save", str(runs)) == 0
    polls = read_polls(runs)
    assert [case.id for case in polls] == [f"q{n}" for n in range(6)]
    assert [bool(case.right) for case in polls] == [n % 4 != 0 for n in range(6)]
    saved = json.loads(runs.read_text().splitlines()[1])
    assert saved["ballots"][0]["passage_ids"]
    assert saved["ballots"][0]["signals"]["confidence"] is not None


def test_one_question_is_saved_too_and_no_file_is_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs.jsonl"
    assert command("ask", "What is opportunity cost 1?", "--save", str(runs)) == 0
    assert not read_polls(runs)[0].labelled
    assert command("ask", "What is opportunity cost 1?", "--save", str(runs)) == 2
    assert "is there already" in capsys.readouterr().err
