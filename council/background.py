"""One event loop on one thread: where a council runs, whoever calls it from wherever.

Engine, checkpointer and locks belong to one loop; synchronous callers, callers inside a running loop and
callers from several loops all submit to it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable, Iterator
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")

Work: TypeAlias = Callable[[Callable[[T], None]], Coroutine[Any, Any, object]]
"""A coroutine function that puts things out while it runs."""

_DONE = object()


class BackgroundLoop:
    """Starts with the first coroutine, ends with `close()`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run the coroutine on the loop; cancelling the future cancels it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._running())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine on the loop and wait; an interrupt while waiting cancels it."""
        future = self.submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stream(self, work: Work[T]) -> Generator[T, None, None]:
        """What the work puts out, as it does; raises what it raises. Closing the iterator cancels it."""
        items: queue.SimpleQueue[Any] = queue.SimpleQueue()
        future = self.submit(work(items.put))
        future.add_done_callback(lambda _: items.put(_DONE))
        try:
            while (item := items.get()) is not _DONE:
                yield item
            future.result()
        finally:
            future.cancel()

    async def astream(self, work: Work[T]) -> AsyncGenerator[T, None]:
        """As `stream`, for the running loop of whoever listens."""
        items: asyncio.Queue[Any] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def put(item: object) -> None:
            loop.call_soon_threadsafe(items.put_nowait, item)

        future = self.submit(work(put))
        future.add_done_callback(lambda _: put(_DONE))
        try:
            while (item := await items.get()) is not _DONE:
                yield item
            future.result()
        finally:
            future.cancel()

    def in_order(self, coroutines: Iterable[Coroutine[Any, Any, T]], *, at_once: int) -> Iterator[T]:
        """Results in the order of the coroutines, `at_once` of them under way; closing cancels those."""
        waiting: deque[concurrent.futures.Future[T]] = deque()
        try:
            for coroutine in coroutines:
                waiting.append(self.submit(coroutine))
                if len(waiting) >= at_once:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """Cancel what still runs, stop the loop and wait for its thread."""
        with self._starting:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(_cancel_others(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
                self._thread.start()
            return self._loop


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()
