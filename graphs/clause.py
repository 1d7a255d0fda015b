"""A clause as it is compared: in the active voice, "b and a" as "a and b". Knows places of tokens alone."""

from __future__ import annotations

from collections.abc import Callable


class Clause:
    """The tokens of one clause as they come; says them as if it were in the active voice."""

    def __init__(self, rank: Callable[[int], str]) -> None:
        self.rank = rank
        self.joined = self.listed = False
        self.start = 0
        """Where the last run of tokens begins that only commas and "and" divide."""
        self.subject: list[int] = []
        self.rest: list[int] = []
        self.agent: list[int] = []
        self.target = self.rest
        self.passive = self.done_to = False

    @property
    def in_agent(self) -> bool:
        """Whether what comes belongs to who did it."""
        return self.target is self.agent

    def verb_begins(self) -> None:
        """After a form of "be"; what stood before it is the subject, unless there is one."""
        if not self.passive and not self.subject and not self.in_agent:
            self._settle()
            self.subject, self.rest = self.rest, []
            self.target = self.rest
        self.passive = True

    def agent_begins(self) -> None:
        """After the "by" of a passive."""
        self._settle()
        self.passive, self.done_to, self.target = False, True, self.agent

    def agent_ends(self) -> None:
        """At a preposition or mark."""
        self._settle()
        self.target = self.rest

    def add(self, index: int) -> None:
        """A token with a meaning; "b and a" reads as "a and b"."""
        if not self.joined:
            self._settle()
            self.start = len(self.target)
        self.joined = False
        self.target.append(index)

    def join(self, *, listed: bool) -> None:
        """A comma or an "and" follows what was said last."""
        if self.target:
            self.joined, self.listed = True, self.listed or listed

    def read(self) -> list[int]:
        """Agent, verb, subject, rest; as they came where the voice is active."""
        self._settle()
        if not self.done_to:
            return self.subject + self.rest
        return self.agent + self.rest[:1] + self.subject + self.rest[1:]

    def _settle(self) -> None:
        if self.listed:
            self.target[self.start :] = sorted(self.target[self.start :], key=self.rank)
        self.joined = self.listed = False
