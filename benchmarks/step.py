"""What one forward costs by the tokens read in it: layers, the base, the pair; plain, and as decoded.

    python -m benchmarks.step [--rounds 6] [--one-thread]

Milliseconds, the least of some rounds, one kind after the other in each. The models are those of
benchmarks.decode; the pair is two rows, the expert's with its adapter and the anti-expert's. "Plain" are
transformers' own modules in float32. `--one-thread` counts the processor's time of one thread instead of the
clock's, for a machine that has other work.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, thread_time
from unittest import mock

import torch
from torch import nn

from benchmarks.schemes import QUESTION, SLATE, Bench, make_bench
from proxycouncil.specialists import Prompt, loading
from proxycouncil.specialists.lane import Lane, Row
from proxycouncil.specialists.packing import HalfLinear, PackedLinear, has_half_layout
from proxycouncil.specialists.quantizing import to_int8

TOKENS = (1, 3, 5, 9, 16)
_LAYERS = 12
"""Of 25 MB each: more than a cache holds."""


def least(
    works: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Milliseconds of the fastest run of each; they take turns."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            began = clock()
            work()
            if number:  # the first warms up
                times[name].append(clock() - began)
    return {name: 1000 * min(found) for name, found in times.items()}


def layers() -> dict[str, Callable[[int], Callable[[], object]]]:
    """Some large layers in a row: plain, and in both layouts."""
    plain = [nn.Linear(1536, 4096, bias=False) for _ in range(_LAYERS)]
    for layer in plain:
        layer.weight.data = layer.weight.data.bfloat16().float()
    stacks: dict[str, list[nn.Module]] = {
        "plain": list(plain),
        "packed": [PackedLinear(layer) for layer in plain],
    }
    if has_half_layout():
        stacks["two bytes"] = [HalfLinear(layer) for layer in plain]
    if find_spec("torchao"):
        quantized = nn.ModuleList(copy.deepcopy(layer) for layer in plain)
        to_int8(quantized)
        stacks["int8"] = list(quantized)

    def through(stack: list[nn.Module]) -> Callable[[int], Callable[[], object]]:
        def of(tokens: int) -> Callable[[], object]:
            inputs = torch.randn(1, tokens, 1536)
            return lambda: [layer(inputs) for layer in stack]

        return of

    return {f"{_LAYERS} layers, {name}": through(stack) for name, stack in stacks.items()}


def lanes(bench: Bench, *, plain: bool) -> dict[str, Callable[[int], Callable[[], object]]]:
    """The base alone, the anti-expert alone, and the pair, each behind a prompt."""
    with mock.patch.object(loading, "load_decoder", loading.load_module if plain else loading.load_decoder):
        family = bench.family()
    expert = family.part("expert0")
    cases = {"base": ("base", [""]), "anti-expert": ("antiexpert", [""])}
    cases["pair"] = ("antiexpert", [expert.adapter, ""])
    found = {}
    for name, (part, adapters) in cases.items():
        lane = Lane(family.part(part).model)
        prompt = tuple(family.part(part).format.encode(Prompt(QUESTION, SLATE)))
        lane.admit([Row(prompt, adapter) for adapter in adapters])
        found[f"{name}, plain" if plain else name] = _advancing(lane, len(adapters))
    return found


def _advancing(lane: Lane, rows: int) -> Callable[[int], Callable[[], object]]:
    def of(tokens: int) -> Callable[[], object]:
        ids = torch.full((rows, tokens), 9)

        def there_and_back() -> None:
            lane.advance(ids)
            lane.retract([tokens] * rows)

        return there_and_back

    return of


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--one-thread", action="store_true", help="a thread's own time, not the clock's")
    options = parser.parse_args()
    if options.one_thread:
        torch.set_num_threads(1)
    clock = thread_time if options.one_thread else perf_counter
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        bench = make_bench(Path(folder), tokens=1)
        kinds = layers() | lanes(bench, plain=True) | lanes(bench, plain=False)
        columns = [
            least({name: of(tokens) for name, of in kinds.items()}, options.rounds, clock)
            for tokens in TOKENS
        ]
    print(f"{'tokens':>22} " + " ".join(f"{count:>7}" for count in TOKENS))
    for name in kinds:
        print(f"{name:>22} " + " ".join(f"{column[name]:>7.1f}" for column in columns))


if __name__ == "__main__":
    main()
