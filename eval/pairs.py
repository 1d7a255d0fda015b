"""Do two answers mean the same? Measures grouping on labelled pairs, beside rules that others use.

Knows pairs `{"question", "a", "b", "label"}` with labels same, contradicting and different; knows no model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Literal, TypeAlias, cast

from typing_extensions import TypedDict

from proxycouncil.eval.splits import read_records
from proxycouncil.graphs.answers import canonical
from proxycouncil.graphs.context import Entails
from proxycouncil.graphs.grouping import group, same
from proxycouncil.graphs.vote import entailments

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
Similarities: TypeAlias = Callable[[Sequence[str]], Sequence[Sequence[float]]]


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


def with_entailment(entails: Entails) -> Rule:
    """The council's grouping where an entailment model is asked as well."""

    def rule(pair: Pair) -> bool:
        texts, question = [pair["a"], pair["b"]], pair["question"]
        answers = [canonical(text, question=question) for text in texts]
        entailed = entailments(entails, sorted(set(texts)), question)
        return len(group(answers, texts=texts, entailed=entailed)) == 1 and "none" not in (
            answer.kind for answer in answers
        )

    return rule


def best_cosine(pairs: Sequence[Pair], similarity: Similarities) -> Rule:
    """The cosine threshold of the best F1 on these very pairs: more than any threshold can do on others."""
    cosines = [similarity([pair["a"], pair["b"]])[0][1] for pair in pairs]
    found = {(pair["a"], pair["b"]): cosine for pair, cosine in zip(pairs, cosines, strict=True)}

    def at(threshold: float) -> Rule:
        return lambda pair: found[pair["a"], pair["b"]] >= threshold

    return max(
        (at(cosine) for cosine in sorted(set(cosines))), key=lambda rule: score(rule, pairs)["f1"] or 0
    )


RULES: Mapping[str, Rule] = {"grouping": ours, "always_same": always, "difflib_0.5": difflib_half}


def score_pairs(
    path: Path, *, entails: Entails | None = None, similarity: Similarities | None = None
) -> dict[str, dict[str, Score]]:
    """Every rule on the whole file and its halves: the first is for looking at, the second for reporting.

    Args:
        path: pairs, one a line.
        entails: an entailment model: one rule more.
        similarity: cosines of an embedder: the best threshold on them, found on the pairs scored.
    """
    pairs = cast(list[Pair], list(read_records(path)))
    middle = len(pairs) // 2
    parts = {"all": pairs, "first_half": pairs[:middle], "second_half": pairs[middle:]}
    rules = dict(RULES) | ({"grouping_entailment": with_entailment(entails)} if entails else {})
    found = {
        name: {part: score(rule, chosen) for part, chosen in parts.items()} for name, rule in rules.items()
    }
    if similarity:
        found["best_cosine"] = {
            part: score(best_cosine(chosen, similarity), chosen) for part, chosen in parts.items()
        }
    return found


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
