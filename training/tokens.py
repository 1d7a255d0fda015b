"""Token ids as they lie on disk: exercises with their answers' lengths, and running text.

Knows arrays and files. Knows nothing of words, cases or models.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from proxycouncil.specialists.exercises import Exercise

Ids: TypeAlias = NDArray[np.uint16]


@dataclass(slots=True)
class Exercises(Sequence[Exercise]):
    """Prompts with answers, one after the other; `ends` and `answers` are in tokens."""

    ids: Any
    ends: Any
    answers: Any

    @classmethod
    def empty(cls) -> Exercises:
        """None yet."""
        return cls(array("H"), array("Q"), array("H"))

    @classmethod
    def load(cls, path: Path) -> Exercises:
        """Those in a file written by `save`."""
        with np.load(path) as stored:
            return cls(stored["ids"], stored["ends"], stored["answers"])

    def append(self, prompt: Sequence[int], answer: Sequence[int], *, longest: int) -> None:
        """Add one, unless it is longer than `longest`."""
        if len(prompt) + len(answer) > longest:
            return
        self.ids.extend((*prompt, *answer))
        self.ends.append(len(self.ids))
        self.answers.append(len(answer))

    def save(self, path: Path) -> None:
        """Write a compressed `.npz`."""
        np.savez_compressed(
            path,
            ids=np.asarray(self.ids, np.uint16),
            ends=np.asarray(self.ends, np.int64),
            answers=np.asarray(self.answers, np.uint16),
        )

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 (a sequence's overloads: here only int is used)
        start = int(self.ends[index - 1]) if index else 0
        ids = [int(token) for token in self.ids[start : int(self.ends[index])]]
        return Exercise(input_ids=ids, answer_length=int(self.answers[index]))

    def length(self, index: int) -> int:
        """Tokens of one exercise."""
        return int(self.ends[index]) - (int(self.ends[index - 1]) if index else 0)


@dataclass(frozen=True, slots=True)
class Text:
    """Running text."""

    ids: Ids

    @classmethod
    def of(cls, paragraphs: Iterable[Sequence[int]]) -> Text:
        """Paragraphs joined."""
        joined = array("H")
        for paragraph in paragraphs:
            joined.extend(paragraph)
        return cls(np.asarray(joined, np.uint16))

    @classmethod
    def load(cls, path: Path) -> Text:
        """That in a file written by `save`."""
        with np.load(path) as stored:
            return cls(stored["ids"])

    def save(self, path: Path) -> None:
        """Write a compressed `.npz`."""
        np.savez_compressed(path, ids=self.ids)
