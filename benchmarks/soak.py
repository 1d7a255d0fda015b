"""Twenty minutes of requests that end in every way there is; afterwards nothing may be left of them.

    python -m benchmarks.soak [--minutes 20] [--at-once 8] [--seed 0] [--json FILE]

The starter's family. Texts are steered or not, greedy or sampled, short or long, with and without deadlines;
a fifth of the consumers go away, a fifth are cancelled. At the end no row, no job and no thread of the
engine's is left, and memory is what it was after the first quarter: exit code 1 otherwise. Linux only, as
memory is read from /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import sys
import threading
from collections import Counter
from pathlib import Path
from time import monotonic
from typing import Any

from proxycouncil.specialists import Engine, Family, Pair, Prompt, Request, Sampling, Snippet
from proxycouncil.specialists.footprint import anonymous_bytes
from proxycouncil.specialists.job import Job

STARTER = Path(__file__).parents[1] / "council" / "starter" / "family"
GROWTH = 1.05
"""Memory at the end over memory after the first quarter: more is a leak."""
_SENTENCE = "The rent of the room is due on the first day of the month, unless both sides agree otherwise. "


def family() -> Family:
    """The starter's, with all its experts."""
    experts = {folder.name: folder for folder in sorted((STARTER / "experts").iterdir())}
    return Family(STARTER / "base", STARTER / "antiexpert", experts=experts).load()


class Soak:
    """Some consumers, each asking again and again until the time is over."""

    def __init__(self, engine: Engine, *, seed: int, clock_ends: float) -> None:
        self._engine, self._ends = engine, clock_ends
        self._draw = random.Random(seed)
        self._asked = 0
        self.ways: Counter[str] = Counter()

    async def consume(self) -> None:
        """One consumer."""
        while monotonic() < self._ends:
            await asyncio.sleep(self._draw.random() * 0.2)
            self.ways[await self._ask(self._request())] += 1

    def _request(self) -> Request:
        draw = self._draw
        self._asked += 1
        sampling = Sampling(
            max_new_tokens=draw.randint(1, 80),
            temperature=draw.choice((0.0, 0.9)),
            top_p=draw.choice((None, 0.9)),
            repetition_penalty=draw.choice((1.0, 1.1)),
            seed=self._asked,
        )
        slate = tuple(Snippet("Rent", _SENTENCE * draw.randint(1, 20)) for _ in range(draw.randint(0, 3)))
        pairs = tuple(
            Pair(name, draw.choice((0.5, 1.0)))
            for name in draw.sample(self._engine.family.experts, draw.randint(0, 2))
        )
        question = f"When is the rent of room {draw.randint(1, 40)} due?"
        deadline = draw.choice((None, None, 0.05, 0.5))
        return Request(Prompt(question, slate), pairs, sampling, deadline_s=deadline, id=str(self._asked))

    async def _ask(self, request: Request) -> str:
        way = self._draw.random()
        if way < 0.2:
            stream = self._engine.generate(request)
            await anext(stream, None)
            await stream.aclose()
            return "gone away"
        task = asyncio.create_task(self._engine.complete(request))
        if way < 0.4:
            await asyncio.sleep(self._draw.random() * 0.5)
            self._engine.cancel(request.id)
        return (await task).finish_reason


async def soak(*, minutes: float, at_once: int, seed: int) -> dict[str, Any]:
    """Run, and look at what is left."""
    loaded = family()
    began = monotonic()
    async with Engine(loaded, max_rows=max(2, at_once - 2)) as engine:
        run = Soak(engine, seed=seed, clock_ends=began + 60 * minutes)
        consumers = asyncio.gather(*(run.consume() for _ in range(at_once)))
        await asyncio.sleep(15 * minutes)
        quarter = anonymous_bytes()
        await consumers
        await asyncio.sleep(1.0)  # who went away is let go between steps
        rows = engine.rows
    gc.collect()
    end = anonymous_bytes()
    return {
        "minutes": round((monotonic() - began) / 60, 2),
        "requests": sum(run.ways.values()),
        "ways": dict(run.ways),
        "rows_left": rows,
        "jobs_left": sum(type(found) is Job for found in gc.get_objects()),
        "threads_left": sum(one.name == "proxycouncil-engine" for one in threading.enumerate()),
        "memory_over_first_quarter": round(end / quarter, 3) if end and quarter else None,
    }


def is_clean(found: dict[str, Any]) -> bool:
    """Whether something was asked and nothing of it is left."""
    left = found["rows_left"] + found["jobs_left"] + found["threads_left"] + found["ways"].get("error", 0)
    return found["requests"] > 0 and left == 0 and (found["memory_over_first_quarter"] or 0.0) <= GROWTH


def main() -> None:
    """Run, print, and say by the exit code whether anything was left."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--at-once", type=int, default=8, help="consumers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    found = asyncio.run(soak(minutes=options.minutes, at_once=options.at_once, seed=options.seed))
    if options.json:
        options.json.write_text(json.dumps(found), encoding="utf-8")
    for name, value in found.items():
        print(f"{name:>26}  {value}")
    sys.exit(0 if is_clean(found) else 1)


if __name__ == "__main__":
    main()
