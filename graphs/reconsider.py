"""One round of reconsideration, directed by evidence: on a small lead the members read what is in dispute.

They are shown the passages that the answers in dispute cite, in an order that tells nothing, and neither
answers nor names nor counts. A member changes only by an answer that cites one of those passages; whoever
is unsure, declines, cites nothing or says the same again stays with its first ballots. Those are kept anyway.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from itertools import chain, zip_longest
from math import fsum

from proxycouncil.graphs.confidence import ballots_of
from proxycouncil.graphs.consult import reread
from proxycouncil.graphs.context import CouncilContext, Emit
from proxycouncil.graphs.evidence import checked
from proxycouncil.graphs.grouping import same
from proxycouncil.graphs.state import (
    Assignment,
    Ballot,
    Citation,
    CouncilState,
    ExcerptRecord,
    Group,
    Reconsidered,
    Tally,
)
from proxycouncil.graphs.weighing import canonical_of, seat


def in_dispute(state: CouncilState, tally: Tally, context: CouncilContext) -> list[ExcerptRecord]:
    """What is to be read again before anything is decided; nothing where the lead is clear.

    Nothing, too, where the turn was reconsidered already, or where nobody in dispute cites anything.
    """
    below, before = context.settings.reconsider_below, state.get("reconsidered")
    if not below or (before and before["turn"] == state["turn"]):
        return []
    groups = contested(tally, below)
    ballots = [ballot for ballot in state["ballots"] if ballot["turn"] == state["turn"]]
    return evidence(groups, ballots, question=state["standalone"], limit=context.settings.excerpts)


def margin(tally: Tally) -> float:
    """Lead of the first answer over the next, as a share of the answering weight; 1 where it is alone."""
    shares = _shares(tally)
    return shares[0] - shares[1] if len(shares) > 1 else 1.0


def contested(tally: Tally, below: float) -> list[Group]:
    """The answers whose share is nearer to the first one's than `below`; none where only that one is."""
    shares = _shares(tally)
    near = [group for group, share in zip(tally["groups"], shares, strict=True) if shares[0] - share < below]
    return near if len(near) > 1 else []


def evidence(
    groups: Sequence[Group], ballots: Sequence[Ballot], *, question: str, limit: int
) -> list[ExcerptRecord]:
    """The spans that the answers cite, taken from each in turn up to `limit`, in an order of no meaning."""
    cited = [
        [citation for ballot in ballots_of(group, ballots) for citation in checked(ballot)]
        for group in groups
    ]
    in_turn = (one for one in chain.from_iterable(zip_longest(*cited)) if one is not None)
    spans = {(one["passage_id"], one["start"], one["end"]): one for one in in_turn}
    kept = [_excerpt(one) for one in list(spans.values())[:limit]]
    return sorted(kept, key=lambda one: _lot(question, one))


async def reconsider(state: CouncilState, context: CouncilContext, emit: Emit) -> Reconsidered:
    """Have every live member read what is in dispute."""
    first = [ballot for ballot in state["ballots"] if ballot["turn"] == state["turn"]]
    tally, shown = state["tally"], state["disputed"]
    live = {*tally["answered"], *tally["abstained"]}
    assignments = [
        Assignment(turn=state["turn"], member=name, question=state["standalone"], slate=shown)
        for name in tally["asked"]
        if name in live
    ]
    second = await asyncio.gather(*(reread(assignment, context, emit) for assignment in assignments))
    changed = [ballot["member"] for ballot in second if changes(ballot, first, question=state["standalone"])]
    return Reconsidered(
        turn=state["turn"],
        margin=margin(tally),
        shown=shown,
        first=first,
        second=list(second),
        changed=changed,
    )


def changes(ballot: Ballot, first: Sequence[Ballot], *, question: str) -> bool:
    """Whether a reading takes the place of its member's first ballots."""
    if ballot["status"] != "answered" or ballot["method"] != "steered" or not checked(ballot):
        return False
    said = canonical_of(ballot, question)
    own = [one for one in first if seat(one["member"]) == seat(ballot["member"])]
    before = [one for one in own if one["status"] in ("answered", "abstained")]
    return not all(same(canonical_of(one, question), said) for one in before)


def in_force(round_: Reconsidered) -> list[Ballot]:
    """The ballots that count from now on: first ones, and of whoever changed the second."""
    changed = {seat(name) for name in round_["changed"]}
    kept: list[Ballot] = [one for one in round_["first"] if seat(one["member"]) not in changed]
    return [*kept, *(one for one in round_["second"] if seat(one["member"]) in changed)]


def _shares(tally: Tally) -> list[float]:
    weights = [group["weight"] for group in tally["groups"]]
    total = fsum(weights)
    return [weight / total if total > 0 else 1 / len(weights) for weight in weights]


def _excerpt(citation: Citation) -> ExcerptRecord:
    made = ExcerptRecord(
        passage_id=citation["passage_id"],
        title=citation["title"],
        text=citation["quote"],
        source=citation["source"],
        start=citation["start"],
        end=citation["end"],
        domain=citation["domain"],
        score=0.0,
    )
    if "place" in citation:
        made["place"] = citation["place"]
    return made


def _lot(question: str, excerpt: ExcerptRecord) -> bytes:
    """The same whoever cites it, and however many."""
    key = f"{question}\0{excerpt['passage_id']}\0{excerpt['start']}\0{excerpt['end']}"
    return hashlib.blake2b(key.encode(), digest_size=8).digest()
