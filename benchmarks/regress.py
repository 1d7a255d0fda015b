"""How often `council regress` cries wolf, and how often it sees one: `python -m benchmarks.regress`.

A synthetic council answers questions in six domains, one to three an entry, and is retrained: some entries
are answered anew, all questions of an entry together, from the same distribution (an equal retrain). Into
that, losses are planted: of so many points over all questions, or in one domain alone. Or `--runs FILE` takes
saved runs (`council eval starter --save`), draws their entries again and plants into those.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxycouncil.eval.metrics import wilson
from proxycouncil.eval.regress import regress
from proxycouncil.eval.runs import decided_right
from proxycouncil.eval.splits import read_records

Run = dict[str, Any]

DOMAINS = ("computing", "economics", "law", "medicine", "physics", "psychology")
RIGHT, WRONG = 0.7, 0.15
"""Shares of questions; the rest is declined."""
CHURN = 0.15
"""Share of entries that an equal retrain answers anew."""


@dataclass(frozen=True, slots=True)
class Plant:
    """A loss, in points of all questions or of those of one domain."""

    name: str
    points: float
    domain: str | None = None


PLANTS = (
    Plant("equal retrain", 0.0),
    Plant("5 points", 0.05),
    Plant("10 points", 0.10),
    Plant("30 points in one domain", 0.30, domain="law"),
)


def old_runs(count: int, draw: random.Random) -> list[Run]:
    """So many questions as an old version answered them."""
    runs: list[Run] = []
    while len(runs) < count:
        domain = DOMAINS[len(runs) * len(DOMAINS) // count]
        entry = f"entry {len(runs)}"
        many = min(draw.randint(1, 3), count - len(runs))
        runs += [_run(f"q{len(runs) + k}", domain, entry, _answer(draw)) for k in range(many)]
    return runs


def retrained(runs: Sequence[Run], draw: random.Random, *, churn: float = CHURN) -> list[Run]:
    """The same questions, some entries answered anew as likely right as before."""
    anew = {entry for entry in sorted({run["entry"] for run in runs}) if draw.random() < churn}
    return [_said(run, _answer(draw)) if run["entry"] in anew else run for run in runs]


def planted(runs: Sequence[Run], plant: Plant, draw: random.Random) -> list[Run]:
    """So many right answers lost: half are wrong now, half declined."""
    reach = [run for run in runs if plant.domain in (None, run["domain"])]
    right = [run["id"] for run in reach if decided_right(run)]
    count = min(len(right), round(plant.points * len(reach)))
    lost = set(draw.sample(right, count))
    return [_said(run, draw.choice(("wrong", ""))) if run["id"] in lost else run for run in runs]


def redrawn(runs: Sequence[Run], count: int, draw: random.Random) -> list[Run]:
    """About so many questions, entry by entry with replacement: a bootstrap of saved runs."""
    entries: dict[str, list[Run]] = {}
    for run in runs:
        entries.setdefault(f"{run.get('domain')} {run.get('entry') or run['id']}", []).append(run)
    drawn: list[Run] = []
    while len(drawn) < count:
        name = draw.choice(list(entries))
        drawn += [
            {**run, "id": f"{run['id']}/{len(drawn)}", "entry": f"{name}/{len(drawn)}"}
            for run in entries[name]
        ]
    return drawn[:count]


def rate(plant: Plant, *, count: int, repeats: int, runs: Sequence[Run] | None, seed: int) -> dict[str, Any]:
    """Share of the repeats in which the new version is called worse, and all verdicts."""
    verdicts: Counter[str] = Counter()
    for repeat in range(repeats):
        draw = random.Random(f"{seed} {plant.name} {repeat}")
        old = old_runs(count, draw) if runs is None else redrawn(runs, count, draw)
        new = planted(retrained(old, draw), plant, draw)
        # Which of two equal versions came first says nothing.
        first, second = (old, new) if plant.points or draw.random() < 0.5 else (new, old)
        verdicts[regress(first, second).verdict] += 1
    worse = wilson(verdicts["worse"], repeats)
    return {
        "plant": plant.name,
        "questions": count,
        "repeats": repeats,
        "called_worse": worse.estimate,
        "interval": [worse.low, worse.high],
        "verdicts": dict(sorted(verdicts.items())),
    }


def main() -> None:
    """A line for every planted loss."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--runs", type=Path, help="saved runs to draw from instead of a synthetic council")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    runs = None if options.runs is None else list(read_records(options.runs))
    found = [
        rate(plant, count=options.questions, repeats=options.repeats, runs=runs, seed=options.seed)
        for plant in PLANTS
    ]
    for one in found:
        low, high = one["interval"]
        print(
            f"{one['plant']:<26} called worse in {one['called_worse']:.1%} [{low:.1%}, {high:.1%}] of "
            f"{one['repeats']}, n = {one['questions']}: {one['verdicts']}"
        )
    if options.json:
        options.json.write_text(json.dumps(found) + "\n", encoding="utf-8")


def _answer(draw: random.Random) -> str:
    chance = draw.random()
    return "right" if chance < RIGHT else "wrong" if chance < RIGHT + WRONG else ""


def _run(name: str, domain: str, entry: str, answer: str) -> Run:
    run = {
        "v": 1, "id": name, "question": f"What is {name}?", "standalone": f"What is {name}?",
        "accepted": ["right"], "kind": "term", "entry": entry, "domain": domain,
        "ballots": [{"passage_ids": [entry], "usage": {"prompt_tokens": 100, "completion_tokens": 5}}],
        "seconds": 1.0,
    }  # fmt: skip
    return _said(run, answer)


def _said(run: Run, answer: str) -> Run:
    text = next(iter(run["accepted"] or ["right"])) if answer == "right" else answer
    return {**run, "decision": {"outcome": "consensus" if text else "abstain", "text": text}}


if __name__ == "__main__":
    main()
