"""A base behind a completions server, steered by small models here: requests in, streams of events out.

Knows consumers, one thread for the small models, and when to give up. What a round does is `rounds`'
business.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from proxycouncil.closing import AsyncClosing
from proxycouncil.errors import EngineClosedError, EngineError, RemoteBaseGoneError
from proxycouncil.specialists.job import Job
from proxycouncil.specialists.pace import Pace
from proxycouncil.specialists.remote.client import Client, Server
from proxycouncil.specialists.remote.inspection import check_manners, check_vocabulary, filler_of
from proxycouncil.specialists.remote.recall import Recall
from proxycouncil.specialists.remote.rounds import Rounds
from proxycouncil.specialists.remote.small import SmallModels
from proxycouncil.specialists.request import Event, FinishReason, Generation, Request

if TYPE_CHECKING:
    from proxycouncil.specialists.family import Family
    from proxycouncil.specialists.runner import Written

T = TypeVar("T")


class RemoteBase(AsyncClosing):
    """Writes as `Engine` does, with a base that is seen only through a server.

    `family` has no base of its own: the anti-expert's tokenizer and prompt format are the base's, too, which
    three requests before the first text make sure of. `drafts` as for `Engine`: every draft is one more
    prompt in a request, and saves a request where it is right. `sleep` and `draw` are what pauses between
    tries are made of. Close it, or use it as a context manager.
    """

    def __init__(
        self,
        family: Family,
        server: Server,
        *,
        recall: Recall | None = None,
        drafts: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.family, self.server, self.recall = family, server, recall or Recall()
        self.pace = Pace(fixed=drafts)
        """How far drafting looks ahead, and how often it is right."""
        self.requests = 0
        """Sent to the server so far, retries counted."""
        self._clock, self._sleep, self._draw = clock, sleep, draw
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="proxycouncil-remote")
        self._closed = self._compared = False
        self._running = 0

    async def generate(self, request: Request) -> AsyncGenerator[Event, None]:
        """Yield text as it is written and, last, exactly one `Generation`.

        A server that is gone ends the text with an error, or leaves the rest to the expert (`recall`).

        Raises:
            EngineError: the request can never run, or the server can't serve it (`RemoteBaseError`).
            FamilyError: an expert is unknown, a model can't be loaded, or the server's vocabulary is another.
        """
        events: list[Event] = []
        job = Job(request, lambda item: events.append(_event(item)), self._clock())
        filler = await self._work(partial(self._prepare, job))
        job.started = self._clock()
        async with Client(self.server, filler=filler, sleep=self._sleep, draw=self._draw) as client:
            self._running += 1
            try:
                rounds = await self._begin(job, client)
                reason = None
                while reason is None:
                    reason = await self._round(job, rounds)
                    for event in _taken(events):
                        yield _told(event, rounds)
            finally:
                self._running -= 1
                self.requests += client.requests

    async def complete(self, request: Request) -> Generation:
        """The whole text at once; raises what `generate` raises."""
        async with aclosing(self.generate(request)) as events:
            async for event in events:
                if isinstance(event, Generation):
                    return event
        raise EngineError(f"the stream of request {request.id} broke off")

    def close(self) -> None:
        """End the thread of the small models; texts in flight fail. May be called twice."""
        self._closed = True
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _prepare(self, job: Job) -> int:
        """Make the job ready; returns a token for servers that must write something."""
        import torch

        if self.family.is_small:
            torch.set_num_threads(1)
        if job.request.sampling.repetition_penalty != 1.0:
            raise EngineError(
                "a repetition penalty divides logits, and a server tells log-probabilities",
                hint="leave repetition_penalty at 1 with a remote base",
            )
        if job.request.sampling.grammar is not None:
            raise EngineError(
                "a grammar needs the logits of all tokens, and a server tells those of a few",
                hint="ask without a schema, or load the base here (family.base_url left out)",
            )
        job.prepare(self.family)
        return filler_of(self.family.part(self.family.main).format.encoder)

    async def _begin(self, job: Job, client: Client) -> Rounds:
        """Read the prompt."""
        text = job.require_text()
        soloist = text.main if job.request.solo else None
        read = partial(SmallModels, text, width=self.family.width, ends=self.family.end_ids, soloist=soloist)
        rounds = Rounds(text, await self._work(read), client, self.recall, self._work, soloist)
        job.first = self._clock()
        return rounds

    async def _compare(self, rounds: Rounds) -> None:
        """See once that the server means the same by its ids and tells what steering needs."""
        encoder = rounds.text.main.part.format.encoder
        with suppress(RemoteBaseGoneError):  # the round meets it again, and knows whether anybody may go on
            await check_vocabulary(rounds.client, self.family.tokenizer)
            await check_manners(rounds.client, encoder)
            self._compared = True

    async def _round(self, job: Job, rounds: Rounds) -> FinishReason | None:
        """Write on; why the text has ended, if it has. The consumer of an ended text is told so."""
        reason: FinishReason | None
        error: str | None = None
        try:
            async with asyncio.timeout(self._left(job)):
                written = await self._written(job, rounds)
                reason = job.accept(written, self.family.end_ids)
                if reason is None:
                    await self._work(partial(rounds.small.keep, [one.token for one in written]))
        except TimeoutError:
            reason = "deadline"
        except RemoteBaseGoneError as gone:
            reason, error = "error", str(gone)
        if reason is not None:
            job.finish(reason, self._clock(), error)
        return reason

    async def _written(self, job: Job, rounds: Rounds) -> list[Written]:
        if rounds.soloist is None and not self._compared:
            await self._compare(rounds)
        began, text = self._clock(), job.require_text()
        count = self.pace.choose(self._running, max(0, text.spare))
        before = text.drafted, text.accepted
        written = await rounds.write(count)
        drafted, accepted = text.drafted - before[0], text.accepted - before[1]
        if rounds.soloist is None:
            self.pace.judge(min(accepted + 1, drafted), accepted)
            self.pace.note(count, self._running, self._clock() - began)
        return written

    def _left(self, job: Job) -> float | None:
        """Seconds until the deadline."""
        limit = job.request.deadline_s
        return None if limit is None else max(0.0, limit - (self._clock() - job.submitted))

    async def _work(self, task: Callable[[], T]) -> T:
        """Do torch's work where all of it is done."""
        if self._closed:
            raise EngineClosedError("the remote base was closed", hint="make a new RemoteBase")
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(_inferring, task))


def _inferring(task: Callable[[], T]) -> T:
    import torch

    with torch.inference_mode():
        return task()


def _event(item: Event | Exception) -> Event:
    if isinstance(item, Exception):
        raise item
    return item


def _taken(events: list[Event]) -> Iterator[Event]:
    while events:
        yield events.pop(0)


def _told(event: Event, rounds: Rounds) -> Event:
    """A generation with what only the rounds know: what is certain in it, and who wrote it."""
    if not isinstance(event, Generation):
        return event
    count = len(event.token_ids)
    trace = replace(
        event.trace, certified=_first(rounds.certified, count), unseen=_first(rounds.unseen, count)
    )
    return replace(event, trace=trace, alone=rounds.alone)


def _first(values: Sequence[T], count: int) -> tuple[T, ...]:
    return tuple(values[:count])
