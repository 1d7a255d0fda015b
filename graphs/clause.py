"""A clause as it is compared: in the active voice, "b and a" as "a and b". Knows places of tokens alone."""

from __future__ import annotations

from collections.abc import Callable


class Clause:
    """The tokens of one clause as they come; says them as if it were in the active voice."""

    def __init__(self, rank: Callable[[int], str]) -> None:
        self.rank = rank
        self.run: list[int] = []
        self.joined = self.listed = False
        self.subject: list[int] = []
        self.rest: list[int] = []
        self.agent: list[int] = []
        self.passive = self.in_agent = self.done_to = False

    def verb_begins(self) -> None:
        """After a form of "be"; what stood before it is the subject, unless there is one."""
        if not self.passive and not self.subject:
            self._close()
            self.subject, self.rest = self.rest, []
        self.passive = True

    def agent_begins(self) -> None:
        """After the "by" of a passive."""
        self._close()
        self.passive, self.in_agent, self.done_to = False, True, True

    def agent_ends(self) -> None:
        """At a preposition or mark."""
        self._close()
        self.in_agent = False

    def add(self, index: int) -> None:
        """A token with a meaning; "b and a" reads as "a and b"."""
        if not self.joined:
            self._close()
        self.joined = False
        self.run.append(index)

    def join(self, *, listed: bool) -> None:
        """A comma or an "and" follows what was said last."""
        self.joined = bool(self.run)
        self.listed = self.listed or (listed and bool(self.run))

    def _close(self) -> None:
        run = sorted(self.run, key=self.rank) if self.listed else self.run
        (self.agent if self.in_agent else self.rest).extend(run)
        self.run, self.joined, self.listed = [], False, False

    def read(self) -> list[int]:
        """Agent, verb, subject, rest; as they came where the voice is active."""
        self._close()
        if not self.done_to:
            return self.subject + self.rest
        return self.agent + self.rest[:1] + self.subject + self.rest[1:]
