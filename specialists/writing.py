"""Tokens to text as they come: whole characters only, and nothing of a stop string.

Knows the tokenizer's decoder; nothing of why a token was chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class TextWriter:
    """The text of one generation. What `push` and `finish` return adds up to `text`."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        stops: Sequence[str] = (),
        after: Sequence[int] = (),
        trim: bool = False,
    ) -> None:
        """`after`: ids that stand before the text; `trim`: white space at its beginning is not part of it."""
        from tokenizers.decoders import DecodeStream

        self._tokenizer = tokenizer
        self._stops = tuple(stop for stop in stops if stop)
        self._decoder = DecodeStream(ids=list(after), skip_special_tokens=True)
        self._trim = trim
        self._decoded = ""
        self._shown = 0
        self.stopped = False
        """A stop string was written; the text ends before it."""

    @property
    def text(self) -> str:
        """What was handed out so far."""
        return self._decoded[: self._shown]

    def push(self, token: int) -> str:
        """Take a token; returns what can be shown for certain."""
        piece = self._decoder.step(self._tokenizer, token) or ""
        if self._trim and not self._decoded:
            piece = piece.lstrip()
        self._decoded += piece
        self._cut()
        return self._show(len(self._decoded) - (0 if self.stopped else self._held_back()))

    def finish(self) -> str:
        """No more tokens come; returns what was held back."""
        return self._show(len(self._decoded))

    def _cut(self) -> None:
        found = [at for stop in self._stops if (at := self._decoded.find(stop)) >= 0]
        if found:
            self.stopped = True
            self._decoded = self._decoded[: min(found)]

    def _held_back(self) -> int:
        """Length of the longest end of the text that may be the beginning of a stop string."""
        return max(
            (
                size
                for stop in self._stops
                for size in range(1, len(stop))
                if self._decoded.endswith(stop[:size])
            ),
            default=0,
        )

    def _show(self, until: int) -> str:
        new = self._decoded[self._shown : until]
        self._shown = max(self._shown, until)
        return new
