"""What an engine holds: peak memory against weights once plus caches as computed.

    python -m benchmarks.memory [--texts 8] [--tokens 64] [--json FILE]

The family of benchmarks.decode (0.4 B and 29 M weights) in a process of its own, whose imports and first
small products are not counted. What is read: anonymous resident memory, every few milliseconds; pages of the
weights' files that the kernel keeps while they are converted are its own and are not counted. Linux only.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from benchmarks.schemes import Bench, make_bench, numbered, request
from proxycouncil.specialists import Request
from proxycouncil.specialists.footprint import Footprint, footprint


def asked(bench: Bench, texts: int) -> list[Request]:
    """Readings of the slate in four orders, by four specialists."""
    return [numbered(request(bench, expert=at % 4, turn=at % 4, seed=at), at) for at in range(texts)]


def measure(bench: Bench, texts: int) -> Footprint:
    """In this process."""
    return footprint(partial(bench.family, 4), asked(bench, texts))


def main() -> None:
    """Measure in a fresh process and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--texts", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = make_bench(Path(folder), tokens=options.tokens)
        with get_context("spawn").Pool(1) as pool:
            found = pool.apply(measure, (bench, options.texts))
    if options.json:
        options.json.write_text(json.dumps(found.as_dict()), encoding="utf-8")
    for name, value in (("weights", found.weights), ("caches", found.caches), ("peak", found.peak)):
        print(f"{name:>14}  {'unknown' if value is None else f'{value / 1e6:,.1f} MB'}")
    print(f"{'peak over sum':>14}  {'unknown' if found.ratio is None else f'{found.ratio:.3f}'}")


if __name__ == "__main__":
    main()
