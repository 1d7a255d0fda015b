"""One question's votes as numbers: which part of whose vote every candidate answer got. Plain data.

Knows neither texts nor weights: what means the same was settled before, what a vote is worth comes after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from proxycouncil.graphs.confidence import ballots_of
from proxycouncil.graphs.leanings import leanings
from proxycouncil.graphs.state import Ballot, Route, Tally
from proxycouncil.graphs.weighing import canonical_of, quality, seat, seat_weights


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
    return _poll(tally, ballots, lambda _: 1.0)


def weighed_poll(tally: Tally, ballots: Sequence[Ballot], route: Route, *, question: str) -> Poll:
    """As `poll_of`, each part as heavy as the route and the evidence make it; an average seat's vote is 1.

    What a reading loses by poor evidence goes nowhere: it is less of a vote, not an abstention.
    """
    seats = {seat(name): size for name, size in vote_sizes(tally["asked"], route).items()}

    def size(ballot: Ballot) -> float:
        return seats[seat(ballot["member"])] * quality(ballot, canonical_of(ballot, question))

    return _poll(tally, ballots, size)


def vote_sizes(asked: Sequence[str], route: Route) -> dict[str, float]:
    """What each seat's vote is worth at best where votes are weighed by the route; the mean is 1."""
    return {name: weight * len(asked) for name, weight in seat_weights(asked, route).items()}


def _poll(tally: Tally, ballots: Sequence[Ballot], size: Callable[[Ballot], float]) -> Poll:
    names = {seat(name): name for name in tally["asked"]}
    live = [
        ballot
        for ballot in ballots
        if ballot["status"] in ("answered", "abstained") and seat(ballot["member"]) in names
    ]
    counts = Counter(seat(ballot["member"]) for ballot in live)
    sizes = [size(ballot) / counts[seat(ballot["member"])] for ballot in live]
    spread = _spread(tally, live)

    def summed(place: int) -> dict[str, float]:
        total: dict[str, float] = {}
        for ballot, whole, parts in zip(live, sizes, spread, strict=True):
            if parts[place]:
                name = names[seat(ballot["member"])]
                total[name] = total.get(name, 0.0) + whole * parts[place]
        return total

    return Poll(
        candidates=tuple(group["text"] for group in tally["groups"]),
        votes=tuple(summed(place) for place in range(len(tally["groups"]))),
        abstained=summed(-1),
    )


def _spread(tally: Tally, ballots: Sequence[Ballot]) -> list[Sequence[float]]:
    """For every ballot the parts of its vote, by group and last for none: all for its own, or as it leans."""
    groups = tally["groups"]
    scores = tally.get("cross_scores", []) if tally.get("voted_by") == "cross_scores" else []
    leaning = leanings(scores, [group["texts"] for group in groups])
    places = [len(groups) if place is None else place for place in (_place(one, tally) for one in ballots)]
    return [
        leaning.get((ballot["member"], ballot["slate"]))
        or [float(at == place) for at in range(len(groups) + 1)]
        for ballot, place in zip(ballots, places, strict=True)
    ]


def _place(ballot: Ballot, tally: Tally) -> int | None:
    """The group that holds a live ballot; None where it is for none of them."""
    if ballot["status"] != "answered":
        return None
    holding = (place for place, group in enumerate(tally["groups"]) if ballots_of(group, [ballot]))
    return next(holding, None)
