"""The vote node: gathers what a count needs and has it counted. Knows state and context, no rule."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxycouncil.graphs.answers import canonical
from proxycouncil.graphs.cross_scoring import Scores, cross_scores, wanted
from proxycouncil.graphs.fitted import FittedVote
from proxycouncil.graphs.grouping import askable
from proxycouncil.graphs.state import CouncilState, Route, Tally
from proxycouncil.graphs.weighing import tally

if TYPE_CHECKING:
    from proxycouncil.graphs.context import CouncilContext, Entails
    from proxycouncil.graphs.protocols import Searcher

_log = logging.getLogger(__name__)


async def count(state: CouncilState, context: CouncilContext) -> Tally:
    """Count the turn's ballots.

    Without similarities, or without the entailment model that is set, the vote goes on, by words and numbers
    alone, and says that it is degraded; so it does where an expert wrote without its base. Where weights were
    fitted to labelled questions they decide; else the route and the evidence. Where cross-scoring is asked
    for, every reading's vote is spread over all answers; the count says so, or that it could not be had.
    """
    texts = answering_texts(state)
    cast = [ballot for ballot in state["ballots"] if ballot["turn"] == state["turn"]]
    compared = await _compared(context, texts, state["standalone"])
    scores = await cross_scores(state, context, texts) if wanted(context.settings) else Scores()
    voting = scores.found if context.settings.cross_scoring else ()
    counted = tally(
        state["ballots"],
        route=state["route"],
        turn=state["turn"],
        asked=state["route"]["members"],
        question=state["standalone"],
        similarity=compared.similarity,
        entailed=compared.entailed,
        cross=voting,
        degraded=compared.failed or scores.failed or any(ballot["method"] == "alone" for ballot in cast),
    )
    if scores.found:
        counted["cross_scores"] = list(scores.found)
    if context.settings.cross_scoring:
        counted["voted_by"] = "cross_scores" if voting else "ballots"
    reconsidered = state.get("reconsidered")
    if reconsidered and reconsidered["turn"] == state["turn"]:
        counted["reconsidered"] = reconsidered
    fitted = fitted_vote(context)
    if fitted is None:
        return counted
    return fitted.recount(counted, cast, state["route"], question=state["standalone"])


@dataclass(frozen=True, slots=True)
class _Compared:
    """How near the answers are to each other, as far as anybody could say."""

    similarity: Mapping[tuple[str, str], float] | None = None
    entailed: Mapping[tuple[str, str], float] | None = None
    failed: bool = False


async def _compared(context: CouncilContext, texts: Sequence[str], question: str) -> _Compared:
    if len(texts) < 2:
        return _Compared()
    similarity: Mapping[tuple[str, str], float] | None = None
    try:
        similarity = await asyncio.to_thread(_similarity, context.searcher, texts)
        if context.entails is None:
            return _Compared(similarity)
        return _Compared(similarity, await asyncio.to_thread(entailments, context.entails, texts, question))
    except Exception:  # noqa: BLE001 - whatever they raise, a vote does without
        _log.warning("no similarities or entailments, grouping goes by words alone", exc_info=True)
        return _Compared(similarity, failed=True)


def fitted_vote(context: CouncilContext) -> FittedVote | None:
    """How this council's votes are weighed, where that was fitted."""
    plain = context.calibrated("vote")
    return None if plain is None else FittedVote.read(plain)


def nobody_asked(route: Route, turn: str) -> Tally:
    """The count of a turn in which no member was asked."""
    return tally([], route=route, turn=turn, asked=[])


def answering_texts(state: CouncilState) -> list[str]:
    """The distinct answers of the turn, in an order that is not that of arrival."""
    ballots = [ballot for ballot in state["ballots"] if ballot["turn"] == state["turn"]]
    return sorted({ballot["text"] for ballot in ballots if ballot["status"] == "answered"})


def entailments(entails: Entails, texts: Sequence[str], question: str) -> dict[tuple[str, str], float]:
    """What follows from what, among texts that words and numbers alone leave open; each asked both ways.

    Every text is put behind the question, because "the heart" says nothing and "What pumps blood? The heart"
    does (Kuhn et al. 2023).
    """
    read = {text: canonical(text, question=question) for text in texts}
    open_pairs = [(a, b) for a in texts for b in texts if a != b and askable(read[a], read[b])]
    scores = entails([(f"{question} {a}".strip(), f"{question} {b}".strip()) for a, b in open_pairs])
    return {pair: float(score) for pair, score in zip(open_pairs, scores, strict=True)}


def _similarity(searcher: Searcher, texts: Sequence[str]) -> dict[tuple[str, str], float]:
    rows = searcher.similarity(texts)
    return {(a, b): float(rows[i][j]) for i, a in enumerate(texts) for j, b in enumerate(texts)}
