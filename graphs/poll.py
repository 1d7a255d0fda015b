"""One question's votes as numbers: which part of whose vote every candidate answer got. Plain data.

Knows neither texts nor weights: what means the same was settled before, what a vote is worth comes after.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from proxycouncil.graphs.confidence import ballots_of
from proxycouncil.graphs.state import Ballot, Tally
from proxycouncil.graphs.weighing import seat


@dataclass(frozen=True, slots=True)
class Poll:
    """The candidates of one question, in an order that does not depend on who voted first."""

    candidates: tuple[str, ...]
    """One wording for every group of answers that mean the same."""
    votes: tuple[Mapping[str, float], ...]
    """For every candidate, member → part of its one vote, in (0, 1]."""
    abstained: Mapping[str, float]
    """Member → part of its vote that went to none of the candidates."""

    @property
    def members(self) -> frozenset[str]:
        """Everybody who was heard."""
        return frozenset(self.abstained).union(*self.votes)

    def only(self, members: Iterable[str]) -> Poll:
        """What these members alone would have cast."""
        kept = frozenset(members)
        votes = [{name: part for name, part in candidate.items() if name in kept} for candidate in self.votes]
        places = [place for place, candidate in enumerate(votes) if candidate]
        return Poll(
            candidates=tuple(self.candidates[place] for place in places),
            votes=tuple(votes[place] for place in places),
            abstained={name: part for name, part in self.abstained.items() if name in kept},
        )


def poll_of(tally: Tally, ballots: Sequence[Ballot]) -> Poll:
    """The votes behind a count: every member's one vote, split evenly over its own live ballots."""
    live = [ballot for ballot in ballots if ballot["status"] in ("answered", "abstained")]
    names = {seat(name): name for name in tally["asked"]}
    parts = {
        name: 1.0 / count
        for key, name in names.items()
        if (count := sum(seat(ballot["member"]) == key for ballot in live))
    }
    votes = tuple(_summed(ballots_of(group, live), names, parts) for group in tally["groups"])
    given = {name: sum(candidate.get(name, 0.0) for candidate in votes) for name in parts}
    return Poll(
        candidates=tuple(group["text"] for group in tally["groups"]),
        votes=votes,
        abstained={name: 1.0 - part for name, part in given.items() if 1.0 - part > 1e-9},
    )


def _summed(
    ballots: Iterable[Ballot], names: Mapping[str, str], parts: Mapping[str, float]
) -> dict[str, float]:
    total: dict[str, float] = {}
    for ballot in ballots:
        name = names.get(seat(ballot["member"]))
        if name is not None:
            total[name] = total.get(name, 0.0) + parts[name]
    return total
