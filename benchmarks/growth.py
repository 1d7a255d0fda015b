"""How a library grows: ingest and the embedder's share of it, search, memory and start-up over its size.

    python -m benchmarks.growth --quick
    python -m benchmarks.growth --sizes 1000,10000,100000 --work DIR --json

Passages are sixty words each, drawn as often as the starter's handbooks use them, so that words are shared
and as long as in real text; answers are not judged here. Each step of each size is a process of its own:
memory is the most that searching held, start-up begins with its first import. Sentence vectors (three texts
more a passage) are left out unless `--sentences` asks for them. With `--work` a run that was broken off goes
on: sizes that are done are not measured again, and an ingest keeps what it has written and counts on.
"""

from __future__ import annotations

import argparse
import json
import random
import re
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
_WORDS = 60
_QUESTIONS = 100
_DONE, _SO_FAR = "measured.json", "ingest.json"


def main() -> None:
    """Measure every size, one process after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", help="passages, comma-separated", default=",".join(map(str, SIZES)))
    parser.add_argument("--quick", action="store_true", help=f"only {QUICK}")
    parser.add_argument("--sentences", action="store_true", help="store sentence vectors too")
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep everything there, and go on from it")
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
    with tempfile.TemporaryDirectory() as spare:
        work = (asked.work or Path(spare)).resolve()
        rows = [measure(size, work / str(size), sentences=asked.sentences) for size in sizes]
    if asked.chart:
        asked.chart.write_text(drawn(rows), encoding="utf-8")
    print(json.dumps(rows, indent=2) if asked.json else table(rows))


def measure(size: int, folder: Path, *, sentences: bool) -> dict[str, Any]:
    """All figures of one size."""
    if (folder / _DONE).exists():
        return dict(json.loads((folder / _DONE).read_text()))
    if not (folder / "docs").exists():
        write_documents(folder / "docs.new", size)
        (folder / "docs.new").rename(folder / "docs")
    found: dict[str, Any] = {"passages": size}
    for what in ("ingest", "search"):
        command = [sys.executable, "-m", "benchmarks.growth", "--step", what, str(size), str(folder)]
        command += ["--sentences"] if sentences else []
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        found |= json.loads(done.stdout.splitlines()[-1])
    held = (file for file in (folder / "library").rglob("*") if file.is_file())
    found["disk_mb"] = sum(file.stat().st_size for file in held) / 1e6
    (folder / _DONE).write_text(json.dumps(found) + "\n", encoding="utf-8")
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
    before = json.loads((folder / _SO_FAR).read_text()) if (folder / _SO_FAR).exists() else [0.0, 0.0]
    with Library(folder / "library", embedder=embedder) as library:
        started = time.perf_counter()

        def note(_: object) -> None:
            spent = [before[0] + time.perf_counter() - started, before[1] + embedder.seconds]
            (folder / _SO_FAR).write_text(json.dumps(spent), encoding="utf-8")

        library.ingest("growth", folder / "docs", sentences=sentences, progress=note)
        note(None)
        held = len(library.passages())
    if held != size:
        raise SystemExit(f"{held} passages are held, not {size}")
    seconds, embedding = json.loads((folder / _SO_FAR).read_text())
    return {
        "ingest_s": seconds,
        "passages_per_s": size / seconds,
        "embedder_share": embedding / seconds,
    }


def measure_search(folder: Path, size: int, *, sentences: bool) -> dict[str, Any]:  # noqa: ARG001
    """Start-up, hybrid search without the embedding of the question, and what the process holds."""
    started = time.perf_counter()
    from proxycouncil.retrieval.library import Library

    with Library(folder / "library") as library:
        library.warm()
        startup = time.perf_counter() - started
        draw, words = random.Random(1), handbook_words()
        times = []
        for _ in range(_QUESTIONS):
            question = " ".join(draw.choices(words, k=8))
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
    folder.mkdir(parents=True, exist_ok=True)
    draw, words = random.Random(0), handbook_words()
    for start in range(0, size, _PER_FILE):
        entries = [
            f"## Entry {number}\n\n{' '.join(_sentence(draw, words) for _ in range(3))}\n"
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


def handbook_words() -> list[str]:
    """Every word of the starter's handbooks as often as it stands there."""
    from proxycouncil.council.starter import HANDBOOKS

    texts = (file.read_text(encoding="utf-8") for file in sorted(HANDBOOKS.rglob("*.md")))
    return [word for text in texts for word in re.findall(r"[a-z]+", text.lower())]


def _sentence(draw: random.Random, words: Sequence[str]) -> str:
    return f"{' '.join(draw.choices(words, k=_WORDS // 3)).capitalize()}."


def _peak_mb() -> float:
    """The most that this process held at once (kilobytes on Linux, as getrusage says it)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
