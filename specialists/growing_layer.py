"""A cache layer with spare columns: a new token is written, not the whole cache copied.

transformers' `DynamicLayer` grows by concatenation, which takes a fifth of a small model's decoding step on
a CPU. Imported inside functions only: to extend transformers' layer it has to load it.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from transformers.cache_utils import DynamicLayer

SPARE = 32
"""Columns that are made at once: a short answer."""


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values `[rows, heads, width, size]`: the first columns of buffers with room for more."""

    keys: Tensor
    values: Tensor

    def replace(self, keys: Tensor, values: Tensor, *, room: int = SPARE) -> None:
        """Hold these from now on, with room for so many more columns."""
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        width = keys.shape[-2]
        self._buffers = _made((keys,), width, room), _made((values,), width, room)
        self._show(width)

    def append(self, other: GrowingLayer) -> None:
        """Put another layer's rows below these, which end at the same column; it holds nothing afterwards."""
        width = max(self.keys.shape[-2], other.keys.shape[-2])
        self._buffers = (
            _made((self.keys, other.keys), width, SPARE),
            _made((self.values, other.values), width, SPARE),
        )
        self._show(width)
        other.release()

    def release(self) -> None:
        """Hold nothing any more."""
        empty = self.keys.new_empty((0, *self.keys.shape[1:]))
        self._buffers = empty, empty
        self._show(0)

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """Append columns; returns all keys and all values."""
        if not self.is_initialized:
            self.replace(key_states, value_states)
            return key_states, value_states
        start, new = self.keys.shape[-2], key_states.shape[-2]
        if start + new > self._buffers[0].shape[-2]:
            self.replace(self.keys, self.values, room=new + SPARE)
        self._buffers[0][..., start : start + new, :] = key_states
        self._buffers[1][..., start : start + new, :] = value_states
        self._show(start + new)
        return self.keys, self.values

    def rearrange(self, columns: Tensor) -> None:
        """Let column j of row i be what column `columns[i, j]` was."""
        index = columns[:, None, :, None]
        for states in (self.keys, self.values):
            states.copy_(states.gather(-2, index.expand_as(states)))

    def move(self, rows: Tensor, sources: Tensor, targets: Tensor) -> None:
        """Copy single columns within their rows: `sources[i]` of row `rows[i]` to `targets[i]`."""
        for states in (self.keys, self.values):
            states[rows, :, targets] = states[rows, :, sources]

    def shorten(self, columns: int) -> None:
        """Forget the last columns."""
        if columns:
            self._show(self.keys.shape[-2] - columns)

    def _show(self, width: int) -> None:
        self.keys, self.values = (buffer[..., :width, :] for buffer in self._buffers)


def _made(blocks: Sequence[Tensor], width: int, room: int) -> Tensor:
    """Blocks of rows below each other in a buffer of `width` columns and room for more, in one copy.

    Columns left of a narrower block are zero: nobody looks at them, but what is not looked at may not be NaN.
    """
    rows, first = sum(map(len, blocks)), blocks[0]
    buffer = first.new_empty((rows, first.shape[1], width + room, first.shape[-1]))
    begin = 0
    for block in blocks:
        part, missing = buffer[begin : begin + len(block)], width - block.shape[-2]
        part[..., :missing, :] = 0
        part[..., missing:width, :] = block
        begin += len(block)
    return buffer
