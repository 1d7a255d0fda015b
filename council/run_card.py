"""The run card of an expert: what it was made from, how that went, and what it is worth. JSON and Markdown.

What an expert is worth is measured on the entries held out of its tuning, by all that could answer in its
place; differences are paired, with intervals. Knows figures and words; loads no model itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxycouncil.eval.metrics import paired_bootstrap, wilson
from proxycouncil.specialists.expert_files import CARD, write_card

if TYPE_CHECKING:
    from proxycouncil.specialists.held_out import HeldOut, Reader

PAGE = "card.md"
_BARS = 40


def complete_card(expert: Path, *, questions: str, worth: Mapping[str, Any] | None) -> None:
    """Add to `tuning.json` what the questions were and what the expert is worth; write `card.md` beside it.

    Args:
        expert: directory of the expert, with the card that tuning wrote.
        questions: fingerprint of the file of questions.
        worth: from `worth_of`; None: not measured.
    """
    card = json.loads((expert / CARD).read_text(encoding="utf-8"))
    card["data"] = {**card.get("data", {}), "questions": questions}
    if worth is not None:
        card["worth"] = dict(worth)
    write_card(expert, card)
    (expert / PAGE).write_text(page(expert.name, card), encoding="utf-8")


def worth_of(held_out: HeldOut, *, alpha: float) -> dict[str, Any]:
    """Exact answers and nats a token of every reader, the curve over α, and the gains at `alpha`."""
    readers = {name: held_out.reader(name) for name in ("base", "antiexpert", "expert")}
    curve = [one for one in held_out.readers if one.name == "steered"]
    steered = min(curve, key=lambda one: abs((one.alpha or 0.0) - alpha))
    return {
        "cases": len(held_out.tokens),
        "alpha": steered.alpha,
        "readers": {name: _scores(one, held_out) for name, one in {**readers, "steered": steered}.items()},
        "alpha_curve": [{"alpha": one.alpha, **_scores(one, held_out)} for one in curve],
        "gains": {
            "expert over antiexpert": _gain(readers["expert"], readers["antiexpert"]),
            "steered over base": _gain(steered, readers["base"]),
            "steered over expert": _gain(steered, readers["expert"]),
        },
    }


def page(name: str, card: Mapping[str, Any]) -> str:
    """The card for people."""
    parts = [f"# {name}", _how(card), _data(card), _losses(card.get("losses", ()))]
    if worth := card.get("worth"):
        parts += [_readers(worth), _gains(worth["gains"]), _curve(worth["alpha_curve"])]
    else:
        parts.append("What it is worth beside base and anti-expert was not measured.")
    return "\n\n".join(parts) + "\n"


def _scores(reader: Reader, held_out: HeldOut) -> dict[str, Any]:
    return {
        "exact": asdict(wilson(sum(reader.exact), len(reader.exact))),
        "loss": round(held_out.loss(reader), 4),
    }


def _gain(first: Reader, second: Reader) -> dict[str, Any]:
    return {
        "exact": asdict(paired_bootstrap(first.exact, second.exact)),
        "nats_an_answer": asdict(paired_bootstrap(second.nats, first.nats)),
    }


def _how(card: Mapping[str, Any]) -> str:
    recipe = card["recipe"]
    return (
        f"{card['method']}, rank {recipe['rank']}, learning rate {card['learning_rate']:g}, seed "
        f"{recipe['seed']}; {card['steps']} steps in {card['seconds']:.0f} s. Held-out loss "
        f"{card['loss_before']:.3f} → {card['loss']:.3f} nats a token. From `{card['started_from']}`."
    )


def _data(card: Mapping[str, Any]) -> str:
    rows = [
        [part, *(str(card[part].get(key, 0)) for key in ("cases", "refusals", "general"))]
        for part in ("learnt", "held_out")
    ]
    prints = ", ".join(f"{name} `{value}`" for name, value in sorted(card.get("data", {}).items()))
    return (
        f"## Data\n\nSplit: {card['split']}. Fingerprints: {prints}.\n\n"
        f"{_table(('part', 'cases', 'of these refusals', 'of these general'), rows)}"
    )


def _losses(losses: Sequence[Mapping[str, float]]) -> str:
    steps = sorted({row["step"] for row in losses})
    learnt = {row["step"]: row["learnt"] for row in losses if "learnt" in row}
    held_out = {row["step"]: row["held_out"] for row in losses if "held_out" in row}
    rows = [[f"{step:g}", _number(learnt.get(step)), _number(held_out.get(step))] for step in steps]
    return f"## Losses\n\nNats a token.\n\n{_table(('step', 'learnt', 'held out'), rows)}"


def _readers(worth: Mapping[str, Any]) -> str:
    rows = [
        [name if name != "steered" else f"steered, α = {worth['alpha']:g}", *_shown(one)]
        for name, one in worth["readers"].items()
    ]
    return (
        f"## Worth\n\n{worth['cases']} held-out cases. *Exact*: greedy decoding writes the answer token by "
        f"token.\n\n{_table(('reader', 'exact [95 %]', 'nats a token'), rows)}"
    )


def _gains(gains: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{_interval(one['exact'], sign='+')}", f"{one['nats_an_answer']['estimate']:+.2f}"]
        for name, one in gains.items()
    ]
    return _table(("gain, paired", "exact [95 %]", "nats an answer"), rows)


def _curve(curve: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [f"{one['alpha']:g}", *_shown(one), "▇" * round(_BARS * one["exact"]["estimate"])] for one in curve
    ]
    return f"## α\n\n{_table(('α', 'exact [95 %]', 'nats a token', ''), rows)}"


def _shown(one: Mapping[str, Any]) -> list[str]:
    return [_interval(one["exact"]), f"{one['loss']:.3f}"]


def _interval(found: Mapping[str, float], *, sign: str = "") -> str:
    low, high = (f"{found[key]:{sign}.1%}" for key in ("low", "high"))
    return f"{found['estimate']:{sign}.1%} [{low}, {high}]"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
