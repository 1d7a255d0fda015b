"""Draw the losses of a run: what was learnt on, and what was held out, over cases seen.

    python -m training.curves --work WORK --out docs/starter-losses.svg

Knows the log's lines; knows nothing of models.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

NAMES = ("base", "antiexpert")


def draw(work: Path, out: Path) -> None:
    """One panel a model; a run taken up again goes on in the same line."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "proxycouncil"  # equal logs give equal files
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(NAMES), figsize=(10, 3.6), sharey=True)
    for name, panel in zip(NAMES, panels, strict=True):
        lines = [json.loads(line) for line in (work / f"{name}.jsonl").read_text("utf-8").splitlines()]
        for key, label in (("loss", "learnt on"), ("held_out", "held out")):
            points = [(line["cases"] / 1000, line[key]) for line in lines if key in line]
            panel.plot(*zip(*points, strict=True), label=label, marker="o" if key == "held_out" else None)
        panel.set(title=name, xlabel="thousand cases")
    panels[0].set_ylabel("nats per answer token")
    panels[0].legend()
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the curves of both models."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--work", type=Path, required=True, help="folder with base.jsonl and antiexpert.jsonl"
    )
    parser.add_argument("--out", type=Path, required=True, help="an SVG file")
    options = parser.parse_args(arguments)
    draw(options.work, options.out)


if __name__ == "__main__":
    main()
