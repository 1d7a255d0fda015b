"""The key-value cache of one model's rows: left-padded to a common width, joined and dropped between steps.

Every layer is kept in full, sliding-window layers too: their window is the mask's business, and columns
of one row differ by as much as its positions do. Where nothing depends on that, what a row forgets is filled
with its first columns instead of moving all of it. Knows columns and rows; nothing of what they mean.
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

    def __init__(self, lengths: Sequence[int] = (), *, ordered: bool = True) -> None:
        """`ordered`: a row's tokens stand in their order; False: in any, as attention adds them up anyway."""
        from transformers import Cache

        from proxycouncil.specialists.growing_layer import GrowingLayer

        self.states = Cache(layer_class_to_replicate=GrowingLayer)
        self.lengths = list(lengths)
        """Tokens of each row, padding not counted. Counted up by whoever runs the forward."""
        self._ordered = ordered
        self._orders: list[list[int]] = [[] for _ in self.lengths]
        """Of each row, which token its columns hold; those behind the end hold their own."""

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
            self.states, self.lengths, self._orders = other.states, other.lengths, other._orders
            return
        for mine, theirs in zip(self._layers, other._layers, strict=True):
            mine.append(theirs)
        self.lengths += other.lengths
        self._orders += other._orders

    def take(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order, a row as often as it is named; columns that no row needs go."""
        if list(rows) == list(range(len(self.lengths))):
            return
        if not rows:
            empty = RowCache()
            self.states, self.lengths, self._orders = empty.states, [], []
            return
        import torch

        lengths = [self.lengths[row] for row in rows]
        spare = self.width - max(lengths)
        for layer in self._layers:
            index = torch.tensor(rows, device=layer.device)
            layer.replace(layer.keys[index, :, spare:], layer.values[index, :, spare:])
        self.lengths = lengths
        self._orders = [list(self._orders[row]) for row in rows]

    def retract(self, counts: Sequence[int]) -> None:
        """Forget the last `counts[i]` tokens of row i; rows that forget fewer decide where all end.

        Of an unordered cache only what was read since the last call: before that, the last column need not
        hold the last token.
        """
        spare, width = min(counts), self.width
        begins = [width - length for length in self.lengths]
        self.lengths = [length - count for length, count in zip(self.lengths, counts, strict=True)]
        gaps = [count - spare for count in counts]
        if any(gaps):
            if self._ordered:
                self._shift(gaps)
            else:
                self._fill(gaps, begins)
        for layer in self._layers:
            layer.shorten(spare)

    def _shift(self, gaps: Sequence[int]) -> None:
        """Move rows to the right."""
        import torch

        shift = torch.tensor(gaps, device=self._layers[0].device).unsqueeze(1)
        columns = (torch.arange(self.width, device=shift.device) - shift).clamp_min(0)
        for layer in self._layers:
            layer.rearrange(columns)

    def _fill(self, gaps: Sequence[int], begins: Sequence[int]) -> None:
        """Put the first tokens of each row, which begins at that column, into the gap behind its last."""
        import torch

        moves: list[tuple[int, int, int]] = []
        for row, (gap, begin) in enumerate(zip(gaps, begins, strict=True)):
            order, length = self._orders[row], self.lengths[row]
            order = [*order[:length], *range(len(order), length)]
            # A text shorter than its gap moves as a whole.
            count = min(gap, length)
            moves += [(row, begin + at, begin + max(gap, length) + at) for at in range(count)]
            self._orders[row] = [*order[count:], *order[:count]] if gap else self._orders[row][:length]
        rows, sources, targets = torch.tensor(moves, device=self._layers[0].device).unbind(1)
        for layer in self._layers:
            layer.move(rows, sources, targets)

    def beginnings(self, parts: Sequence[tuple[int, int]]) -> RowCache:
        """A cache of new rows, each of them the first tokens of a row here: which row, and how many."""
        copy = RowCache([count for _, count in parts], ordered=self._ordered)
        width = max(copy.lengths)
        if width:
            columns = [self._columns(row, count) for row, count in parts]
            for number, layer in enumerate(self._layers):
                keys, values = (
                    _copied(one, parts, columns, width=width) for one in (layer.keys, layer.values)
                )
                copy.states.update(keys, values, number)
        return copy

    def _columns(self, row: int, count: int) -> slice | list[int]:
        """Where the first `count` tokens of a row stand."""
        start, order = self.width - self.lengths[row], self._orders[row]
        if not order:
            return slice(start, start + count)
        places = {token: start + at for at, token in enumerate(order)}
        return [places.get(token, start + token) for token in range(count)]

    def mask(self, new: Sequence[int], device: torch.device) -> Tensor | None:
        """`[rows, width + columns]`, False on padding, for `new[i]` more tokens in row i (None: without)."""
        import torch

        columns = self.width + max(new)
        padding = [columns - length - more for length, more in zip(self.lengths, new, strict=True)]
        if not any(padding):
            return None
        return torch.arange(columns, device=device) >= torch.tensor(padding, device=device).unsqueeze(1)


def _copied(
    states: Tensor, parts: Sequence[tuple[int, int]], columns: Sequence[slice | list[int]], *, width: int
) -> Tensor:
    """`[parts, heads, width, size]`: these columns of some rows, ending at the last."""
    made = states.new_zeros((len(parts), states.shape[1], width, states.shape[-1]))
    for at, ((row, count), found) in enumerate(zip(parts, columns, strict=True)):
        made[at, :, width - count :] = states[row][:, found]
    return made
