"""Ballots → a count: one member one vote, weighed by the route and by the evidence. Pure functions.

What a member's vote weighs: the probability of its domain, shrunk half-way to an equal share so that nobody
who was asked is at zero. The vote is split evenly over the member's own live readings; each part counts as
much as its reading deserves (mean of confidence and support, unmeasured: one half). An abstaining reading
is weight for "none of these" by the same rule. How sure the council is on the whole, `confidence.py` says.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from proxycouncil.graphs.answers import HEDGED, NOTHING, Canonical, canonical
from proxycouncil.graphs.evidence import checked, unsupported
from proxycouncil.graphs.grouping import Entailed, Similarity, group, medoid
from proxycouncil.graphs.leanings import Leanings, leanings
from proxycouncil.graphs.quoting import fits
from proxycouncil.graphs.state import Ballot, CrossScore, Group, Route, Slate, Tally

_log = logging.getLogger(__name__)

SHRINKAGE = 0.5
"""Weight of the equal share against the routing probability."""

UNMEASURED = 0.5
"""Quality of a reading that nothing speaks for or against."""

LEAST = 0.1
"""Quality of the worst reading: a poor answer still is one."""

PRIOR_CORRELATION = 0.44
"""Between votes of members that share a base: nine judges of one kind were worth about two votes, which
by Kish's n/(1+(n−1)ρ) is ρ = 0.44 (arXiv 2605.29800); replaced once it is measured on one's own ballots."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A live ballot with the part of its member's vote that it carries."""

    member: str
    answer: Canonical
    text: str
    weight: float
    passages: tuple[str, ...]
    slate: Slate = "shared"


def tally(
    ballots: Iterable[Ballot],
    *,
    route: Route,
    turn: str,
    asked: Sequence[str],
    question: str = "",
    similarity: Mapping[tuple[str, str], float] | None = None,
    entailed: Entailed | None = None,
    cross: Sequence[CrossScore] = (),
    degraded: bool = False,
) -> Tally:
    """Count the ballots of one turn.

    Args:
        ballots: any; those of other turns or of members that were not asked are dropped and logged.
        route: how likely each domain is.
        turn: the turn that is counted.
        asked: the members, each once however often it is named (case and spaces do not matter).
        question: what was asked, for reading the answers in its light.
        similarity: cosines of answering texts; pairs that are missing count as alike.
        entailed: which answering texts follow from which; None where no model says so.
        cross: how likely readings would have given each answer; their votes are spread over all answers then.
        degraded: something other than a missing member went wrong.
    """
    seats = _seats(asked)
    heard = _heard(ballots, turn, seats)
    weights = seat_weights(seats, route)
    readings = _readings(heard, weights, question)
    answering = [reading for reading in readings if reading.answer.kind != "none"]
    groups = _groups(answering, similarity, entailed)
    leaning: Leanings = {}
    if cross:
        leaning = leanings(cross, [{reading.text for reading in members} for members in groups])
        groups, leaning = _reordered(groups, readings, leaning)
    shares = _Shares.of(groups, readings, seats, leaning)
    answered = {reading.member for reading in answering}
    live = {reading.member for reading in readings}
    deciding, lead = shares.deciding(), shares.lead()
    return Tally(
        groups=[
            _described(members, shares, place, similarity, question) for place, members in enumerate(groups)
        ],
        agreement=shares.agreement() if len(answered) > 1 else None,
        p_none=shares.p_none(),
        n_eff=shares.effective_votes(),
        asked=seats,
        answered=[member for member in seats if member in answered],
        abstained=[member for member in seats if member in live - answered],
        missing=[member for member in seats if member not in live],
        decisive=[
            member for member in seats if (member in deciding if member in live else weights[member] > lead)
        ],
        degraded=degraded or any(not _finished(ballot) for ballot in heard) or len(live) < len(seats),
        grouped_by="words" if entailed is None else "entailment",
        # By member: a retry is no second voice.
        entropy=semantic_entropy([len({one.member for one in members}) for members in groups]),
        weighed_by="route",
    )


def _seats(asked: Sequence[str]) -> list[str]:
    """Each member once, under the first name it was asked by."""
    names: dict[str, str] = {}
    for name in asked:
        names.setdefault(seat(name), name)
    return list(names.values())


def seat(name: str) -> str:
    """What two names of one member have in common."""
    return name.strip().casefold()


def seat_weights(seats: Sequence[str], route: Route) -> dict[str, float]:
    """What each member's vote weighs: its routing probability among those asked, shrunk; the sum is 1.

    A member without a domain of its own, such as the generalist, weighs as the average of those asked.
    """
    if not seats:
        return {}
    equal = 1.0 / len(seats)
    known = {seat(name): _probability(value) for name, value in route["probabilities"].items()}
    chances = [known[seat(name)] for name in seats if seat(name) in known]
    average = fsum(chances) / len(chances) if chances else 1.0
    raw = [known.get(seat(name), average) for name in seats]
    total = fsum(raw)
    return {
        name: SHRINKAGE * equal + (1 - SHRINKAGE) * (value / total if total > 0 else equal)
        for name, value in zip(seats, raw, strict=True)
    }


