"""One model and the rows that it is reading or writing.

Knows prompts as token ids and adapters by name; not which request a row belongs to, nor what is done
with its logits. A prompt that some row here has read already is copied, not read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxycouncil.specialists.cache import RowCache

if TYPE_CHECKING:
    from torch import Tensor

    from proxycouncil.specialists.model import Model


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
        self._cache = RowCache()

    def admit(self, rows: Sequence[Row]) -> Tensor:
        """Read the prompts of new rows, each different one once; logits `[new rows, vocab]`."""
        import torch

        readers = {row.key: row for row in reversed(self.rows)}
        fresh = list({row.key: row for row in rows if row.key not in readers}.values())
        known = list({row.key: readers[row.key] for row in rows if row.key in readers}.values())
        cache = self._read(fresh)
        for reader in known:
            cache.append(self._cache.beginning(self.rows.index(reader), len(reader.ids)))
        order = {row.key: place for place, row in enumerate([*fresh, *known])}
        openings = {row.key: row.opening for row in [*fresh, *known]}
        cache.take([order[row.key] for row in rows])
        for row in rows:
            row.opening = openings[row.key]
        self._cache.append(cache)
        self.rows += rows
        return torch.stack([row.opening for row in rows if row.opening is not None])

    def begin(self, row: Row) -> RowCache:
        """A cache for a row that is read apart: empty, or whole if some row here has read the same."""
        reader = next((known for known in self.rows if known.key == row.key), None)
        if reader is None:
            return RowCache([0])
        row.opening = reader.opening
        return self._cache.beginning(self.rows.index(reader), len(row.ids))

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

    def _read(self, rows: Sequence[Row]) -> RowCache:
        """The cache of some prompts, read together; sets their openings."""
        import torch

        cache = RowCache([0] * len(rows))
        if not rows:
            return RowCache()
        lengths = [len(row.ids) for row in rows]
        width = max(lengths)
        device = self.model.device
        padded = [[0] * (width - len(row.ids)) + list(row.ids) for row in rows]
        begins = torch.tensor([[length - width] for length in lengths], device=device)
        positions = (torch.arange(width, device=device) + begins).clamp_min(0)
        logits = self._forward(torch.tensor(padded, device=device), cache, lengths, positions, rows)
        for row, opening in zip(rows, logits[:, -1], strict=True):
            row.opening = opening
        return cache

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
