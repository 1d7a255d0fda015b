"""A cache layer with spare columns: a new token is written, not the whole cache copied.

transformers' `DynamicLayer` grows by concatenation, which takes a fifth of a small model's decoding step on
a CPU. Imported inside functions only: to extend transformers' layer it has to load it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer

SPARE = 32
"""Columns that are made at once: a short answer."""


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values `[rows, heads, width, size]`: the first columns of buffers with room for more."""

    keys: Tensor
    values: Tensor

    def replace(self, keys: Tensor, values: Tensor) -> None:
        """Hold these from now on."""
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self._buffers = _with_room(keys), _with_room(values)
        self._show(keys.shape[-2])

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """Append columns; returns all keys and all values."""
        if not self.is_initialized:
            self.replace(key_states, value_states)
            return key_states, value_states
        start = self.keys.shape[-2]
        end = start + key_states.shape[-2]
        if end > self._buffers[0].shape[-2]:
            keys, values = torch.cat([self.keys, key_states], -2), torch.cat([self.values, value_states], -2)
            self.replace(keys, values)
        else:
            self._buffers[0][..., start:end, :] = key_states
            self._buffers[1][..., start:end, :] = value_states
            self._show(end)
        return self.keys, self.values

    def rearrange(self, columns: Tensor) -> None:
        """Let column j of row i be what column `columns[i, j]` was."""
        index = columns[:, None, :, None]
        for states in (self.keys, self.values):
            states.copy_(states.gather(-2, index.expand_as(states)))

    def shorten(self, columns: int) -> None:
        """Forget the last columns."""
        if columns:
            self._show(self.keys.shape[-2] - columns)

    def _show(self, width: int) -> None:
        self.keys, self.values = (buffer[..., :width, :] for buffer in self._buffers)


def _with_room(states: Tensor) -> Tensor:
    width = states.shape[-2]
    buffer = states.new_empty((*states.shape[:-2], width + SPARE, states.shape[-1]))
    buffer[..., :width, :] = states
    return buffer
