"""Asks every reading how likely it would have given every answer, all in one batch.

"Would you have said this?": each live reading scores the answers of all, and saying that the passages do not
hold it, under its own passages and steering. Knows state, context and the generator; not what the scores are
used for.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

from proxycouncil.errors import NotSupportedError
from proxycouncil.graphs.brief import Brief
from proxycouncil.graphs.context import CouncilContext, Settings
from proxycouncil.graphs.protocols import Scorer
from proxycouncil.graphs.state import Ballot, CouncilState, CrossScore, Usage
from proxycouncil.specialists.cases import REFUSAL
from proxycouncil.specialists.request import Likelihood, Request

_log = logging.getLogger(__name__)

TRUE, FALSE = "Is that answer true? Yes", "Is that answer true? No"
"""What follows an answer where its truth is asked; the two differ in their last word alone."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What came of asking."""

    found: tuple[CrossScore, ...] = ()
    failed: bool = False
    """It was tried and went wrong; a generator that can't score is no failure."""


def wanted(settings: Settings) -> bool:
    """Whether answers are to be scored at all."""
    return settings.cross_scoring or bool(settings.signals)


async def cross_scores(state: CouncilState, context: CouncilContext, answers: Sequence[str]) -> Scores:
    """Every live reading's scores of the answers; none where nobody answered, or nothing can score.

    Whatever goes wrong, a vote does without.
    """
    generator, texts = context.generator, [text for text in answers if text.strip()]
    if not texts or not isinstance(generator, Scorer):
        return Scores()
    try:
        async with asyncio.timeout(context.settings.deadline_s):
            return Scores(tuple(await _scored(state, context, generator, texts)))
    except NotSupportedError:
        return Scores()
    except Exception:  # noqa: BLE001 - whatever a generator raises, a vote does without
        _log.warning("answers can't be scored, ballots alone are counted", exc_info=True)
        return Scores(failed=True)


async def _scored(
    state: CouncilState, context: CouncilContext, generator: Scorer, texts: Sequence[str]
) -> list[CrossScore]:
    readings = _live(state, context)
    requests = await asyncio.gather(*(_request(state, ballot, context) for ballot in readings))
    declined = {ballot["text"] for ballot in readings if ballot["status"] == "abstained"}
    none = sorted({REFUSAL, *(text for text in declined if text.strip())})
    truth = [f"{text} {end}" for text in texts for end in (TRUE, FALSE)]
    asked = [*texts, *none, *(truth if "p_true" in context.settings.signals else [])]
    found = await generator.score(requests, [asked] * len(requests))
    return [
        _told(ballot, dict(zip(asked, likelihoods, strict=True)), texts, none)
        for ballot, likelihoods in zip(readings, found, strict=True)
    ]


def _live(state: CouncilState, context: CouncilContext) -> list[Ballot]:
    """One ballot for every reading that was heard; two of a member on one slate read the same."""
    live = [
        ballot
        for ballot in state["ballots"]
        if ballot["turn"] == state["turn"]
        and ballot["status"] in ("answered", "abstained")
        and ballot["member"] in context.members
    ]
    return list({(ballot["member"], ballot["slate"]): ballot for ballot in live}.values())


async def _request(state: CouncilState, ballot: Ballot, context: CouncilContext) -> Request:
    """The reading as it was asked."""
    disputed = ballot["slate"] == "disputed"
    given = state["reconsidered"]["shown"] if disputed else state["slate"]
    member = context.members[ballot["member"]]
    brief = Brief(member, ballot["slate"], state["standalone"], given, context)
    return await brief.request(await brief.excerpts())


def _told(
    ballot: Ballot, likelihoods: dict[str, Likelihood], texts: Sequence[str], none: Sequence[str]
) -> CrossScore:
    score = CrossScore(
        member=ballot["member"],
        slate=ballot["slate"],
        logprobs={text: likelihoods[text].mean_logprob for text in texts},
        none=max(likelihoods[text].mean_logprob for text in none),
    )
    if "usage" in ballot:
        read = sum(len(likelihood.token_ids) for likelihood in likelihoods.values())
        prompt = ballot["usage"]["prompt_tokens"]
        score["usage"] = Usage(prompt_tokens=prompt + read, completion_tokens=0)
    calls = {text: (f"{text} {TRUE}", f"{text} {FALSE}") for text in texts}
    if all(yes in likelihoods for yes, _ in calls.values()):
        score["p_true"] = {
            text: _odds(likelihoods[yes].total - likelihoods[no].total) for text, (yes, no) in calls.items()
        }
    return score


def _odds(difference: float) -> float:
    """The logistic function; both totals hold the same answer, which falls out of the difference."""
    return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, difference))))
