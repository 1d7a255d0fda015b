"""Where retrieval helps, where tuning helps, what order and number of excerpts cost, what α does.

Knows questions, slates and readers; refuses to know what a model is made of.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median
from time import perf_counter
from typing import Any, Literal, TypeAlias, get_args

from proxycouncil.eval.arms import Shelf
from proxycouncil.eval.metrics import is_right, wilson
from proxycouncil.eval.reader import Reader, Task, said, steered
from proxycouncil.eval.reading import ReadingSet
from proxycouncil.eval.splits import Question
from proxycouncil.graphs.state import ExcerptRecord

Order: TypeAlias = Literal["best first", "best last", "shuffled"]
MOST_EXCERPTS = 6
ALPHAS = tuple(step / 4 for step in range(9))
"""0 to 2."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Questions with the six best sentences found for each, and the readers that are compared."""

    questions: Sequence[Question]
    shelf: Shelf
    slates: Sequence[Sequence[ExcerptRecord]]
    readers: Mapping[str, Reader]

    @classmethod
    def over(cls, questions: Sequence[Question], shelf: Shelf, readers: Mapping[str, Reader]) -> Sweep:
        """Search once for all."""
        wide = replace(shelf, excerpts=MOST_EXCERPTS)
        return cls(questions, shelf, [wide.find(question.text) for question in questions], readers)

    def four(self) -> Iterator[dict[str, Any]]:
        """Tuning × retrieval: each reader without anything to read, and with the usual slate."""
        for book, count in (("closed", 0), ("open", self.shelf.excerpts)):
            for name in self.readers:
                yield {"reader": name, "book": book, **self._right(name, count, "best first")}

    def orders(self) -> Iterator[dict[str, Any]]:
        """Each reader with one to six excerpts in three orders."""
        for name in self.readers:
            for order in get_args(Order):
                for count in range(1, MOST_EXCERPTS + 1):
                    yield {
                        "reader": name,
                        "order": order,
                        "excerpts": count,
                        **self._right(name, count, order),
                    }

    def _right(self, reader: str, count: int, order: Order) -> dict[str, Any]:
        tasks = [
            self.shelf.task(question.text, arranged(slate[:count], order, seed=question.id))
            for question, slate in zip(self.questions, self.slates, strict=True)
        ]
        texts = [said(generation) for generation in self.readers[reader].read(tasks)]
        right = [
            is_right(text, question.accepted, question.kind)
            for text, question in zip(texts, self.questions, strict=True)
        ]
        return {"right": asdict(wilson(sum(right), len(right)))}


def arranged(slate: Sequence[ExcerptRecord], order: Order, *, seed: str) -> list[ExcerptRecord]:
    """The excerpts in the order they are read."""
    if order == "best last":
        return list(reversed(slate))
    return list(slate) if order == "best first" else random.Random(seed).sample(slate, len(slate))


def alpha_curve(reader: Reader, cases: ReadingSet) -> Iterator[dict[str, Any]]:
    """Share of the reading set that is right at each α."""
    for alpha in ALPHAS:
        right, declined = cases.right(replace(reader, steering=steered(alpha)))
        yield {
            "alpha": alpha,
            "right": asdict(wilson(sum(right), len(right))),
            "declined": asdict(wilson(sum(declined), len(declined))),
        }


def cost(
    readers: Mapping[str, Reader],
    tasks: Sequence[Task],
    *,
    rounds: int = 3,
    clock: Callable[[], float] = perf_counter,
) -> dict[str, Any]:
    """Tokens a second of each reader, prompts included in the time: medians of interleaved rounds."""
    speeds: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name, reader in readers.items():
            began = clock()
            written = sum(len(generation.token_ids) for generation in reader.read(tasks))
            speeds[name].append(written / (clock() - began))
    return {name: round(median(found), 1) for name, found in speeds.items()}
