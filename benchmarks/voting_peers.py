"""Rules of voting in use elsewhere, written anew from what they are described to do; each sees texts alone.

Where a rule needs what saved votes lack (rankings of one another's answers, an arbiter), the docstring says
what stands for it. Confidence is None where the rule states none.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import combinations
from statistics import mean
from typing import TypeAlias

Peer: TypeAlias = Callable[[Sequence[str | None]], tuple[str | None, float | None]]
"""From the answers in the order of arrival to the one that is named and how sure the rule says it is."""

LIKE = 0.5
"""Character overlap from which the difflib rule calls two answers the same."""


def mean_rank(answers: Sequence[str | None]) -> tuple[str | None, float | None]:
    """Peers rank each other's answers and the mean rank decides; those that failed vanish.

    Nobody ranked here: everybody puts its own answer first and all others behind it, as equals.
    """
    given = [answer for answer in answers if answer]
    options = list(dict.fromkeys(given))
    if not options:
        return None, None
    behind = (len(options) + 2) / 2
    ranks = {one: mean(1.0 if said == one else behind for said in given) for one in options}
    return min(options, key=lambda one: ranks[one]), None


def difflib_groups(answers: Sequence[str | None]) -> tuple[str | None, float | None]:
    """Answers join the first group whose first answer is half alike in its characters; the largest wins.

    Lower case, no punctuation; a failed answer is an empty text and as good as any other. Sure of itself by
    the group's share.
    """
    groups: list[list[str | None]] = []
    for answer in answers:
        text = _bare(answer)
        home = next((group for group in groups if _alike(_bare(group[0]), text) >= LIKE), None)
        if home is None:
            groups.append([answer])
        else:
            home.append(answer)
    if not groups:
        return None, 0.0
    largest = max(groups, key=len)
    return largest[0], len(largest) / len(answers)


def halved_cosine(answers: Sequence[str | None]) -> tuple[str | None, float | None]:
    """The answer nearest to all others; sure of itself by the mean of (1 + cosine) / 2 over all pairs.

    The cosine is that of the counts of characters and of pairs of them, in the place of an embedder's.
    """
    given = [answer for answer in answers if answer]
    if not given:
        return None, 0.0
    vectors = {answer: _counts(answer) for answer in given}
    nearest = max(
        dict.fromkeys(given), key=lambda one: sum(_cosine(vectors[one], vectors[two]) for two in given)
    )
    pairs = [(1 + _cosine(vectors[one], vectors[two])) / 2 for one, two in combinations(given, 2)]
    return nearest, mean(pairs) if pairs else 1.0


def normalised_majority(answers: Sequence[str | None]) -> tuple[str | None, float | None]:
    """Lower case, no punctuation, no articles; the first of a tie; failures skipped, no counts told."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for answer in answers:
        if answer:
            key = re.sub(r"\b(a|an|the)\b", "", _bare(answer)).strip()
            counts[key] += 1
            first.setdefault(key, answer)
    return (first[counts.most_common(1)[0][0]] if counts else None), None


PEERS: Mapping[str, Peer] = {
    "peer: mean rank": mean_rank,
    "peer: difflib 0.5": difflib_groups,
    "peer: halved cosine": halved_cosine,
    "peer: norm. majority": normalised_majority,
}


def _bare(answer: str | None) -> str:
    return re.sub(r"[^\w\s]", "", (answer or "").lower())


def _alike(a: str, b: str) -> float:
    return SequenceMatcher(None, a, b).ratio()


def _counts(text: str) -> Counter[str]:
    return Counter([*text, *(text[place : place + 2] for place in range(len(text) - 1))])


def _cosine(a: Counter[str], b: Counter[str]) -> float:
    dot = sum(count * b[piece] for piece, count in a.items())
    return dot / math.sqrt(sum(n * n for n in a.values()) * sum(n * n for n in b.values()))
