"""How a library grows: ingest and the embedder's share of it, search, memory and start-up over its size.

    python -m benchmarks.growth --quick
    python -m benchmarks.growth --sizes 1000,10000,100000 --json

Passages are made up from a seeded vocabulary with Zipf's frequencies, about 60 words each, so that words are
shared as in real text; answers are not judged here. Each step of each size is a process of its own: memory
is the most that searching held, start-up begins with its first import. Sentence vectors (three texts more a
passage) are left out unless `--sentences` asks for them.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
QUICK = (500, 2_000)
_PER_FILE = 100
_WORDS, _VOCABULARY = 60, 30_000
_QUESTIONS = 100


def main() -> None:
    """Measure every size, one process after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", help="passages, comma-separated", default=",".join(map(str, SIZES)))
    parser.add_argument("--quick", action="store_true", help=f"only {QUICK}")
    parser.add_argument("--sentences", action="store_true", help="store sentence vectors too")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg", help="draw the growth")
    parser.add_argument("--step", nargs=3, metavar=("WHAT", "SIZE", "FOLDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        what, size, folder = asked.step
        step = {"ingest": measure_ingest, "search": measure_search}[what]
        print(json.dumps(step(Path(folder), int(size), sentences=asked.sentences)))
        return
    sizes = QUICK if asked.quick else [int(size) for size in asked.sizes.split(",")]
    rows = [measure(size, sentences=asked.sentences) for size in sizes]
    if asked.chart:
        asked.chart.write_text(drawn(rows), encoding="utf-8")
    print(json.dumps(rows, indent=2) if asked.json else table(rows))


def measure(size: int, *, sentences: bool) -> dict[str, Any]:
    """All figures of one size."""
    with tempfile.TemporaryDirectory() as folder:
        write_documents(Path(folder) / "docs", size)
        found: dict[str, Any] = {"passages": size}
        for what in ("ingest", "search"):
            command = [sys.executable, "-m", "benchmarks.growth", "--step", what, str(size), folder]
            command += ["--sentences"] if sentences else []
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr)
            found |= json.loads(done.stdout.splitlines()[-1])
        held = (file for file in (Path(folder) / "library").rglob("*") if file.is_file())
        found["disk_mb"] = sum(file.stat().st_size for file in held) / 1e6
        return found


def measure_ingest(folder: Path, size: int, *, sentences: bool) -> dict[str, Any]:
    """Seconds of an ingest, and of them those inside the embedder (loaded before)."""
    from proxycouncil.retrieval.embedder import Embedder, Vectors
    from proxycouncil.retrieval.library import Library

    class Timed(Embedder):
        seconds = 0.0

        def encode(self, texts: Sequence[str]) -> Vectors:
            started = time.perf_counter()
            try:
                return super().encode(texts)
            finally:
                self.seconds += time.perf_counter() - started

    embedder = Timed()
    embedder.warm()
    embedder.seconds = 0.0
    with Library(folder / "library", embedder=embedder) as library:
        started = time.perf_counter()
        report = library.ingest("growth", folder / "docs", sentences=sentences)
        seconds = time.perf_counter() - started
    if report.passages != size:
        raise SystemExit(f"{report.passages} passages were written, not {size}")
    return {
        "ingest_s": seconds,
        "passages_per_s": size / seconds,
        "embedder_share": embedder.seconds / seconds,
    }


def measure_search(folder: Path, size: int, *, sentences: bool) -> dict[str, Any]:  # noqa: ARG001
    """Start-up, hybrid search without the embedding of the question, and what the process holds."""
    started = time.perf_counter()
    from proxycouncil.retrieval.library import Library

    with Library(folder / "library") as library:
        library.warm()
        startup = time.perf_counter() - started
        draw = random.Random(1)
        times = []
        for _ in range(_QUESTIONS):
            question = " ".join(_words(draw, 8))
            library.encode([question])  # remembered: what follows is search alone
            began = time.perf_counter()
            library.search(question, limit=5)
            times.append(1_000 * (time.perf_counter() - began))
    times.sort()
    return {
        "search_p50_ms": times[len(times) // 2],
        "search_p95_ms": times[int(len(times) * 0.95)],
        "startup_s": startup,
        "peak_memory_mb": _peak_mb(),
    }


def write_documents(folder: Path, size: int) -> None:
    """Markdown files of a hundred entries each."""
    folder.mkdir(parents=True)
    draw = random.Random(0)
    for start in range(0, size, _PER_FILE):
        entries = [
            f"## Entry {number}\n\n{_sentence(draw)} {_sentence(draw)} {_sentence(draw)}\n"
            for number in range(start, min(size, start + _PER_FILE))
        ]
        (folder / f"{start:07d}.md").write_text("\n".join(entries), encoding="utf-8")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The figures as a Markdown table."""
    columns = {
        "passages": ",.0f",
        "ingest_s": ".0f",
        "passages_per_s": ".0f",
        "embedder_share": ".0%",
        "search_p50_ms": ".1f",
        "search_p95_ms": ".1f",
        "startup_s": ".1f",
        "peak_memory_mb": ".0f",
        "disk_mb": ".0f",
    }
    lines = [f"| {' | '.join(columns)} |", "|---:" * len(columns) + "|"]
    for row in rows:
        cells = [format(row[name], form) for name, form in columns.items()]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def drawn(rows: Sequence[dict[str, Any]]) -> str:
    """What grows, over the passages, each as a share of its value at the largest size. SVG."""
    from proxycouncil.eval.charts import Axes, Line, chart

    largest = rows[-1]
    lines = [
        Line(
            f"{name} (1 = {largest[name]:.0f})",
            [(row["passages"] / largest["passages"], row[name] / largest[name]) for row in rows],
        )
        for name in ("ingest_s", "search_p95_ms", "startup_s", "peak_memory_mb")
    ]
    most = max(y for line in lines for _, y in line.points)
    title = f"Growth to {largest['passages']:,} passages"
    return chart(Axes(title, "passages, share", "share of the largest", y_range=(0.0, most)), lines)


def _sentence(draw: random.Random) -> str:
    return f"{' '.join(_words(draw, _WORDS // 3)).capitalize()}."


def _words(draw: random.Random, count: int) -> list[str]:
    """Words by Zipf's law, approximately: the rank is the exponential of a uniform number."""
    return [f"w{int(_VOCABULARY ** draw.random())}x" for _ in range(count)]


def _peak_mb() -> float:
    """The most that this process held at once (kilobytes on Linux, as getrusage says it)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
