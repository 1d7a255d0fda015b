"""The asynchronous front of steered decoding: requests in, streams of events out.

Knows event loops and consumers; the models belong to its worker's thread.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, TypeVar

from proxycouncil.closing import AsyncClosing
from proxycouncil.errors import EngineError
from proxycouncil.specialists.job import Job
from proxycouncil.specialists.memory import hand_back, is_out_of_memory
from proxycouncil.specialists.pace import Pace
from proxycouncil.specialists.request import Event, Generation, Likelihood, Request
from proxycouncil.specialists.scoring import Scored, chunks, likelihoods, prepare
from proxycouncil.specialists.worker import Worker

if TYPE_CHECKING:
    from proxycouncil.specialists.family import Family

T = TypeVar("T")


class Engine(AsyncClosing):
    """Decodes the requests of any number of consumers, from any event loop, together.

    Nothing is loaded and no thread runs before the first request. `max_rows` texts are written at once,
    the others wait; `threads` is torch's number of threads (by default 1 for a family of under 100 M
    parameters, else torch's own choice). `drafts` tokens are written ahead by the experts and verified by
    the base in one forward, which changes no token: a number for always so many (0: none), None for as many
    as pay by the clock. `memory` bounds the caches of all texts at once, in bytes: what does not fit waits.
    Close it, or use it as a context manager.
    """

    def __init__(
        self,
        family: Family,
        *,
        max_rows: int = 32,
        threads: int | None = None,
        drafts: int | None = None,
        memory: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.family = family
        self._clock, self._memory = clock, memory
        self.pace = Pace(fixed=drafts)
        """How far drafting looks ahead, and how often it is right."""
        self._worker = Worker(
            family, max_rows=max_rows, threads=threads, pace=self.pace, memory=memory, clock=clock
        )
        self._finalizer = weakref.finalize(self, self._worker.stop)

    @property
    def rows(self) -> int:
        """Rows in the caches of all models, as they were a step ago."""
        return self._worker.rows

    async def generate(self, request: Request) -> AsyncGenerator[Event, None]:
        """Yield text as it is written and, last, exactly one `Generation`.

        A consumer that goes away frees its rows within a step.

        Raises:
            EngineError: the request can never run (`PromptTooLongError`: its prompt does not fit), or the
                engine was closed (`EngineClosedError`).
            FamilyError: an expert is unknown, or a model can't be loaded.
        """
        mailbox = _Mailbox()
        job = Job(request, mailbox.send, self._clock())
        self._worker.submit(job)
        try:
            while True:
                item = await mailbox.receive()
                if isinstance(item, Exception):
                    raise item
                yield item
                if isinstance(item, Generation):
                    return
        finally:
            self._worker.abandon(job)

    async def complete(self, request: Request) -> Generation:
        """The whole text at once; raises what `generate` raises."""
        async with aclosing(self.generate(request)) as events:
            async for event in events:
                if isinstance(event, Generation):
                    return event
        raise EngineError(f"the stream of request {request.id} broke off")

    async def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[list[Likelihood]]:
        """How likely each text is to be written behind its request's prompt, under that request's steering.

        Prompts, pairs, solo and plausibility of the requests count; how they would be sampled does not.
        Everything is read in one batched forward of each model, between two steps of what is being written;
        in several where logits or memory ask for it. Behind a `Prompt` a text is a whole answer, scored with
        the token that ends it; behind a bare string it is just text.

        Args:
            requests: what the texts stand behind; ids and deadlines are of no account.
            continuations: for every request, its texts.

        Raises:
            EngineError: a request or a text that can't be scored (`PromptTooLongError`: it does not fit), or
                the engine was closed.
            FamilyError: an expert is unknown, or a model can't be loaded.
        """
        if len(requests) != len(continuations):
            raise EngineError(
                f"{len(requests)} requests, texts for {len(continuations)}", hint="give every request a list"
            )
        scored = await self._call(lambda: prepare(self.family, requests, continuations))
        found = [[Likelihood((), ())] * len(texts) for texts in continuations]
        width = self.family.width if scored else 0
        for chunk in chunks(scored, width=width, memory=self._memory):
            for one, likelihood in zip(chunk, await self._score(chunk), strict=True):
                found[one.request][one.place] = likelihood
        return found

    async def _score(self, chunk: Sequence[Scored]) -> list[Likelihood]:
        """Read together; where memory runs out, one half after the other."""
        try:
            return await self._call(lambda: likelihoods(self.family, chunk))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if len(chunk) < 2:
                raise EngineError(f"a text can't be scored: {error}", hint="read less before it") from error
        await self._call(hand_back)
        half = len(chunk) // 2
        return [*await self._score(chunk[:half]), *await self._score(chunk[half:])]

    async def _call(self, task: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._worker.call(task))

    def cancel(self, request_id: str) -> None:
        """End a request within a step: its stream ends with what was written. Unknown ids are ignored."""
        self._worker.cancel(request_id)

    def close(self) -> None:
        """End the worker's thread; streams in flight raise `EngineClosedError`. May be called twice."""
        self._finalizer.detach()
        self._worker.stop()


class _Mailbox:
    """From the worker's thread to a consumer in its own event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[Event | Exception] = asyncio.Queue()

    def send(self, item: Event | Exception) -> None:
        """From any thread; a consumer whose loop has ended hears nothing."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._items.put_nowait, item)

    async def receive(self) -> Event | Exception:
        return await self._items.get()
