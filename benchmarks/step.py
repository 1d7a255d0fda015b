"""What one forward costs, by the tokens that are read in it: layers plain and packed, the base, the pair.

    python -m benchmarks.step [--rounds 6]

Milliseconds, the least of some rounds. The models are those of benchmarks.decode; the pair is two rows, the
expert's with its adapter and the anti-expert's.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import torch
from torch import nn

from benchmarks.schemes import QUESTION, SLATE, Bench, make_bench
from proxycouncil.specialists import Prompt
from proxycouncil.specialists.lane import Lane, Row
from proxycouncil.specialists.packing import PackedLinear

TOKENS = (1, 3, 5, 9, 16)
_LAYERS = 12
"""Of 25 MB each: more than a cache holds."""


def least(work: Callable[[], object], rounds: int) -> float:
    """Milliseconds of the fastest of some runs."""
    times = []
    for _ in range(rounds):
        began = perf_counter()
        work()
        times.append(perf_counter() - began)
    return 1000 * min(times)


def layers(rounds: int) -> dict[str, list[float]]:
    """Some large layers in a row, plain and packed."""
    plain: list[nn.Module] = [nn.Linear(1536, 4096, bias=False) for _ in range(_LAYERS)]
    packed: list[nn.Module] = [PackedLinear(layer) for layer in plain if isinstance(layer, nn.Linear)]

    def through(stack: list[nn.Module], rows: int) -> float:
        inputs = torch.randn(1, rows, 1536)
        return least(lambda: [layer(inputs) for layer in stack], rounds)

    return {
        f"{_LAYERS} layers, {name}": [through(stack, rows) for rows in TOKENS]
        for name, stack in (("plain", plain), ("packed", packed))
    }


def lanes(bench: Bench, rounds: int) -> dict[str, list[float]]:
    """The base alone, the anti-expert alone, and the pair, each behind a prompt."""
    family = bench.family()
    expert = family.part("expert0")
    cases = {"base": ("base", [""]), "anti-expert": ("antiexpert", [""])}
    cases["pair"] = ("antiexpert", [expert.adapter, ""])
    found: dict[str, list[float]] = {}
    for name, (part, adapters) in cases.items():
        lane = Lane(family.part(part).model)
        prompt = tuple(family.part(part).format.encode(Prompt(QUESTION, SLATE)))
        lane.admit([Row(prompt, adapter) for adapter in adapters])
        found[name] = [_advancing(lane, len(adapters), tokens, rounds) for tokens in TOKENS]
    return found


def _advancing(lane: Lane, rows: int, tokens: int, rounds: int) -> float:
    ids = torch.full((rows, tokens), 9)

    def there_and_back() -> None:
        lane.advance(ids)
        lane.retract([tokens] * rows)

    return least(there_and_back, rounds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        figures = layers(options.rounds)
        figures |= lanes(make_bench(Path(folder), tokens=1), options.rounds)
    print(f"{'tokens':>20} " + " ".join(f"{count:>7}" for count in TOKENS))
    for name, times in figures.items():
        print(f"{name:>20} " + " ".join(f"{time:>7.1f}" for time in times))


if __name__ == "__main__":
    main()
