"""A poll with its label: which candidates are right, and the fold that its question belongs to.

Knows no files and no rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from proxycouncil.graphs.poll import Poll

FOLDS = 5


@dataclass(frozen=True, slots=True)
class LabelledPoll:
    """One question as it was voted on."""

    id: str
    poll: Poll
    right: frozenset[int] = frozenset()
    """Which candidates are right; empty where none of them is."""
    labelled: bool = True
    """Whether `right` is known at all."""
    question: str = ""
    group: str = ""
    """Questions of one group (about one entry) are never on both sides of a fold; by default the id."""

    def share_right(self, member: str) -> float:
        """The part of a member's vote that went to a right candidate."""
        return sum(self.poll.votes[place].get(member, 0.0) for place in sorted(self.right))

    def only(self, members: Iterable[str]) -> LabelledPoll:
        """What these members alone would have cast."""
        poll = self.poll.only(members)
        kept = {self.poll.candidates[place] for place in self.right}
        right = frozenset(place for place, text in enumerate(poll.candidates) if text in kept)
        return replace(self, poll=poll, right=right)

    @property
    def fold(self) -> int:
        """In 0–4, by the question alone, so that every rule and every file has the same folds."""
        return hashlib.sha256(f"fold{self.group or self.id}".encode()).digest()[0] % FOLDS


def members_of(cases: Sequence[LabelledPoll]) -> tuple[str, ...]:
    """Everybody who was heard in any of the polls, sorted."""
    return tuple(sorted(frozenset[str]().union(*(case.poll.members for case in cases))))
