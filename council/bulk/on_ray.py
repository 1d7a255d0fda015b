"""Rows answered by a pool of councils under Ray Data, one a worker.

A worker that dies is started again and its block of rows asked again: none of them was handed over, so none
is answered twice. Knows Ray Data; journal and files stay with whoever asks.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from proxycouncil.council.bulk.asking import Answered, Row, ask_rows
from proxycouncil.council.cluster import import_ray
from proxycouncil.errors import CouncilError

if TYPE_CHECKING:
    from proxycouncil.council.council import Council

_LEAST, _MOST = 4, 256
_BLOCKS_A_WORKER = 16
"""So that workers end at about the same time, however unlike the questions are."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Councils side by side."""

    workers: int = 2
    at_once: int = 4
    """Rows in flight in each."""
    cpus: float = 1.0
    gpus: float = 0.0
    """Of each."""


def ask_rows_on_ray(
    opener: Callable[[], Council],
    rows: Iterable[Row],
    count: int,
    *,
    pool: Pool,
    members: tuple[str, ...] = (),
) -> Iterator[Answered]:
    """As `ask_rows`, by many councils on the cluster that Ray is connected to.

    Args:
        opener: makes each worker's council; is sent to it.
        rows: read to the end before the first is answered.
        count: how many there are; blocks are made accordingly.
        pool: how many workers of what size.
        members: ask just those.

    Raises:
        CouncilError: a worker's council can't be used.
    """
    import_ray()
    import ray.data

    size = max(_LEAST, min(_MOST, count // (pool.workers * _BLOCKS_A_WORKER)))
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    answered = ray.data.from_arrow(list(_blocks(rows, size))).map_batches(
        Asker,
        fn_constructor_args=(opener, members, pool.at_once),
        compute=ray.data.ActorPoolStrategy(size=pool.workers),
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=pool.cpus,
        num_gpus=pool.gpus,
    )
    try:
        for batch in answered.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            for told in batch.to_pylist():
                yield told["row"], json.loads(told["answer"])
    except ray.exceptions.RayError as error:
        if isinstance(cause := getattr(error, "cause", None), CouncilError):
            raise cause from error
        raise


class Asker:
    """One worker: opens its council with the first block, and keeps it."""

    def __init__(self, opener: Callable[[], Council], members: tuple[str, ...], at_once: int) -> None:
        self._opener, self._members, self._at_once = opener, members, at_once
        self._council: Council | None = None

    def __call__(self, block: Any) -> Any:  # noqa: ANN401 (pyarrow.Table, which has no types)
        """Answer every row of a block."""
        import pyarrow as pa

        if self._council is None:
            self._council = self._opener()
        rows = zip(block["row"].to_pylist(), block["question"].to_pylist(), strict=True)
        told = list(ask_rows(self._council, rows, members=self._members, at_once=self._at_once))
        return _table(pa, [(row, json.dumps(answer)) for row, answer in told], "answer")


def _blocks(rows: Iterable[Row], size: int) -> Iterator[Any]:
    import pyarrow as pa

    waiting = iter(rows)
    while some := list(islice(waiting, size)):
        yield _table(pa, some, "question")


def _table(pa: Any, rows: list[tuple[int, str]], column: str) -> Any:  # noqa: ANN401 (no types)
    numbers, texts = [row for row, _ in rows], [text for _, text in rows]
    return pa.table({"row": pa.array(numbers, pa.int64()), column: pa.array(texts, pa.string())})
