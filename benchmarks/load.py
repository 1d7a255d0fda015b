"""Requests that come at random times: throughput, and seconds to the first token and between tokens.

    python -m benchmarks.load [--requests 32] [--within 10] [--tokens 65] [--acceptance 0.8] [--json FILE]

The family of benchmarks.decode, one text each on a slate in one of four orders. Between tokens: what a reader
sees, who gets several tokens of one cycle at once. Acceptance is forced; `--acceptance 0` leaves it to the
weights. Nobody starves: `first_token_most` is the longest that anybody waited.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from benchmarks.schemes import Bench, forced, make_bench, numbered, request
from proxycouncil.specialists import Engine, Family, Generation


@dataclass(slots=True)
class Waits:
    """Seconds that consumers waited."""

    first: list[float] = field(default_factory=list)
    between: list[float] = field(default_factory=list)
    written: int = 0


async def load(
    bench: Bench, family: Family, *, count: int, within: float, acceptance: float = 0.8, seed: int = 0
) -> dict[str, float]:
    """So many requests within so many seconds; the figures by name."""
    draw = random.Random(seed)
    starts = [draw.random() * within for _ in range(count)]
    waits = Waits()
    async with Engine(family) as engine:
        with forced(acceptance) if acceptance else nullcontext():
            await engine.complete(request(bench, seed=99))
            began = perf_counter()
            await asyncio.gather(
                *(_one(engine, bench, number, at, waits) for number, at in enumerate(starts))
            )
            wall = perf_counter() - began
    figures = {"tokens_per_second": waits.written / wall}
    for name, values in (("first_token", waits.first), ("between_tokens", waits.between)):
        figures |= {f"{name}_p{share}": percentile(values, share) for share in (50, 95)}
    figures["first_token_most"] = max(waits.first)
    return {name: round(value, 3) for name, value in figures.items()}


def percentile(values: Sequence[float], share: int) -> float:
    """The value that so many of a hundred do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]


async def _one(engine: Engine, bench: Bench, number: int, start: float, waits: Waits) -> None:
    await asyncio.sleep(start)
    last = perf_counter()
    shown = False
    async for event in engine.generate(numbered(request(bench, seed=number, turn=number % 4), number)):
        if isinstance(event, Generation):
            waits.written += len(event.token_ids)
            return
        now = perf_counter()
        (waits.between if shown else waits.first).append(now - last)
        shown, last = True, now


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--requests", type=int, default=32)
    parser.add_argument("--within", type=float, default=10.0, help="seconds in which they come")
    parser.add_argument("--tokens", type=int, default=65, help="length of each text")
    parser.add_argument("--acceptance", type=float, default=0.8)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = make_bench(Path(folder), tokens=options.tokens)
        asked = {"count": options.requests, "within": options.within, "acceptance": options.acceptance}
        figures = asyncio.run(load(bench, bench.family(), **asked))
    if options.json:
        options.json.write_text(json.dumps(figures), encoding="utf-8")
    for name, value in figures.items():
        print(f"{name:>22}  {value}")


if __name__ == "__main__":
    main()
