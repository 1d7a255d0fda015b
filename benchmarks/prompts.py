"""How much of a council's prompts is read: each alone, and behind what others have read.

    python -m benchmarks.prompts [--limit 24] [--config council.toml] [--json FILE]

Questions of the starter's test part go through a council as they are, one after another; counted are the
tokens of all prompts, of those that differ, and those that the forwards reading them take, padding included:
all that came together in one forward, whole, and as the engine reads them (`specialists/prefixes.py`).
Counts, not times: they are the same on any machine, up to which requests meet in a step.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from proxycouncil import Council
from proxycouncil.council.starter import DIRECTORY
from proxycouncil.eval.splits import load_questions
from proxycouncil.specialists.lane import Lane, Row
from proxycouncil.specialists.prefixes import Batch, batches

KINDS = ("prompts", "tokens", "of different ones", "whole and together", "read")


@contextmanager
def counted(counts: dict[str, Counter[str]]) -> Iterator[None]:
    """Count what every model is given to read, by its name."""
    admit = Lane.admit

    def admitting(lane: Lane, rows: Sequence[Row]) -> Any:  # noqa: ANN401 - a tensor
        count = counts.setdefault(lane.model.name, Counter())
        count["prompts"] += len(rows)
        count["tokens"] += sum(len(row.ids) for row in rows)

        def planning(fresh: Sequence[Row], readers: Sequence[Row], *, forward: int) -> list[Batch[Row]]:
            plan = batches(fresh, readers, forward=forward)
            lengths = [len(row.ids) for row in fresh]
            count["of different ones"] += sum(lengths)
            count["whole and together"] += len(lengths) * max(lengths, default=0)
            count["read"] += sum(len(batch) * max(start.rest for start in batch) for batch in plan)
            return plan

        with mock.patch("proxycouncil.specialists.lane.batches", planning):
            return admit(lane, rows)

    with mock.patch.object(Lane, "admit", admitting):
        yield


def main() -> None:
    """Ask, count and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--limit", type=int, default=24, help="an even spread of so many questions")
    parser.add_argument("--config", type=Path, metavar="FILE", help="another council than the starter")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    questions = load_questions(DIRECTORY / "questions", only="test")
    counts: dict[str, Counter[str]] = {}
    opened = Council.from_file(options.config) if options.config else Council.starter()
    with counted(counts), opened as council:
        for question in questions[:: max(1, len(questions) // options.limit)][: options.limit]:
            council.ask(question.text)
    print(f"{'':>12} " + " ".join(f"{kind:>18}" for kind in KINDS))
    for name, count in counts.items():
        print(f"{name:>12} " + " ".join(f"{count[kind]:>18,}" for kind in KINDS))
    if options.json:
        options.json.write_text(json.dumps(counts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
