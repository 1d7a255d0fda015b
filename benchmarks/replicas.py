"""Two replicas of a council under Ray Serve against one, under the same load, with one thread each.

    python -m benchmarks.replicas [--questions 48] [--at-once 8] [--config FILE] [--rounds 3] [--json FILE]

A closed loop: so many callers, each asks its next question when its last is answered, by the endpoint that
speaks as OpenAI's. One and two replicas take turns, round by round; the ratio is the median of the rounds'.
Two replicas can only be faster where there is a second processor for them: `cores` says how many there are.

`instant` is the same with members that answer at once, by one replica: what proxy, endpoint and graph let
through. benchmarks.cost_model reads it.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.load import percentile
from benchmarks.overhead import council_of
from proxycouncil.council.cluster import cluster
from proxycouncil.council.deploy.application import open_named
from proxycouncil.council.deploy.running import deployed
from proxycouncil.council.deploy.settings import STARTER, DeploySettings

if TYPE_CHECKING:
    import httpx

    from proxycouncil.council.council import Council

PORT = 8766
QUESTIONS = Path(__file__).parents[1] / "council" / "starter" / "questions"
INSTANT_MEMBERS = 3
_UNMETERED = 1e9
_WARM = 4
"""Questions a replica before the clock runs."""


def load(questions: Sequence[str], *, at_once: int) -> dict[str, Any]:
    """Questions a second, seconds each, and how many got no answer."""
    import httpx

    taken: list[float] = []
    with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=600) as client:
        began = perf_counter()
        with ThreadPoolExecutor(at_once) as pool:
            answered = list(pool.map(partial(_ask, client, taken), questions))
        wall = perf_counter() - began
    return {
        "questions_per_second": round(len(questions) / wall, 3),
        "p50_s": round(percentile(taken, 50), 3),
        "p95_s": round(percentile(taken, 95), 3),
        "failed": answered.count(False),
    }


def measure(
    replicas: int, questions: Sequence[str], *, at_once: int, opener: Callable[[], Council]
) -> dict[str, Any]:
    """A deployment of its own, warmed and measured."""
    settings = DeploySettings(
        replicas=replicas, at_once=max(at_once, 1), waiting=1_000, per_minute=_UNMETERED, cpus=1
    )
    with deployed(settings, port=PORT, opener=opener):
        load(questions[: _WARM * replicas], at_once=2 * replicas)
        return load(questions, at_once=at_once)


def compared(
    questions: Sequence[str], *, at_once: int, rounds: int, opener: Callable[[], Council]
) -> dict[str, Any]:
    """One and two replicas in turn."""
    found: dict[str, list[dict[str, Any]]] = {"one": [], "two": []}
    for _ in range(rounds):
        for name, replicas in (("one", 1), ("two", 2)):
            found[name].append(measure(replicas, questions, at_once=at_once, opener=opener))
    rates = {name: [one["questions_per_second"] for one in told] for name, told in found.items()}
    ratios = [two / one for one, two in zip(rates["one"], rates["two"], strict=True)]
    return {
        "ratio": round(median(ratios), 3),
        "ratio_low": round(min(ratios), 3),
        "ratio_high": round(max(ratios), 3),
        **found,
    }


def instant_council() -> Council:
    """Members that answer at once, and a library that finds at once."""
    return council_of(INSTANT_MEMBERS)


def _ask(client: httpx.Client, taken: list[float], question: str) -> bool:
    body = {"model": "council", "messages": [{"role": "user", "content": question}]}
    began = perf_counter()
    done = client.post("/v1/chat/completions", json=body)
    taken.append(perf_counter() - began)
    return done.status_code == 200


def _starter_questions(count: int) -> list[str]:
    from proxycouncil.eval.splits import load_questions

    return [one.text for one in islice(cycle(load_questions(QUESTIONS, only="test")), count)]


def main() -> None:
    """Measure and print; with --json write it as well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--questions", type=int, default=48)
    parser.add_argument("--at-once", type=int, default=8, help="callers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--config", default=STARTER, help="a council.toml; by default the starter")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    questions = _starter_questions(options.questions)
    with cluster(cpus=2):
        opener = partial(open_named, options.config)
        found = compared(questions, at_once=options.at_once, rounds=options.rounds, opener=opener)
        found["instant"] = measure(1, questions * 4, at_once=options.at_once, opener=instant_council)
    found |= {"cores": len(os.sched_getaffinity(0)), "threads": 1, "questions": options.questions}
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for name in ("one", "two"):
        for told in found[name]:
            print(f"{name:>8}  " + "  ".join(f"{key} {value}" for key, value in told.items()))
    print(f"{'instant':>8}  " + "  ".join(f"{key} {value}" for key, value in found["instant"].items()))
    print(
        f"   ratio  {found['ratio']} ({found['ratio_low']} to {found['ratio_high']}), {found['cores']} cores"
    )


if __name__ == "__main__":
    main()
