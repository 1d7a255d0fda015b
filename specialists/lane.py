"""One model and the rows that it is reading or writing.

Knows prompts as token ids and adapters by name; not which request a row belongs to, nor what is done
with its logits. What some row here has read already of a prompt is copied, not read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxycouncil.specialists.cache import RowCache
from proxycouncil.specialists.prefixes import Batch, Start, batches

if TYPE_CHECKING:
    from torch import Tensor

    from proxycouncil.specialists.model import Model

FORWARD_CPU, FORWARD = 16, 256
"""What a forward costs besides its tokens, in tokens: on a processor as measured (`benchmarks.step`), on an
accelerator about as many as can be computed while the weights are read."""


@dataclass(eq=False, slots=True)
class Row:
    """One text in one model."""

    prompt: tuple[int, ...]
    adapter: str
    behind: tuple[int, ...] = ()
    """Tokens written already when the row joins: of a text that had to leave and comes back."""
    opening: Tensor | None = None
    """Logits `[vocab]` after the prompt, kept for rows that begin alike."""

    @property
    def key(self) -> tuple[str, tuple[int, ...]]:
        """Rows of equal keys begin with the same forward."""
        return self.adapter, self.ids

    @property
    def ids(self) -> tuple[int, ...]:
        """What is read when the row joins."""
        return self.prompt + self.behind


class Lane:
    """The rows of one model, in the order of its cache."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.rows: list[Row] = []
        self._cache = RowCache(ordered=model.is_ordered)

    def admit(self, rows: Sequence[Row]) -> Tensor:
        """Read the prompts of new rows, what several begin with once; logits `[new rows, vocab]`."""
        import torch

        known = {row.key for row in self.rows}
        fresh = {row.key: row for row in rows if row.key not in known}
        for batch in batches(list(fresh.values()), self.rows, forward=self._forward_tokens):
            self._read(batch)
        readers = {row.key: place for place, row in reversed(list(enumerate(self.rows)))}
        copies = [row for row in rows if fresh.get(row.key) is not row]
        for row in copies:
            row.opening = self.rows[readers[row.key]].opening
        if copies:
            self._cache.append(self._cache.beginnings([(readers[row.key], len(row.ids)) for row in copies]))
            self.rows += copies
        return torch.stack([row.opening for row in rows if row.opening is not None])

    def begin(self, row: Row) -> RowCache:
        """A cache for a row that is read apart: what some row here has read of it already."""
        reader = next((known for known in self.rows if known.key == row.key), None)
        if reader is not None:
            row.opening = reader.opening
            return self._cache.beginnings([(self.rows.index(reader), len(row.ids))])
        start = batches([row], self.rows, forward=0)[0][0]
        return self._cache.beginnings([self._borrowed(start)])

    def read_on(self, row: Row, cache: RowCache, count: int) -> bool:
        """Read the next `count` tokens of the row's prompt into its own cache; whether all has been read."""
        import torch

        start = cache.lengths[0]
        chunk = row.ids[start : start + count]
        if chunk:
            ids = torch.tensor([chunk], device=self.model.device)
            positions = torch.arange(start, start + len(chunk), device=self.model.device).unsqueeze(0)
            row.opening = self._forward(ids, cache, [len(chunk)], positions, [row])[0, -1]
        return start + len(chunk) == len(row.ids)

    def join(self, row: Row, cache: RowCache) -> None:
        """Put a row that was read apart beside the others."""
        self._cache.append(cache)
        self.rows.append(row)

    def advance(self, tokens: Tensor) -> Tensor:
        """Read more tokens `[rows, new]` in every row; logits `[rows, new, vocab]`, one after each."""
        import torch

        new = tokens.shape[1]
        begins = torch.tensor(self._cache.lengths, device=self.model.device).unsqueeze(1)
        positions = begins + torch.arange(new, device=self.model.device)
        counts = [new] * len(self.rows)
        return self._forward(tokens, self._cache, counts, positions, self.rows, heard=new)

    def retract(self, counts: Sequence[int]) -> None:
        """Forget the last `counts[i]` tokens of row i."""
        if any(counts):
            self._cache.retract(counts)

    def keep(self, rows: Sequence[Row]) -> None:
        """Drop all other rows."""
        if len(rows) == len(self.rows):
            return
        places = {id(row): place for place, row in enumerate(self.rows)}
        self._cache.take([places[id(row)] for row in rows])
        self.rows = list(rows)

    @property
    def _forward_tokens(self) -> int:
        return FORWARD_CPU if self.model.device.type == "cpu" else FORWARD

    def _read(self, batch: Batch[Row]) -> None:
        """Read what is left of some prompts together, and let them join."""
        import torch

        rows = [start.row for start in batch]
        cache = self._cache.beginnings([self._borrowed(start) for start in batch])
        lengths = [len(row.ids) for row in rows]
        width = max(start.rest for start in batch)
        device = self.model.device
        padded = [[0] * (width - len(row.ids)) + list(row.ids[-width:]) for row in rows]
        begins = torch.tensor([[length - width] for length in lengths], device=device)
        positions = (torch.arange(width, device=device) + begins).clamp_min(0)
        rests = [start.rest for start in batch]
        logits = self._forward(torch.tensor(padded, device=device), cache, rests, positions, rows)
        for row, opening in zip(rows, logits[:, -1], strict=True):
            row.opening = opening
        self._cache.append(cache)
        self.rows += rows

    def _borrowed(self, start: Start[Row]) -> tuple[int, int]:
        """Which row here has read the beginning, and how much of it is taken over."""
        return 0 if start.source is None else self.rows.index(start.source), start.shared

    def _forward(
        self,
        ids: Tensor,
        cache: RowCache,
        new: Sequence[int],
        positions: Tensor,
        rows: Sequence[Row],
        *,
        heard: int = 1,
    ) -> Tensor:
        mask = cache.mask(new, ids.device)
        adapters = [row.adapter for row in rows]
        logits = self.model.forward(
            ids, mask=mask, positions=positions, cache=cache.states, adapters=adapters, heard=heard
        )
        cache.lengths = [length + more for length, more in zip(cache.lengths, new, strict=True)]
        return logits
