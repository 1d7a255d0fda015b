"""Measures what benchmarks.cost_model is fitted to: seconds for so many texts at once, of so many tokens.

    python -m benchmarks.cost_points --json FILE [--quick] [--starter] [--rounds 3]

The family of benchmarks.decode (the starter widened to 0.4 B and 29 M weights), or with `--starter` the
starter as it is; one thread. Texts, length, drafts, acceptance and the share of texts that read the same
prompt are varied; acceptance is forced, so that a point stands for its acceptance. The median of the rounds
is kept, of the wall and of the processor: with one thread the latter is what an idle machine would take.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from statistics import median
from time import process_time

from benchmarks.cost_model import Point
from benchmarks.schemes import STARTER, Bench, forced, make_bench, numbered, request, timed
from proxycouncil.specialists import Engine, Family, Prompt

_TURNS = 4
"""Orders of the slate, so different prompts, that benchmarks.schemes has."""


def grid(*, quick: bool) -> Iterator[Point]:
    """What is measured; seconds are not known yet."""
    rows = (1, 2, 4, 8)
    tokens = (9, 25) if quick else (9, 25, 49)
    speculation = ((0, 0.0), (4, 0.8)) if quick else ((0, 0.0), (2, 0.5), (4, 0.8), (6, 0.9))
    for count, length, (drafts, acceptance) in product(rows, tokens, speculation):
        for prompts in sorted({1, min(count, _TURNS)}):
            yield Point(
                rows=count, prompts=prompts, prompt_tokens=0, tokens=length, drafts=drafts,
                acceptance=acceptance, seconds=0.0,
            )  # fmt: skip


async def measure(bench: Bench, family: Family, points: list[Point], *, rounds: int) -> list[Point]:
    """The same points with their seconds, in the given order; each drafting depth has an engine."""
    length = len(family.part("base").format.encode(_prompt(bench)))
    found = []
    for drafts in sorted({point.drafts for point in points}):
        async with Engine(family, drafts=drafts, threads=1) as engine:
            for point in (one for one in points if one.drafts == drafts):
                wall, busy = await _median(engine, replace(bench, tokens=point.tokens), point, rounds=rounds)
                measured = replace(point, seconds=round(wall, 5), processor_s=round(busy, 5))
                found.append(replace(measured, prompt_tokens=length))
    return found


async def _median(engine: Engine, bench: Bench, point: Point, *, rounds: int) -> tuple[float, float]:
    """Seconds of the wall, and of the processor: the latter says more on a machine with other work."""
    walls, busy = [], []
    for number in range(rounds + 1):
        asked = [
            numbered(request(bench, turn=row % point.prompts, seed=100 * number + row), 100 * number + row)
            for row in range(point.rows)
        ]
        # Without drafts as well: a text of its own choosing would end before its tokens are written.
        with forced(point.acceptance):
            began = process_time()
            seconds, _ = await timed(engine, asked)
            if number:  # the first round warms up
                walls.append(seconds)
                busy.append(process_time() - began)
    return median(walls), median(busy)


def _prompt(bench: Bench) -> Prompt:
    prompt = request(bench).prompt
    if not isinstance(prompt, Prompt):
        raise TypeError("benchmarks.schemes asks by Prompt")
    return prompt


def main() -> None:
    """Measure, and write the points."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer lengths and depths")
    parser.add_argument("--starter", action="store_true", help="the starter's family as it is")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", required=True)
    options = parser.parse_args()
    points = list(grid(quick=options.quick))
    with tempfile.TemporaryDirectory() as folder:
        if options.starter:
            bench = Bench(STARTER / "base", STARTER / "antiexpert", STARTER / "experts" / "general", 9)
        else:
            bench = make_bench(Path(folder), tokens=9)
        measured = asyncio.run(measure(bench, bench.family(), points, rounds=options.rounds))
    told = {
        "family": "starter" if options.starter else "starter widened to 0.4 B",
        "machine": platform.processor() or platform.machine(),
        "threads": 1,
        "points": [asdict(point) for point in measured],
    }
    options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"{len(measured)} points")


if __name__ == "__main__":
    main()
