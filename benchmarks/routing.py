"""Fits the starter's router and says how it routes questions that it was not fitted on.

    python -m benchmarks.routing --json routing.json
    python -m benchmarks.routing --write    # also into council/starter/calibration.json, key "route"

Fitted on the calibration part of the shipped questions and the first half of the out-of-scope ones, each also
as somebody in a hurry types it; reported on the test part and the second half.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from proxycouncil.council.starter import DIRECTORY, open_library
from proxycouncil.eval.calibration import RoutedQuestion, fit_router
from proxycouncil.eval.metrics import auroc, ece, wilson
from proxycouncil.eval.slips import with_slips
from proxycouncil.eval.splits import Question, halves, load_out_of_scope, load_questions
from proxycouncil.graphs.route import RouterCalibration, route
from proxycouncil.graphs.state import Route
from proxycouncil.retrieval.library import Library

QUESTIONS = DIRECTORY / "questions"
CALIBRATION = DIRECTORY / "calibration.json"
DECLINED_AT_MOST = 0.02
GATES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
FITTED_ON = "calibration part, first half of out-of-scope, as written and in a hurry (benchmarks.routing)"


def as_written(text: str) -> str:
    """The question as it is shipped."""
    return text


def in_a_hurry(text: str) -> str:
    """Lower case, no question mark, some small words gone, now and then a slip."""
    return with_slips(text, seed=1)


def badly_spelt(text: str) -> str:
    """Half the small words gone, every fifth longer word misspelt."""
    return with_slips(text, seed=2, drop=0.5, slip=0.2)


FORMS: tuple[Callable[[str], str], ...] = (as_written, in_a_hurry, badly_spelt)


def main() -> None:
    """Fit, print the figures, and write what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--write", action="store_true", help=f"store the router in {CALIBRATION.name}")
    options = parser.parse_args()
    fit_outside, test_outside = halves(load_out_of_scope(QUESTIONS))
    with open_library() as library:
        fitting = [*load_questions(QUESTIONS, only="calibration"), *fit_outside]
        cases = [case for form in FORMS[:2] for case in _cases(fitting, form, library)]
        router = fit_router(
            cases,
            embedder=library.embedder_fingerprint,
            fitted_on=FITTED_ON,
            declined_at_most=DECLINED_AT_MOST,
        )
        inside = load_questions(QUESTIONS, only="test")
        forms = {form.__name__: _figures(inside, test_outside, form, router, library) for form in FORMS}
    figures = {"router": router.to_dict(), "test": forms}
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")
    if options.write:
        _store(router)


def _cases(
    questions: Sequence[Question], form: Callable[[str], str], library: Library
) -> list[RoutedQuestion]:
    return [
        RoutedQuestion(
            library.affinities(form(question.text)), question.domain, question.entry or question.id
        )
        for question in questions
    ]


def _figures(
    inside: Sequence[Question],
    outside: Sequence[Question],
    form: Callable[[str], str],
    router: RouterCalibration,
    library: Library,
) -> dict[str, Any]:
    """How one form of the questions is routed."""
    calibration = router.to_dict()

    def routes(questions: Sequence[Question]) -> list[Route]:
        return [
            route(
                form(question.text),
                library.affinities(form(question.text)),
                calibration=calibration,
                fingerprint=router.embedder,
            )
            for question in questions
        ]

    good, bad = routes(inside), routes(outside)
    ranks = [
        list(chosen["probabilities"]).index(question.domain)
        for chosen, question in zip(good, inside, strict=True)
    ]
    top = [max(chosen["probabilities"].values()) for chosen in (*good, *bad)]
    out = [chosen["out_of_scope"] for chosen in (*good, *bad)]
    is_out = [False] * len(good) + [True] * len(bad)
    return {
        "domain first": _share([rank == 0 for rank in ranks]),
        "domain among two": _share([rank < 2 for rank in ranks]),
        "domain asked": _share(
            [question.domain in chosen["members"] for chosen, question in zip(good, inside, strict=True)]
        ),
        "specialists asked": round(sum(len(chosen["members"]) - 1 for chosen in good) / len(good), 2),
        "ECE of the first domain's probability": round(
            ece(top, [rank == 0 for rank in ranks] + [False] * len(bad)), 3
        ),
        "ECE of out-of-scope": round(ece(out, is_out), 3),
        "AUROC of out-of-scope": round(auroc(out, is_out), 3),
        "declined in scope": _share([chosen["declined"] for chosen in good]),
        "declined out of scope": _share([chosen["declined"] for chosen in bad]),
        "declined out of scope, by kind": _by_kind(outside, bad),
        "declined in and out of scope, by gate": {
            str(gate): [
                round(sum(chosen["out_of_scope"] >= gate for chosen in some) / len(some), 3)
                for some in (good, bad)
            ]
            for gate in GATES
        },
    }


def _by_kind(questions: Sequence[Question], routes: Sequence[Route]) -> dict[str, str]:
    declined: dict[str, list[bool]] = defaultdict(list)
    for question, chosen in zip(questions, routes, strict=True):
        declined[question.kind].append(chosen["declined"])
    return {kind: f"{sum(each)}/{len(each)}" for kind, each in declined.items()}


def _share(hits: Sequence[bool]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in asdict(wilson(sum(hits), len(hits))).items()}


def _store(router: RouterCalibration) -> None:
    """Into calibration.json, beside what others stored there."""
    stored = json.loads(CALIBRATION.read_text(encoding="utf-8")) if CALIBRATION.exists() else {}
    stored["route"] = router.to_dict()
    CALIBRATION.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
