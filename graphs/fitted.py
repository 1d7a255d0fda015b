"""A count anew, by weights that were fitted to labelled questions. Pure; the fit comes in as plain data.

The part `vote` of a calibration file: `{"version": 1, "rule": …, "best": member, "weighed": …, "correlation":
…, "pull": …, "joint": {…}}`. The joint rule always gives the probabilities. The answer that leads is its
likeliest one, or another rule's where that was right more often on unseen questions (`eval/fitting.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any, Literal, TypeAlias, cast, get_args

from proxycouncil.errors import ConfigError
from proxycouncil.graphs.joint import JointRule
from proxycouncil.graphs.poll import Poll, poll_of, vote_sizes, weighed_poll
from proxycouncil.graphs.state import Ballot, Group, Route, Tally
from proxycouncil.graphs.weighing import effective_votes

Leads: TypeAlias = Literal["joint", "best", "majority-best", "count"]
"""What names the answer: the joint rule; the best member; most votes, ties to the best member; or the
weights of the route and the evidence, as without a fit."""

VERSION = 1
_REFIT = "fit it again: `council calibrate`"


@dataclass(frozen=True, slots=True)
class FittedVote:
    """How this council's votes are weighed."""

    joint: JointRule
    leads: Leads = "joint"
    best: str = ""
    """The member that was right most often."""
    weighed: bool = False
    """Whether a vote is first weighed by the route and the evidence; else one member has one vote."""
    correlation: float = 0.0
    """Between members of being right, over questions that both were heard on."""
    pull: float = 0.0
    """Of the weights to their common mean, as fitted."""

    def poll(self, tally: Tally, ballots: Sequence[Ballot], route: Route, *, question: str) -> Poll:
        """The votes behind a count, as this fit takes them."""
        if self.weighed:
            return weighed_poll(tally, ballots, route, question=question)
        return poll_of(tally, ballots)

    def recount(self, tally: Tally, ballots: Sequence[Ballot], route: Route, *, question: str) -> Tally:
        """The same groups, weighed and ordered anew, with the probability of each and of none of them.

        Args:
            tally: the count of a turn; its groups are kept.
            ballots: of that turn.
            route: who was asked, and how likely each domain is.
            question: as it was understood.
        """
        poll = self.poll(tally, ballots, route, question=question)
        odds, weights = self.joint.odds(poll), self.joint.scores(poll)[:-1]
        order = self._order(poll)
        total = fsum(weights)
        shares = [weight / total if total > 0 else 1 / len(weights) for weight in weights]
        groups = [
            Group({**tally["groups"][place], "weight": weights[place], "probability": odds.candidates[place]})
            for place in order
        ]
        given = {name: fsum(votes.get(name, 0.0) for votes in poll.votes) for name in tally["answered"]}
        cast_votes = [self.joint.weight(name) * part for name, part in given.items()]
        recounted = {
            **tally,
            "groups": groups,
            "agreement": shares[order[0]] if len(tally["answered"]) > 1 and order else None,
            "p_none": odds.none,
            "n_eff": effective_votes(cast_votes, self.correlation),
            "decisive": self._decisive(poll, tally, route),
            "weighed_by": "fitted",
        }
        return cast(Tally, recounted)

    def plain(self) -> dict[str, Any]:
        """For a calibration file."""
        return {
            "version": VERSION,
            "rule": self.leads,
            "best": self.best,
            "weighed": self.weighed,
            "correlation": self.correlation,
            "pull": self.pull,
            "joint": self.joint.plain(),
        }

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> FittedVote:
        """From plain data, checked."""
        try:
            leads, best, weighed = plain["rule"], str(plain["best"]), bool(plain["weighed"])
            correlation, pull = float(plain["correlation"]), float(plain["pull"])
            joint = JointRule.read(plain["joint"])
        except (KeyError, TypeError, ValueError) as wrong:
            raise ConfigError(f"the calibration of votes is damaged: {wrong!r}", hint=_REFIT) from wrong
        if leads not in get_args(Leads) or not 0.0 <= correlation <= 1.0:
            raise ConfigError("the calibration of votes was written by another version", hint=_REFIT)
        return cls(joint, leads, best, weighed, correlation, pull)

    def lead(self, poll: Poll) -> float:
        """What would have to be added to another slot for it to lead; 0 where no candidate leads."""
        scores = self.joint.scores(poll)
        ordered = sorted(scores[:-1], reverse=True)
        return max(0.0, ordered[0] - max([scores[-1], *ordered[1:]])) if ordered else 0.0

    def swings(self, asked: Sequence[str], route: Route) -> dict[str, float]:
        """By how much each member's whole vote can at most move one slot against another."""
        sizes = vote_sizes(asked, route) if self.weighed else dict.fromkeys(asked, 1.0)
        return {name: self.joint.swing(name) * size for name, size in sizes.items()}

    def _order(self, poll: Poll) -> list[int]:
        """Places of the candidates, the leading one first; ties by voters, then by letters."""
        odds = self.joint.odds(poll).candidates

        def rank(place: int) -> tuple[object, ...]:
            votes = poll.votes[place]
            asked_first: dict[Leads, list[float]] = {
                "joint": [],
                "best": [votes.get(self.best, 0.0)],
                "majority-best": [fsum(votes.values()), votes.get(self.best, 0.0)],
                "count": [fsum(votes.values())],
            }
            numbers = [*asked_first[self.leads], odds[place], float(len(votes))]
            return (*(-round(number, 12) for number in numbers), poll.candidates[place])

        return sorted(range(len(odds)), key=rank)

    def _leader(self, poll: Poll) -> str | None:
        """The leading candidate's words; None where none of them is likelier than it."""
        odds, order = self.joint.odds(poll), self._order(poll)
        return poll.candidates[order[0]] if order and odds.candidates[order[0]] > odds.none else None

    def _decisive(self, poll: Poll, tally: Tally, route: Route) -> list[str]:
        """As `Tally.decisive`: by leaving each member's votes out, or by what a missing one could add."""
        leader, heard = self._leader(poll), poll.members
        swings = self.swings(tally["asked"], route)
        scores = sorted(self.joint.scores(poll), reverse=True)
        lead = scores[0] - scores[1] if len(scores) > 1 else 0.0
        return [
            name
            for name in tally["asked"]
            if (self._leader(poll.only(heard - {name})) != leader if name in heard else swings[name] > lead)
        ]
