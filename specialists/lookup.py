"""Drafts for nothing: where the last tokens stand in what was read, what followed there may follow again.

Prompt lookup (Saxena 2023). Answers that quote their passages are mostly such spans. Pure functions over
ids.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST, SHORTEST = 4, 2
"""Tokens of context that must agree; one alone agrees by chance."""


def look_up(read: Sequence[int], written: Sequence[int], count: int) -> list[int]:
    """At most `count` tokens behind the last place in `read + written` that ends like `written` does."""
    known = [*read, *written]
    for size in range(min(LONGEST, len(written)), SHORTEST - 1, -1):
        ending = known[-size:]
        for start in range(len(known) - size - 1, -1, -1):
            if known[start : start + size] == ending:
                return known[start + size : start + size + count]
    return []
