"""What each step sees: cases of like lengths together, or rows of running text; the same for the same seed.

Knows tokens and a curriculum of lengths. Knows nothing of models, losses or time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from proxycouncil.specialists.exercises import Batch, Collator
from training.tokens import Exercises, Text

if TYPE_CHECKING:
    from numpy.random import Generator

_WINDOW = 64
"""Batches that are sorted by length together: enough for like lengths, few enough to stay random."""


@dataclass(slots=True)
class CaseBatches:
    """Batches of exercises in a shuffled order, epoch after epoch; one too long for now is passed over.

    `position` counts exercises taken from the order, so that a run goes on where it stopped.
    """

    exercises: Exercises
    size: int
    collate: Collator
    seed: int
    position: int = 0

    def window(self, longest: int) -> Iterator[Batch]:
        """The next batches, at most `longest` tokens wide, in random order."""
        chosen: list[int] = []
        draw = np.random.default_rng((self.seed, self.position))
        while len(chosen) < _WINDOW * self.size:
            index = self._next()
            if self.exercises.length(index) <= longest:
                chosen.append(index)
        chosen.sort(key=self.exercises.length)
        for start in _starts(len(chosen), self.size, draw):
            yield self.collate([self.exercises[index] for index in chosen[start : start + self.size]])

    def _next(self) -> int:
        epoch, offset = divmod(self.position, len(self.exercises))
        self.position += 1
        return int(_order(len(self.exercises), self.seed, epoch)[offset])


@dataclass(slots=True)
class TextBatches:
    """Rows of running text, every token of which is to be predicted."""

    text: Text
    size: int
    width: int
    seed: int
    position: int = 0

    def next(self) -> Batch:
        """The next rows, from random places."""
        import torch

        draw = np.random.default_rng((self.seed, self.position))
        self.position += self.size
        places = draw.integers(0, len(self.text.ids) - self.width, self.size)
        rows = np.stack([self.text.ids[place : place + self.width] for place in places]).astype(np.int64)
        ids = torch.from_numpy(rows)
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "position_ids": torch.arange(self.width).expand_as(ids),
            "labels": ids,
            "logits_to_keep": self.width,
        }


def in_order(exercises: Exercises, size: int, collate: Collator) -> Iterator[Batch]:
    """All exercises once, by length."""
    order = sorted(range(len(exercises)), key=exercises.length)
    for start in range(0, len(order), size):
        yield collate([exercises[index] for index in order[start : start + size]])


def _starts(count: int, size: int, draw: Generator) -> Sequence[int]:
    return [int(start) * size for start in draw.permutation(count // size)]


_ORDERS: dict[tuple[int, int, int], np.ndarray] = {}


def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    key = (count, seed, epoch)
    if key not in _ORDERS:
        _ORDERS.clear()
        _ORDERS[key] = np.random.default_rng((seed, epoch)).permutation(count)
    return _ORDERS[key]
