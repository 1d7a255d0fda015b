"""Pack what a machine elsewhere needs into one folder: tokens of cases and of text.

    python -m training.pack --work WORK --out PACK

The folder stays under 18 MB a call: the repository travels beside it. Parts that don't fit are cut to an
even spread of cases, and the report says so. Knows files, nothing of training.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from training.tokens import Exercises, Text

LIMIT = 18_000_000
"""Bytes."""
_TEXT_SHARE = 0.25


def pack(work: Path, out: Path, *, limit: int = LIMIT) -> dict[str, int]:
    """Write the folder; returns bytes by file. Held-out cases travel whole, the rest as far as it fits."""
    out.mkdir(parents=True, exist_ok=True)
    shutil.copy(work / "held_out.npz", out)
    text, cases = Text.load(work / "text.npz"), Exercises.load(work / "cases.npz")
    left = limit - (out / "held_out.npz").stat().st_size
    target = out / "text.npz"
    share = int(left * _TEXT_SHARE)
    _fit(target, lambda count: Text(text.ids[:count]).save(target), count=len(text.ids), limit=share)
    left -= target.stat().st_size
    packed = out / "cases.npz"
    _fit(packed, lambda count: spread(cases, count).save(packed), count=len(cases), limit=left)
    return {file.name: file.stat().st_size for file in sorted(out.iterdir())}


def _fit(target: Path, write: Callable[[int], None], *, count: int, limit: int) -> None:
    """Write all, or as many as come out under the limit: how well they pack is known only afterwards."""
    while True:
        write(count)
        written = target.stat().st_size
        if written <= limit or count < 2:
            return
        count = int(count * limit / written * 0.98)


def spread(exercises: Exercises, count: int) -> Exercises:
    """An even spread of so many exercises."""
    if count >= len(exercises):
        return exercises
    chosen = Exercises.empty()
    for place in np.linspace(0, len(exercises) - 1, count).astype(int):
        exercise = exercises[int(place)]
        ids, answer = exercise["input_ids"], exercise["answer_length"]
        chosen.append(ids[:-answer], ids[-answer:], longest=len(ids))
    return chosen


def main(arguments: Sequence[str] | None = None) -> None:
    """Pack, and say what was packed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--work", type=Path, required=True, help="folder written by build_corpus")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    options = parser.parse_args(arguments)
    for name, size in pack(options.work, options.out).items():
        print(f"{size / 1e6:7.2f} MB  {name}")
    print(f"{len(Exercises.load(options.out / 'cases.npz')):,} cases")


if __name__ == "__main__":
    main()
