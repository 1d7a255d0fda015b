"""How fast the starter decodes: several readings of one question at once, each steered by its own expert.

python benchmarks/decode.py [--rows 8] [--tokens 15] [--repeat 5] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

from proxycouncil.specialists import Engine, Family, Generation, Pair, Prompt, Request, Sampling, Snippet

STARTER = Path(__file__).parents[1] / "council" / "starter" / "family"
QUESTION = "What is opportunity cost?"
SLATE = (
    Snippet(
        "Opportunity cost", "It is the value of the best alternative that is given up when a choice is made."
    ),
    Snippet("Scarcity", "People want more than there is, so that they have to choose between uses."),
    Snippet("Sunk cost", "It has been paid already and can't be recovered whatever is decided next."),
    Snippet("Margin", "One compares the extra benefit of a little more of something with its extra cost."),
)


def main() -> None:
    """Print wall and processor seconds of the best of several runs, and tokens per second."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=15)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--adapters", type=int, default=7, help="different adapters in the batch")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = asyncio.run(measure(options.rows, options.tokens, options.repeat, options.adapters))
    print(
        json.dumps(figures)
        if options.json
        else "\n".join(f"{name:>16} {value}" for name, value in figures.items())
    )


async def measure(rows: int, tokens: int, repeat: int, adapters: int) -> dict[str, float]:
    """Figures of the fastest of `repeat` runs, after one that loads and warms up."""
    experts = {f"expert{n}": STARTER / "experts" / "general" for n in range(adapters)}
    family = Family(STARTER / "base", STARTER / "antiexpert", experts=experts)
    async with Engine(family) as engine:
        await _run(engine, rows, tokens)
        runs = [await _run(engine, rows, tokens) for _ in range(repeat)]
    return min(runs, key=lambda run: run["wall_s"])


async def _run(engine: Engine, rows: int, tokens: int) -> dict[str, float]:
    wall, processor = time.perf_counter(), time.process_time()
    generations = await asyncio.gather(
        *(engine.complete(_request(engine, row, tokens)) for row in range(rows))
    )
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    written = sum(len(generation.token_ids) for generation in generations)
    return {
        "wall_s": round(wall, 3),
        "cpu_s": round(processor, 3),
        "prompt_tokens": generations[0].prompt_tokens,
        "tokens": written,
        "prefill_s": round(max(one.timings.prefill_s for one in generations), 3),
        "step_ms": round(1000 * _step(generations), 1),
        "tokens_per_s": round(written / wall, 1),
    }


def _step(generations: list[Generation]) -> float:
    longest = max(generations, key=lambda one: len(one.token_ids))
    return longest.timings.decode_s / max(1, len(longest.token_ids) - 1)


def _request(engine: Engine, row: int, tokens: int) -> Request:
    """Even rows read the shared slate, odd ones their own order."""
    turn = 0 if row % 2 == 0 else 1 + row // 2 % 3
    experts = engine.family.experts
    return Request(
        Prompt(QUESTION, SLATE[turn:] + SLATE[:turn]),
        (Pair(experts[row % len(experts)]),),
        Sampling(max_new_tokens=tokens, temperature=1.0, seed=row),
    )


if __name__ == "__main__":
    main()
