"""Drafts for nothing: where the last tokens stand in what was read, what followed there may follow again.

Prompt lookup (Saxena 2023). Answers that quote their passages are mostly such spans. Knows
ids only.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST, SHORTEST = 4, 2
"""Tokens of context that must agree; one alone agrees by chance."""


class Lookup:
    """Where each few tokens were last followed by another: grows with the text, so a step costs no search."""

    def __init__(self, read: Sequence[int]) -> None:
        self._known: list[int] = []
        self._behind: dict[tuple[int, ...], int] = {}
        self._read = len(read)
        self._extend(read)

    def ahead(self, written: Sequence[int], count: int) -> list[int]:
        """At most `count` tokens behind the last place in what is read and written that ends like `written`.

        `written` is what it was when last asked, and more.
        """
        self._extend(written[len(self._known) - self._read :])
        for size in range(min(LONGEST, len(written)), SHORTEST - 1, -1):
            place = self._behind.get(tuple(self._known[-size:]))
            if place is not None:
                return self._known[place : place + count]
        return []

    def _extend(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            end = len(self._known)
            for size in range(SHORTEST, min(LONGEST, end) + 1):
                self._behind[tuple(self._known[end - size :])] = end
            self._known.append(token)
