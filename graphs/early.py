"""When the members still reading can't change the outcome any more. Pure; knows no brake and no clock.

A member counts once all of its readings are in; until then its whole vote is still to come. The lead of the
first group over the next, and over none of these, must exceed everything that is still to come at its best.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum

from proxycouncil.graphs.fitted import FittedVote
from proxycouncil.graphs.state import Ballot, Route, Tally
from proxycouncil.graphs.weighing import seat, seat_weights, tally


def settled(
    ballots: Iterable[Ballot],
    *,
    route: Route,
    turn: str,
    question: str,
    readings: int,
    quorum: int,
    fitted: FittedVote | None = None,
) -> bool:
    """Whether the rest of the council may be stopped.

    Groups are made without similarities here, which can only keep answers apart: where the vote itself finds
    two groups in what is one group here, the lead was smaller than it seemed. The outcome is then still that
    of the members heard.

    Args:
        ballots: those cast so far.
        route: who was asked, and how likely each domain is.
        turn: the turn that is counted.
        question: as it was understood.
        readings: by each member.
        quorum: members that must have been heard before anything is settled.
        fitted: how votes are weighed, where that was fitted; where a rule other than the joint one leads,
            nobody is stopped.
    """
    asked = route["members"]
    cast = [ballot for ballot in ballots if ballot["turn"] == turn]
    done = [name for name in asked if _cast_by(name, cast) >= readings]
    coming = [name for name in asked if name not in done]
    if not coming or not done:
        return False
    heard = [ballot for ballot in cast if any(seat(ballot["member"]) == seat(name) for name in done)]
    count = tally(heard, route=route, turn=turn, asked=asked, question=question)
    if len(count["answered"]) + len(count["abstained"]) < min(quorum, len(asked)):
        return False
    if fitted is None:
        weights = seat_weights(asked, route)
        return lead(count) > fsum(weights[name] for name in coming)
    swings = fitted.swings(asked, route)
    ahead = fitted.lead(fitted.poll(count, heard, route, question=question))
    return fitted.leads == "joint" and ahead > fsum(swings[name] for name in coming)


def lead(count: Tally) -> float:
    """By how much the first group is ahead of the next and of none of these; 0 where it is not ahead."""
    weights = [group["weight"] for group in count["groups"]]
    if not weights or count["p_none"] >= 1:
        return 0.0
    none = fsum(weights) * count["p_none"] / (1 - count["p_none"])
    return max(0.0, weights[0] - max([none, *weights[1:]]))


def _cast_by(name: str, ballots: Sequence[Ballot]) -> int:
    return sum(seat(ballot["member"]) == seat(name) for ballot in ballots)
