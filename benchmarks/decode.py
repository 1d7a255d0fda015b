"""What steering costs: the engine against the base alone and against three models in a loop.

    python -m benchmarks.decode [--quick] [--json FILE]

The base is the starter's, widened to 0.4 B weights without changing what it computes (benchmarks/widen.py),
the pair likewise to 29 M: matrices of a real size. Acceptance is forced, for the curve, and measured on the
trained weights, for the truth. All schemes are timed in turn, round by round; figures are medians of the
rounds' ratios. Takes some minutes on two cores; `--quick` under three.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.load import load
from benchmarks.schemes import (
    QUESTION,
    SLATE,
    Bench,
    ThreeModelLoop,
    decode_seconds,
    forced,
    make_bench,
    numbered,
    request,
    timed,
)
from proxycouncil.specialists import Engine, Family, Generation, Prompt, Request
from proxycouncil.specialists.checkpoint import open_checkpoint

CURVE, QUICK_CURVE = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95), (0.75, 0.8, 0.85)
MAIN = 0.8
"""The acceptance of the figures at the top."""
ADAPTERS = (1, 4, 8)
"""How many at once are put beside PEFT's."""
DRAFTS = {0.5: 2, 0.6: 2, 0.7: 3, 0.75: 4, 0.8: 4, 0.85: 6, 0.9: 8, 0.95: 8}


async def single(
    bench: Bench, family: Family, loop: ThreeModelLoop, *, rounds: int, curve: Sequence[float]
) -> dict[str, Any]:
    """One specialist, one text: ratios of tokens a second, by acceptance."""
    engines = {drafts: Engine(family, drafts=drafts) for drafts in sorted({0, *(DRAFTS[a] for a in curve)})}
    times: dict[str, list[float]] = {}
    same = True
    for number in range(rounds + 1):
        asked = numbered(request(bench, seed=number), number)
        found = {"loop": loop.seconds(number), "base": loop.base_alone_seconds()}
        plain = None
        for acceptance in (None, *curve):
            with forced(acceptance or 0.0):
                drafts = DRAFTS[acceptance] if acceptance else 0
                seconds, generation = await decode_seconds(engines[drafts], asked)
            found["plain" if acceptance is None else f"{acceptance}"] = seconds
            plain = plain or generation
            same = same and generation.token_ids == plain.token_ids
        if number:  # the first round warms up
            for name, seconds in found.items():
                times.setdefault(name, []).append(seconds)
    for engine in engines.values():
        engine.close()
    return {"seconds": times, "token_identical": same}


async def real_acceptance(bench: Bench, family: Family) -> dict[str, float]:
    """What trained models accept, greedily: the expert's drafts and those found in the prompt."""
    async with Engine(family, drafts=4) as engine:
        asked = [numbered(request(bench, turn=turn, seed=turn), turn) for turn in range(4)]
        greedy = [_greedy(one) for one in asked]
        _, drafted = await timed(engine, greedy)
    async with Engine(family, drafts=0) as engine:
        _, plain = await timed(engine, greedy)
    same = all(
        one.token_ids == other.token_ids or one.near_ties for one, other in zip(plain, drafted, strict=True)
    )
    return {
        "drafted": sum(one.drafted for one in drafted),
        "accepted": sum(one.accepted for one in drafted),
        "per_token": round(acceptance_of(drafted), 3),
        "token_identical": same,
    }


def acceptance_of(generations: Sequence[Generation]) -> float:
    """Share of drafts accepted."""
    drafted = sum(one.drafted for one in generations)
    return sum(one.accepted for one in generations) / drafted if drafted else 0.0


async def council(bench: Bench, family: Family, *, rounds: int) -> dict[str, Any]:
    """Four specialists with two ballots each against one with one: wall seconds, prompts included."""
    four = [
        numbered(request(bench, expert=member, turn=2 * ballot, seed=member), ballot)
        for member in range(4)
        for ballot in range(2)
    ]
    ratios, walls = [], []
    async with Engine(family) as engine:
        for number in range(rounds + 1):
            with forced(MAIN):
                one, _ = await timed(engine, [numbered(four[0], number)])
                many, _ = await timed(engine, [numbered(asked, 100 + number) for asked in four])
            if number:
                ratios.append(many / one)
                walls.append((one, many))
    return {"ratio": median(ratios), "spread": [min(ratios), max(ratios)], "seconds": walls}


