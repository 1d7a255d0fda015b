"""The same question as somebody types it in a hurry: lower case, no question mark, small words gone, slips.

Knows text and a seed; used to fit and to measure what must not hang on tidy spelling.
"""

from __future__ import annotations

import random

_SMALL_WORDS = frozenset("the a an of in is are was were do does did to".split())
_SHORTEST_WITH_SLIP = 5


def with_slips(text: str, *, seed: int, drop: float = 0.3, slip: float = 0.07) -> str:
    """The text in lower case without its question mark.

    Every small word is left out with probability `drop`, every word of at least five letters is misspelt
    with probability `slip`: two neighbouring letters swapped, or one lost. The same text and seed give the
    same slips.
    """
    draw = random.Random(f"{seed}:{text}")
    words = text.lower().rstrip("?!. ").split()
    kept = [word for word in words if word not in _SMALL_WORDS or draw.random() >= drop]
    return " ".join(_misspelt(word, draw) if draw.random() < slip else word for word in kept) or text


def _misspelt(word: str, draw: random.Random) -> str:
    if len(word) < _SHORTEST_WITH_SLIP:
        return word
    at = draw.randrange(1, len(word) - 1)
    if draw.random() < 0.5:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :]
