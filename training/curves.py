"""Draw the losses of a run over cases seen, or what `council eval starter --out FILE` measured.

    python -m training.curves losses WORK docs/images/starter-losses.svg
    python -m training.curves alpha FILE docs/images/starter-alpha.svg
    python -m training.curves orders FILE docs/images/starter-orders.svg

Knows the log's lines and the tables; knows nothing of models.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = ("base", "antiexpert")


def losses(work: Path, plot: Any) -> Figure:  # noqa: ANN401 (matplotlib.pyplot, imported late)
    """One panel a model; a run taken up again goes on in the same line."""
    figure: Figure
    figure, panels = plot.subplots(1, len(NAMES), figsize=(10, 3.6), sharey=True)
    for name, panel in zip(NAMES, panels, strict=True):
        lines = [json.loads(line) for line in (work / f"{name}.jsonl").read_text("utf-8").splitlines()]
        for key, label in (("loss", "learnt on"), ("held_out", "held out")):
            points = [(line["cases"] / 1000, line[key]) for line in lines if key in line]
            panel.plot(*zip(*points, strict=True), label=label, marker="o" if key == "held_out" else None)
        panel.set(title=name, xlabel="thousand cases")
    panels[0].set_ylabel("nats per answer token")
    panels[0].legend()
    return figure


def alpha(measured: Path, plot: Any) -> Figure:  # noqa: ANN401
    """Right, and declined, of the reading set over the weight of the steering."""
    points = _tables(measured)["alpha"]
    figure: Figure
    figure, panel = plot.subplots(figsize=(6, 3.6))
    for key in ("right", "declined"):
        _line(panel, [point["alpha"] for point in points], [point[key] for point in points], label=key)
    panel.set(xlabel="α", ylabel="share of the reading set", ylim=(0, 1))
    panel.legend()
    return figure


def orders(measured: Path, plot: Any) -> Figure:  # noqa: ANN401
    """One panel a reader, one line an order, over the number of excerpts shown."""
    rows = _tables(measured)["retrieval"]["orders"]
    readers, arrangements = (list(dict.fromkeys(row[key] for row in rows)) for key in ("reader", "order"))
    figure: Figure
    figure, panels = plot.subplots(1, len(readers), figsize=(10, 3.6), sharey=True)
    for reader, panel in zip(readers, panels, strict=True):
        for order in arrangements:
            shown = [row for row in rows if (row["reader"], row["order"]) == (reader, order)]
            _line(panel, [row["excerpts"] for row in shown], [row["right"] for row in shown], label=order)
        panel.set(title=reader, xlabel="excerpts shown")
    panels[0].set_ylabel("questions answered right")
    panels[0].legend()
    return figure


DRAWINGS: Mapping[str, Callable[[Path, Any], Figure]] = {"losses": losses, "alpha": alpha, "orders": orders}


def draw(drawing: str, source: Path, out: Path) -> None:
    """One of `DRAWINGS` as an SVG file; equal data give equal files."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "proxycouncil"
    import matplotlib.pyplot as plt

    figure = DRAWINGS[drawing](source, plt)
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})
    plt.close(figure)


def _tables(measured: Path) -> dict[str, Any]:
    tables: dict[str, Any] = json.loads(measured.read_text(encoding="utf-8"))
    return tables


def _line(panel: Axes, places: Sequence[float], shares: Sequence[Mapping[str, float]], *, label: str) -> None:
    """Shares with their intervals."""
    below, above = ([abs(one[end] - one["estimate"]) for one in shares] for end in ("low", "high"))
    panel.errorbar(
        places, [one["estimate"] for one in shares], yerr=(below, above), label=label, marker="o", capsize=2
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("drawing", choices=DRAWINGS)
    parser.add_argument("source", type=Path, help="folder of the run, or FILE of the evaluation")
    parser.add_argument("out", type=Path, help="an SVG file")
    options = parser.parse_args(arguments)
    draw(options.drawing, options.source, options.out)


if __name__ == "__main__":
    main()
