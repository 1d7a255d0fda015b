"""Prints how well answers are grouped: `python -m benchmarks.pairs [--json FILE] [PAIRS]`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from proxycouncil.eval.pairs import score_pairs

PAIRS = Path(__file__).parents[1] / "council" / "starter" / "pairs.jsonl"
COLUMNS = ("precision", "recall", "f1", "contradicting_merged", "different_merged")


def main() -> None:
    """A table on stdout; the same figures as JSON where asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", nargs="?", type=Path, default=PAIRS)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    scores = score_pairs(options.pairs)
    print(f"{'rule':<14}{'part':<13}" + "".join(f"{name:>22}" for name in COLUMNS))
    for rule, parts in scores.items():
        for part, score in parts.items():
            cells = (
                score["precision"],
                score["recall"],
                score["f1"],
                score["contradicting_merged"],
                score["different_merged"],
            )
            print(
                f"{rule:<14}{part:<13}" + "".join("—".rjust(22) if c is None else f"{c:22.3f}" for c in cells)
            )
    if options.json:
        options.json.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
