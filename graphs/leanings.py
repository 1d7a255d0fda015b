"""What cross-scores make of a vote: a part for every answer, and one for none of them. Pure functions.

A reading that would have given an answer leans towards it, whoever gave it. Its parts are the softmax of the
log-likelihoods per token, so they need no scale of their own; a group of answers counts by the wording that
the reading finds likeliest, which no number of wordings can inflate.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from math import fsum

from proxycouncil.graphs.softmax import softmax
from proxycouncil.graphs.state import CrossScore, Slate, Tally

Leanings = Mapping[tuple[str, Slate], Sequence[float]]
"""By member and slate: parts of one vote for every group and, last, for none of them; they sum to 1."""


def leanings(scores: Sequence[CrossScore], groups: Sequence[Collection[str]]) -> Leanings:
    """How every reading's vote is spread over groups of wordings."""
    return {(score["member"], score["slate"]): leaning(score, groups) for score in scores}


def leaning(score: CrossScore, groups: Sequence[Collection[str]]) -> list[float]:
    """One reading's vote: parts for every group and, last, for none of them."""
    said = score["logprobs"]
    logs = [max((said[text] for text in texts if text in said), default=-math.inf) for texts in groups]
    return softmax([*logs, score["none"]])


def of_leader(tally: Tally) -> dict[str, float]:
    """What cross-scores say of the leading answer, as far as they were measured: means over the readings.

    `cross_score`: the part of the votes that lean towards it. `p_true`: how likely readings call it true.
    """
    scores, groups = tally.get("cross_scores") or [], tally["groups"]
    if not scores or not groups:
        return {}
    texts = groups[0]["texts"]
    found = {"cross_score": _mean([leaning(score, [one["texts"] for one in groups])[0] for score in scores])}
    calls = [score["p_true"] for score in scores if "p_true" in score]
    true = [max(call[text] for text in texts if text in call) for call in calls if set(texts) & set(call)]
    return found | ({"p_true": _mean(true)} if true else {})


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / len(values)