def quality(ballot: Ballot, answer: Canonical) -> float:
    """What a reading deserves, in [0.1, 1]: the mean of its confidence and its support, as far as measured.

    Citing only what it never read, or orders instead of facts, is no support; an answer that doubts itself
    is believed in that.
    """
    support = 0.0 if unsupported(ballot) else ballot["signals"]["support"]
    measured = [
        value for value in (_signal(ballot["signals"]["confidence"]), _signal(support)) if value is not None
    ]
    mean = fsum(measured) / len(measured) if measured else UNMEASURED
    return max(LEAST, min(mean, HEDGED if answer.hedged else 1.0))


def _heard(ballots: Iterable[Ballot], turn: str, seats: Sequence[str]) -> list[Ballot]:
    """This turn's ballots of members who were asked, under the names they were asked by."""
    names = {seat(name): name for name in seats}
    heard = []
    for ballot in ballots:
        name = names.get(seat(ballot["member"]))
        if ballot["turn"] != turn or name is None:
            _log.warning("dropped a ballot of %s from turn %s", ballot["member"], ballot["turn"])
            continue
        heard.append(ballot if ballot["member"] == name else Ballot({**ballot, "member": name}))
    return heard


def canonical_of(ballot: Ballot, question: str) -> Canonical:
    """What a ballot says, numbers and dates read as its member writes them; nothing where it is no answer."""
    if ballot["status"] != "answered":
        return NOTHING
    return canonical(ballot["text"], question=question, locale=ballot.get("locale", ""))


def _finished(ballot: Ballot) -> bool:
    return ballot["status"] in ("answered", "abstained")


def _readings(heard: Sequence[Ballot], weights: Mapping[str, float], question: str) -> list[Reading]:
    """Live ballots, each with its even part of the member's vote times its quality."""
    live = [ballot for ballot in heard if _finished(ballot)]
    of_member = Counter(ballot["member"] for ballot in live)
    readings = []
    for ballot in live:
        answer = canonical_of(ballot, question)
        part = weights[ballot["member"]] / of_member[ballot["member"]]
        cited = dict.fromkeys(citation["passage_id"] for citation in checked(ballot))
        weight = part * quality(ballot, answer)
        found = Reading(ballot["member"], answer, ballot["text"], weight, tuple(cited), ballot["slate"])
        readings.append(found)
    return readings


def _groups(
    answering: Sequence[Reading],
    similarity: Mapping[tuple[str, str], float] | None,
    entailed: Entailed | None,
) -> list[list[Reading]]:
    """Readings that say the same, the heaviest group first; ties by members, then by what is said."""
    texts = [reading.text for reading in answering]
    found = group(
        [reading.answer for reading in answering], _rows(texts, similarity), texts=texts, entailed=entailed
    )
    groups = [[answering[index] for index in indexes] for indexes in found]
    return sorted(groups, key=_precedence)


def _spread(
    groups: Sequence[Sequence[Reading]], readings: Sequence[Reading], leaning: Leanings
) -> list[dict[str, float]]:
    """Member → weight for every group and, last, for none; a reading that was not scored votes as it said."""
    spread: list[dict[str, float]] = [{} for _ in range(len(groups) + 1)]
    for reading in readings:
        own = next((at for at, members in enumerate(groups) if reading in members), len(groups))
        parts = leaning.get((reading.member, reading.slate)) or [
            float(at == own) for at in range(len(spread))
        ]
        for given, part in zip(spread, parts, strict=True):
            if part:
                given[reading.member] = given.get(reading.member, 0.0) + reading.weight * part
    return spread


def _reordered(
    groups: Sequence[list[Reading]], readings: Sequence[Reading], leaning: Leanings
) -> tuple[list[list[Reading]], Leanings]:
    """Groups by what leans towards them, ties as they stood, and the parts of votes in the same order."""
    weights = [round(fsum(given.values()), 12) for given in _spread(groups, readings, leaning)[:-1]]
    order = sorted(range(len(groups)), key=lambda place: -weights[place])
    moved = {key: [*(parts[at] for at in order), parts[-1]] for key, parts in leaning.items()}
    return [groups[at] for at in order], moved


def _precedence(readings: Sequence[Reading]) -> tuple[float, int, list[tuple[str, str]]]:
    weight = round(fsum(reading.weight for reading in readings), 12)
    members = len({reading.member for reading in readings})
    return -weight, -members, sorted((reading.answer.value, reading.text) for reading in readings)


def _rows(texts: Sequence[str], similarity: Mapping[tuple[str, str], float] | None) -> Similarity | None:
    if similarity is None:
        return None
    return [[similarity.get((a, b), 1.0) for b in texts] for a in texts]


