"""Do two answers mean the same? Measures grouping on labelled pairs, beside rules that others use.

Knows pairs `{"question", "a", "b", "label"}` with labels same, contradicting and different; knows no model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Literal, TypeAlias

from typing_extensions import TypedDict

from proxycouncil.graphs.answers import canonical
from proxycouncil.graphs.grouping import same

Label: TypeAlias = Literal["same", "contradicting", "different"]


class Pair(TypedDict):
    """Two answers to one question."""

    question: str
    a: str
    b: str
    label: Label


class Score(TypedDict):
    """`precision`, `recall` and `f1` are of "same"; None where nothing was merged or nothing is to be.

    `contradicting_merged` and `different_merged`: shares of those pairs that were called the same.
    """

    pairs: int
    merged: int
    precision: float | None
    recall: float | None
    f1: float | None
    contradicting_merged: float | None
    different_merged: float | None


Rule: TypeAlias = Callable[[Pair], bool]


def ours(pair: Pair) -> bool:
    """The council's grouping."""
    question = pair["question"]
    return same(canonical(pair["a"], question=question), canonical(pair["b"], question=question))


def always(pair: Pair) -> bool:
    """Calls everything the same."""
    return bool(pair)


def difflib_half(pair: Pair) -> bool:
    """Character overlap of at least one half, a threshold in use for votes on free text."""
    return SequenceMatcher(None, pair["a"].casefold(), pair["b"].casefold()).ratio() >= 0.5


RULES: Mapping[str, Rule] = {"grouping": ours, "always_same": always, "difflib_0.5": difflib_half}


def score_pairs(path: Path) -> dict[str, dict[str, Score]]:
    """Every rule on the whole file and its halves: the first is for looking at, the second for reporting."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs: list[Pair] = [json.loads(line) for line in lines if line.strip()]
    middle = len(pairs) // 2
    parts = {"all": pairs, "first_half": pairs[:middle], "second_half": pairs[middle:]}
    return {
        name: {part: score(rule, chosen) for part, chosen in parts.items()} for name, rule in RULES.items()
    }


def score(rule: Rule, pairs: Sequence[Pair]) -> Score:
    """One rule on some pairs."""
    merged = [pair["label"] for pair in pairs if rule(pair)]
    labels = [pair["label"] for pair in pairs]
    right = merged.count("same")
    return Score(
        pairs=len(pairs),
        merged=len(merged),
        precision=_share(right, len(merged)),
        recall=_share(right, labels.count("same")),
        f1=_share(2 * right, len(merged) + labels.count("same")),
        contradicting_merged=_share(merged.count("contradicting"), labels.count("contradicting")),
        different_merged=_share(merged.count("different"), labels.count("different")),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
