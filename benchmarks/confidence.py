"""Fits the starter's confidence and threshold on answers to questions that no expert was tuned on.

    python -m benchmarks.confidence --runs runs.jsonl [--json FILE] [--signals]
    python -m benchmarks.confidence --runs runs.jsonl --write   # also into calibration.json, key "confidence"

The council answers the calibration part of the shipped questions and the first half of the out-of-scope ones
without a threshold; what it said is kept in `--runs` and not asked again when that file is there. With
`--signals` readings also score every answer (`[vote] signals`), and the confidence is fitted on that, too: to
see what it brings, not to be written.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proxycouncil import Answer, Council
from proxycouncil.council.questions import Question as Asked
from proxycouncil.council.starter import DIRECTORY
from proxycouncil.eval.calibration import fit_confidence
from proxycouncil.eval.metrics import auroc, ece, is_right
from proxycouncil.eval.splits import Question
from proxycouncil.eval.starter import load_material
from proxycouncil.graphs.confidence import features
from proxycouncil.graphs.context import Signal
from proxycouncil.graphs.run_settings import RunSettings

CALIBRATION = DIRECTORY / "calibration.json"
TARGET_RISK = 0.20
MIN_COVERAGE = 0.72
"""Share of all these questions, unanswerable ones too, that is answered where no risk can be proven: eight in
ten of those in scope, which keeps the target risk on held-out folds though not provably."""


def main() -> None:
    """Ask, fit, print, and write what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, required=True, help="where the answers are kept")
    parser.add_argument("--write", action="store_true", help="into the starter's calibration.json")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--signals", action="store_true", help="fit on cross-scores and P(True), too")
    options = parser.parse_args()
    if options.write and options.signals:
        parser.error("the starter asks without signals: leave out --write or --signals")
    material = load_material(DIRECTORY / "questions", part="calibration")
    questions = [*material.inside, *material.outside]
    answers = answered(questions, options.runs, signals=("cross_scores", "p_true") if options.signals else ())
    fitted, figures = fit(questions, answers)
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))
    if options.write:
        whole = json.loads(CALIBRATION.read_text(encoding="utf-8"))
        # Weights of votes that `council calibrate` may have put there were not looked at here.
        whole.pop("vote", None)
        with Council.starter() as council:
            parts = {"confidence": fitted, "fingerprints": council.fingerprints()}
        CALIBRATION.write_text(json.dumps(whole | parts, indent=2) + "\n", encoding="utf-8")


def answered(questions: list[Question], runs: Path, *, signals: tuple[Signal, ...]) -> list[Answer]:
    """The council's answers to the questions, from the file where it holds them all."""
    if not runs.exists():
        with runs.open("w", encoding="utf-8") as file:
            for answer in ask(questions, signals):
                file.write(answer.model_dump_json() + "\n")
    answers = [Answer.model_validate_json(line) for line in runs.read_text(encoding="utf-8").splitlines()]
    if [answer.decision.question for answer in answers] != [question.text for question in questions]:
        raise SystemExit(f"{runs} holds answers to other questions: delete it to ask anew")
    return answers


def ask(questions: list[Question], signals: tuple[Signal, ...]) -> Iterator[Answer]:
    """Answers by the starter without a threshold, so that wrong ones are seen too."""
    with Council.starter() as council:
        for part in ("confidence", "vote"):
            (council.calibration or {}).pop(part, None)
        how = RunSettings(signals=signals) if signals else None
        asked = (Asked(question.text, settings=how) for question in questions)
        for number, answer in enumerate(council.ask_many(asked), start=1):
            if number % 50 == 0:
                print(f"{number}/{len(questions)}", flush=True)
            yield answer


def fit(questions: list[Question], answers: list[Answer]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fitted confidence, and what it would have done on the questions it was fitted on."""
    spoken = [(q, a) for q, a in zip(questions, answers, strict=True) if a.tally["groups"]]
    labels = [right(question, answer) for question, answer in spoken]
    fitted = fit_confidence(
        [
            features(answer.tally, answer.ballots, answer.route, question=answer.decision.standalone)
            for _, answer in spoken
        ],
        labels,
        groups=[question.entry or question.id for question, _ in spoken],
        target_risk=TARGET_RISK,
        min_coverage=min(1.0, MIN_COVERAGE * len(questions) / len(spoken)),
        fitted_on="calibration part and first half of out-of-scope (benchmarks/confidence.py)",
    )
    raw = [answer.confidence for _, answer in spoken]
    return fitted, {
        "questions": len(questions),
        "with_an_answer": len(spoken),
        "right": sum(labels) / len(labels),
        "uncalibrated": {"auroc": auroc(raw, labels), "ece": ece(raw, labels)},
        "held_out": fitted["held_out"],
        "fitted": {key: fitted[key] for key in ("threshold", "threshold_rule", "coverage", "risk")},
        "coefficients": dict(zip(fitted["features"], fitted["coef"], strict=True)),
    }


def right(question: Question, answer: Answer) -> bool:
    """Whether the leading answer is right; nothing is right where the question has no answer."""
    return is_right(answer.tally["groups"][0]["text"], question.accepted, question.kind)


if __name__ == "__main__":
    main()
