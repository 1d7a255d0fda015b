"""The key-value cache of one model's rows: left-padded to a common width, joined and dropped between steps.

Every layer is kept in full, sliding-window layers too: their window is the mask's business, and columns
of one row differ by as much as its positions do. Knows columns and rows; nothing of what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from proxycouncil.specialists.growing_layer import GrowingLayer


class RowCache:
    """Keys and values `[rows, heads, width, size]` per layer; row i ends at the last column."""

    def __init__(self, lengths: Sequence[int] = ()) -> None:
        from transformers import Cache

        from proxycouncil.specialists.growing_layer import GrowingLayer

        self.states = Cache(layer_class_to_replicate=GrowingLayer)
        self.lengths = list(lengths)
        """Tokens of each row, padding not counted. Counted up by whoever runs the forward."""

    @property
    def width(self) -> int:
        """Columns: the longest row and what padding is left of longer ones."""
        return int(self.states.get_seq_length())

    @property
    def _layers(self) -> list[GrowingLayer]:
        layers: list[Any] = self.states.layers
        return layers

    def append(self, other: RowCache) -> None:
        """Put the rows of another cache below these; the other one must not be used any more."""
        if not self.lengths:
            self.states, self.lengths = other.states, other.lengths
            return
        for mine, theirs in zip(self._layers, other._layers, strict=True):
            mine.append(theirs)
        self.lengths += other.lengths

    def take(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order, a row as often as it is named; columns that no row needs go."""
        if list(rows) == list(range(len(self.lengths))):
            return
        if not rows:
            empty = RowCache()
            self.states, self.lengths = empty.states, empty.lengths
            return
        import torch

        lengths = [self.lengths[row] for row in rows]
        spare = self.width - max(lengths)
        for layer in self._layers:
            index = torch.tensor(rows, device=layer.device)
            layer.replace(layer.keys[index, :, spare:], layer.values[index, :, spare:])
        self.lengths = lengths

    def retract(self, counts: Sequence[int]) -> None:
        """Forget the last `counts[i]` tokens of row i; rows that forget fewer move to the right."""
        spare, width = min(counts), self.width
        self.lengths = [length - count for length, count in zip(self.lengths, counts, strict=True)]
        if any(count != spare for count in counts):
            import torch

            shift = torch.tensor(counts, device=self._layers[0].device).unsqueeze(1) - spare
            columns = (torch.arange(width, device=shift.device) - shift).clamp_min(0)
            for layer in self._layers:
                layer.rearrange(columns)
        for layer in self._layers:
            layer.shorten(spare)

    def beginnings(self, parts: Sequence[tuple[int, int]]) -> RowCache:
        """A cache of new rows, each of them the first tokens of a row here: which row, and how many."""
        copy = RowCache([count for _, count in parts])
        width = max(copy.lengths)
        if width:
            starts = [self.width - self.lengths[row] for row, _ in parts]
            for number, layer in enumerate(self._layers):
                keys, values = (
                    _copied(one, parts, starts, width=width) for one in (layer.keys, layer.values)
                )
                copy.states.update(keys, values, number)
        return copy

    def mask(self, new: Sequence[int], device: torch.device) -> Tensor | None:
        """`[rows, width + columns]`, False on padding, for `new[i]` more tokens in row i (None: without)."""
        import torch

        columns = self.width + max(new)
        padding = [columns - length - more for length, more in zip(self.lengths, new, strict=True)]
        if not any(padding):
            return None
        return torch.arange(columns, device=device) >= torch.tensor(padding, device=device).unsqueeze(1)


def _copied(states: Tensor, parts: Sequence[tuple[int, int]], starts: Sequence[int], *, width: int) -> Tensor:
    """`[parts, heads, width, size]`: the first columns of some rows, whose texts begin at `starts`."""
    made = states.new_zeros((len(parts), states.shape[1], width, states.shape[-1]))
    for at, ((row, count), start) in enumerate(zip(parts, starts, strict=True)):
        made[at, :, width - count :] = states[row, :, start : start + count]
    return made
