"""What an engine holds: peak memory against weights once plus caches as computed.

    python -m benchmarks.memory [--texts 8] [--tokens 64] [--json FILE]

The family of benchmarks.decode (0.4 B and 29 M weights) in a process of its own, whose imports and first
small products are not counted. What is read: anonymous resident memory, every few milliseconds; pages of the
weights' files that the kernel keeps while they are converted are its own and are not counted. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import threading
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from benchmarks.decode import make_bench
from benchmarks.schemes import Bench, numbered, request
from proxycouncil.specialists import Engine
from proxycouncil.specialists.job import Job


class Watch(threading.Thread):
    """Looks at the memory of this process until it is stopped; `most` is in bytes."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = anonymous_bytes()
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self._stopped.wait(0.005):
            self.most = max(self.most, anonymous_bytes())

    def stop(self) -> int:
        """The most that was seen."""
        self._stopped.set()
        self.join()
        return self.most


def anonymous_bytes() -> int:
    """Resident memory that is no file's."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def measure(bench: Bench, texts: int) -> dict[str, float]:
    """In this process: what is held before, and at most while so many texts are written."""
    import torch
    import transformers

    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    torch.nn.Linear(64, 64)(torch.ones(4, 64))
    before = anonymous_bytes()
    watch = Watch()
    watch.start()
    family = bench.family(4)
    models = [family.part(name).model for name in ("base", "antiexpert")]
    # Packed layers are no parameters any more: what is on disk says how many weights there are.
    weights = (
        sum(_file_bytes(path) for path in (bench.base, bench.antiexpert))
        * models[0].module.dtype.itemsize
        // 2
    )
    asked = [numbered(request(bench, expert=at % 4, turn=at % 4, seed=at), at) for at in range(texts)]
    jobs = [Job(one, lambda _: None, 0.0) for one in asked]
    for job in jobs:
        job.prepare(family)
    caches = sum(job.cache_bytes for job in jobs)

    async def write() -> None:
        async with Engine(family) as engine:
            await asyncio.gather(*map(engine.complete, (replace(one) for one in asked)))

    asyncio.run(write())
    held = watch.stop() - before
    return {
        "weights_mb": weights / 1e6,
        "caches_mb": caches / 1e6,
        "peak_mb": held / 1e6,
        "peak_over_sum": round(held / (weights + caches), 3),
    }


def _file_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))


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
            figures = pool.apply(measure, (bench, options.texts))
    if options.json:
        options.json.write_text(json.dumps(figures), encoding="utf-8")
    for name, value in figures.items():
        print(f"{name:>16}  {value:,.2f}")


if __name__ == "__main__":
    main()