def adapters_beside_peft(
    bench: Bench, family: Family, counts: Sequence[int], *, rounds: int
) -> dict[str, float]:
    """One decoding step with so many adapters at once: PEFT's mixed rows over ours, median of the ratios."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    found = {}
    for count in counts:
        names = [f"expert{number}" for number in range(count)]
        part = family.part("antiexpert")
        adapters = [family.part(name).adapter for name in names]
        model: Any = AutoModelForCausalLM.from_pretrained(bench.antiexpert, dtype=torch.float32)
        peft: Any = PeftModel.from_pretrained(model, bench.expert, adapter_name=names[0]).eval()
        for name in names[1:]:
            peft.load_adapter(bench.expert, adapter_name=name)
        ids = torch.randint(5, 8000, (2 * count, 1))
        ratios = []
        with torch.inference_mode():
            for number in range(rounds + 1):
                began = perf_counter()
                peft(input_ids=ids, adapter_names=[*names, *(["__base__"] * count)])
                middle = perf_counter()
                part.model.adapters.select([*adapters, *([""] * count)])
                part.model.module(input_ids=ids)
                if number:
                    ratios.append((middle - began) / (perf_counter() - middle))
        found[str(count)] = round(median(ratios), 2)
    return found


def summary(measured: Mapping[str, Any], bench: Bench) -> dict[str, Any]:
    """The figures at the top, from the rounds' seconds."""
    seconds = measured["single"]["seconds"]
    base, pair = _parameters(bench.base), _parameters(bench.antiexpert)

    def ratio(of: str, to: str) -> dict[str, float]:
        values = sorted(one / other for one, other in zip(seconds[of], seconds[to], strict=True))
        return {"median": round(median(values), 3), "low": round(values[0], 3), "high": round(values[-1], 3)}

    return {
        "ratio_vs_three_model_loop": ratio("loop", f"{MAIN}")["median"],
        "ratio_vs_base_alone": ratio("base", f"{MAIN}")["median"],
        "council_of_four_vs_one": round(measured["council"]["ratio"], 3),
        "acceptance": MAIN,
        "pair_ratio": round(pair / base, 4),
        "base_parameters": base,
        "token_identical": bool(measured["single"]["token_identical"]),
        "machine": f"{platform.processor() or platform.machine()}",
        "tokens": bench.tokens,
        "curve": {
            name: {"vs_loop": ratio("loop", name), "vs_base": ratio("base", name)}
            for name in seconds
            if name not in {"loop", "base"}
        },
    }


def _parameters(path: Path) -> int:
    return open_checkpoint(path).parameters


def _greedy(asked: Request) -> Request:
    return replace(asked, sampling=replace(asked.sampling, temperature=0.0))


async def measure(bench: Bench, *, quick: bool) -> dict[str, Any]:
    """Everything, one after the other."""
    family = bench.family(max(ADAPTERS))  # Loaded once: packing the weights takes longer than a round.
    part = family.part("base")
    loop = ThreeModelLoop(bench, part.format.encode(Prompt(QUESTION, SLATE)), part.model.module.dtype).load()
    rounds = 3 if quick else 7
    measured: dict[str, Any] = {
        "single": await single(bench, family, loop, rounds=rounds, curve=QUICK_CURVE if quick else CURVE),
    }
    del loop
    measured["council"] = await council(bench, family, rounds=2 if quick else 5)
    measured["real"] = await real_acceptance(bench, family)
    measured["load"] = await load(bench, family, count=8 if quick else 32, within=2.0 if quick else 10.0)
    measured["peft_over_ours"] = adapters_beside_peft(bench, family, ADAPTERS, rounds=5 if quick else 15)
    return summary(measured, bench) | measured


def main() -> None:
    """Measure, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds and tokens: under three minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = make_bench(Path(folder), tokens=25 if options.quick else 65)
        figures = asyncio.run(measure(bench, quick=options.quick))
    if options.json:
        options.json.write_text(json.dumps(figures), encoding="utf-8")
    for name, value in figures.items():
        if name not in {"single", "curve"}:
            print(f"{name:>28}  {value}")
    print(f"\n{'acceptance':>12} {'× loop':>22} {'× base alone':>22}")
    for name, point in figures["curve"].items():
        shown = (f"{one['median']:.2f} [{one['low']:.2f}, {one['high']:.2f}]" for one in point.values())
        print(f"{name:>12} " + " ".join(f"{text:>22}" for text in shown))


if __name__ == "__main__":
    main()
