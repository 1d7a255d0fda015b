"""A long prompt, read piece by piece between the steps of others, so that nobody waits for all of it.

Knows one text's rows and their lanes; nothing of when pieces are read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxycouncil.specialists.lane import Lane
    from proxycouncil.specialists.model import Model
    from proxycouncil.specialists.text import Text

PIECE = 512
"""Tokens of a prompt that are read at once."""


class Reading:
    """How far the rows of one text have come; they join their lanes together, once all are read."""

    def __init__(self, text: Text, lane_of: Callable[[Model], Lane]) -> None:
        self.text = text
        voices = [(lane_of(voice.part.model), voice.row) for voice in text.voices]
        self._rows = [(lane, row, lane.begin(row)) for lane, row in voices]

    def read_on(self) -> bool:
        """Read one piece in every model; whether the text has joined."""
        read = [lane.read_on(row, cache, PIECE) for lane, row, cache in self._rows]
        if not all(read):
            return False
        for lane, row, cache in self._rows:
            lane.join(row, cache)
        return True
