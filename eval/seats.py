"""One or many, on a council's own runs: what its first k members would have said, and what they cost.

A council asks whom the router chose, the likeliest first and the generalist last, so its sizes are the
beginnings of that order: the first seat is the top-routed specialist, whoever that was. Knows saved runs and
rules; asks nobody again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean
from typing import Any

from proxycouncil.eval.dependence import mean_correlation
from proxycouncil.eval.polls import LabelledPoll
from proxycouncil.eval.revote import revote
from proxycouncil.eval.rules import RULES, Rule
from proxycouncil.graphs.poll import Poll
from proxycouncil.graphs.weighing import seat


def seat_sizes(
    cases: Sequence[LabelledPoll], records: Sequence[Mapping[str, Any]], *, joint: Rule
) -> list[dict[str, float]]:
    """Councils of the first 1 to all members asked, a row each; rules are fitted to seats, in five folds.

    A question on which fewer were asked keeps those it has, and costs no more.

    Args:
        cases: labelled polls.
        records: the runs they come from, in the same order.
        joint: the rule that is set beside the best seat and the majority.
    """
    orders = [[seat(name) for name in record["route"]["members"]] for record in records]
    seated = [_by_seat(case, order) for case, order in zip(cases, orders, strict=True)]
    most = max((len(order) for order in orders), default=0)
    return [_row(seated, records, orders, size, joint) for size in range(1, most + 1)]


def _row(
    seated: Sequence[LabelledPoll],
    records: Sequence[Mapping[str, Any]],
    orders: Sequence[Sequence[str]],
    size: int,
    joint: Rule,
) -> dict[str, float]:
    seats = [_name(place) for place in range(size)]
    part = [case.only(seats) for case in seated]
    rules = {"joint": joint, "majority": RULES["majority-best"], "best": RULES["best"]}
    found = {name: float(revote(part, rule, members=seats).right.mean()) for name, rule in rules.items()}
    costs = [_cost(record, order[:size]) for record, order in zip(records, orders, strict=True)]
    row = {"size": size, "councils": 1} | found
    row |= {
        "n_eff": size / (1 + (size - 1) * mean_correlation(part, seats)),
        "none_right": mean(not case.right for case in part),
        "readings": mean(readings for readings, _ in costs),
    }
    # Runs that were saved before ballots had their usage say nothing of tokens.
    return row | (
        {"tokens": mean(tokens for _, tokens in costs)} if all(tokens for _, tokens in costs) else {}
    )


def _cost(record: Mapping[str, Any], members: Sequence[str]) -> tuple[int, int]:
    """Readings of these members and the tokens they read and wrote."""
    ballots = [ballot for ballot in record["ballots"] if seat(ballot["member"]) in members]
    used = [ballot.get("usage") or {} for ballot in ballots]
    tokens = sum(one.get("prompt_tokens", 0) + one.get("completion_tokens", 0) for one in used)
    return len(ballots), tokens


def _by_seat(case: LabelledPoll, order: Sequence[str]) -> LabelledPoll:
    """The poll with every member under the name of its seat."""
    names = {name: _name(place) for place, name in enumerate(order)}
    poll = case.poll
    return replace(
        case,
        poll=Poll(
            poll.candidates,
            tuple(_renamed(votes, names) for votes in poll.votes),
            _renamed(poll.abstained, names),
        ),
    )


def _renamed(votes: Mapping[str, float], names: Mapping[str, str]) -> dict[str, float]:
    return {names[seat(name)]: share for name, share in votes.items() if seat(name) in names}


def _name(place: int) -> str:
    return f"seat {place + 1}"