def _described(
    readings: Sequence[Reading],
    shares: _Shares,
    place: int,
    similarity: Mapping[tuple[str, str], float] | None,
    question: str,
) -> Group:
    texts = sorted({reading.text for reading in readings})
    fitting = [at for at, text in enumerate(texts) if not question or fits(question, text)]
    # Of wordings that mean the same one as long as the question wants it is shown, where there is one.
    speaker = texts[medoid(fitting or range(len(texts)), texts, _rows(texts, similarity))]
    value = next(reading.answer.value for reading in readings if reading.text == speaker)
    named = {reading.member for reading in readings}
    return Group(
        text=speaker,
        value=value,
        texts=texts,
        members=[member for member in shares.seats if member in named],
        weight=shares.weight(place),
        passage_ids=sorted({passage for reading in readings for passage in reading.passages}),
    )


@dataclass(frozen=True, slots=True)
class _Shares:
    """Who put how much weight where: groups in order of precedence, and none of them."""

    seats: tuple[str, ...]
    groups: tuple[Mapping[str, float], ...]
    none: Mapping[str, float]
    """Abstentions, and what a member lost to itself by answering differently in another order."""

    @classmethod
    def of(
        cls,
        groups: Sequence[Sequence[Reading]],
        readings: Sequence[Reading],
        seats: Sequence[str],
        leaning: Leanings,
    ) -> _Shares:
        if leaning:
            *spread, declined = _spread(groups, readings, leaning)
            # Leaning both ways is doubt, not a changed mind: nothing of it is taken for none of these.
            return cls(tuple(seats), tuple(spread), {name: declined.get(name, 0.0) for name in seats})
        by_group = tuple(_by_member(members) for members in groups)
        abstained = _by_member([reading for reading in readings if reading.answer.kind == "none"])
        none = {member: abstained.get(member, 0.0) + _flipped(by_group, member) for member in seats}
        return cls(tuple(seats), by_group, none)

    def weight(self, place: int) -> float:
        """Of one group."""
        return fsum(self.groups[place].values())

    def answering(self) -> float:
        """Of all groups."""
        return fsum(weight for group in self.groups for weight in group.values())

    def agreement(self) -> float:
        """Share of the first group in the answering weight."""
        return self.weight(0) / self.answering()

    def p_none(self) -> float:
        """Share of what speaks for none of the groups; 1 where nobody is heard."""
        none = fsum(self.none.values())
        total = none + self.answering()
        return none / total if total > 0 else 1.0

    def effective_votes(self) -> float | None:
        """Of the answering members."""
        return effective_votes(
            [fsum(group.get(member, 0.0) for group in self.groups) for member in self.seats]
        )

    def deciding(self) -> frozenset[str]:
        """The members without whom another group, or none, would lead."""
        leader = self._leader()
        return frozenset(member for member in self.seats if self._leader(without=member) != leader)

    def lead(self) -> float:
        """Weight that would have to come in for another outcome to lead: another answer, or any at all."""
        weights = [self.weight(place) for place in range(len(self.groups))]
        none = fsum(self.none.values())
        if not weights or weights[0] <= none:
            return none - max(weights, default=0.0)
        return weights[0] - max([none, *weights[1:]])

    def _leader(self, without: str | None = None) -> int | None:
        none = fsum(weight for member, weight in self.none.items() if member != without)
        weights = [
            fsum(weight for member, weight in group.items() if member != without) for group in self.groups
        ]
        best = max(range(len(weights)), key=lambda place: (round(weights[place], 12), -place), default=None)
        return best if best is not None and weights[best] > none else None


def effective_votes(votes: Sequence[float], correlation: float = PRIOR_CORRELATION) -> float | None:
    """Kish's number for unequal weights, then for votes correlated by a shared base; None without any."""
    squares = fsum(vote * vote for vote in votes)
    if squares == 0:
        return None
    unequal = fsum(votes) ** 2 / squares
    return unequal / (1 + (unequal - 1) * correlation)


def semantic_entropy(counts: Sequence[int]) -> float:
    """Entropy over meanings (Kuhn et al. 2023) with Chao & Shen's (2003) correction for unseen ones, in nats.

    Args:
        counts: members by meaning. That all are single says little of how many meanings there are; one of
            them is then counted as seen twice, as is usual.
    """
    total = sum(counts)
    if total == 0:
        return 0.0
    single = sum(count == 1 for count in counts)
    coverage = 1.0 - (single - (single == total)) / total
    shares = [coverage * count / total for count in counts]
    return fsum(-share * math.log(share) / (1.0 - (1.0 - share) ** total) for share in shares if share < 1.0)


def _by_member(readings: Sequence[Reading]) -> dict[str, float]:
    members = {reading.member for reading in readings}
    return {
        member: fsum(reading.weight for reading in readings if reading.member == member)
        for member in sorted(members)
    }


def _flipped(groups: Sequence[Mapping[str, float]], member: str) -> float:
    """The part of a member's vote outside of its own leading group."""
    parts = [group[member] for group in groups if member in group]
    return fsum(parts) - max(parts, default=0.0)


def _probability(value: float) -> float:
    return min(max(float(value), 0.0), 1.0) if math.isfinite(value) else 0.0


def _signal(value: float | None) -> float | None:
    """A measured signal; one outside of [0, 1] was measured on another scale and says nothing."""
    return float(value) if value is not None and math.isfinite(value) and 0 <= value <= 1 else None
