"""The thread that owns the models: takes commands between steps, runs steps, tells consumers.

Knows commands, jobs and time; nothing of event loops. An exception while preparing a request ends that
request; one in a step ends every text in flight, and the thread goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from proxycouncil.errors import CouncilError, EngineClosedError, EngineError
from proxycouncil.specialists.job import Job
from proxycouncil.specialists.memory import hand_back, is_out_of_memory
from proxycouncil.specialists.pace import Pace
from proxycouncil.specialists.request import FinishReason
from proxycouncil.specialists.runner import Runner, Written
from proxycouncil.specialists.scheduler import Scheduler
from proxycouncil.specialists.text import Text

if TYPE_CHECKING:
    from proxycouncil.specialists.family import Family

T = TypeVar("T")
Command = Callable[[], None]


class Worker:
    """One daemon thread, started by the first job and ended by `stop`."""

    def __init__(
        self,
        family: Family,
        *,
        max_rows: int,
        threads: int | None,
        pace: Pace,
        memory: int | None,
        clock: Callable[[], float],
    ) -> None:
        self._family, self._threads, self._clock = family, threads, clock
        self._commands: SimpleQueue[Command] = SimpleQueue()
        self._memory = memory
        self._scheduler = Scheduler(max_rows, memory=memory)
        self._runner = Runner(family, pace, clock=clock)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._known: set[str] = set()
        self._stopping = False

    @property
    def rows(self) -> int:
        """Rows in the caches of all models."""
        return self._runner.rows

    def submit(self, job: Job) -> None:
        """Hand a job over.

        Raises:
            EngineClosedError: the worker was stopped.
            EngineError: a request with this id is in flight.
        """
        with self._lock:
            if self._stopping:
                raise closed()
            if job.request.id in self._known:
                raise EngineError(f"request {job.request.id} is in flight already", hint="give it another id")
            self._known.add(job.request.id)
            self._command(lambda: self._prepare(job))

    def call(self, task: Callable[[], T]) -> Future[T]:
        """Have something done between two steps, where all of torch's work is done.

        Raises:
            EngineClosedError: the worker was stopped; so does the future of a task that it left undone.
        """
        future: Future[T] = Future()

        def carry_out() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                if self._stopping:
                    raise closed()
                future.set_result(task())
            except Exception as error:  # noqa: BLE001 - it is raised where the result is waited for
                future.set_exception(error)

        with self._lock:
            if self._stopping:
                raise closed()
            self._command(carry_out)
        return future

    def cancel(self, request_id: str) -> None:
        """End a request; its consumer gets what was written."""
        self._commands.put(lambda: self._cancel(request_id))

    def abandon(self, job: Job) -> None:
        """Free the rows of a request whose consumer has gone."""
        self._commands.put(lambda: self._leave(job))

    def stop(self) -> None:
        """End the thread; requests in flight are told that the engine is closed."""
        with self._lock:
            self._stopping = True
            thread = self._thread
        self._commands.put(lambda: None)
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _command(self, command: Command) -> None:
        """Under the lock: put it into the queue, and have somebody there who looks."""
        self._commands.put(command)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="proxycouncil-engine", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        import torch

        threads = self._threads or (1 if self._family_is_small() else None)
        if threads is not None:
            torch.set_num_threads(threads)
        with torch.inference_mode():
            while not self._stopping:
                self._obey()
                self._step()
        self._obey_waiting()
        for job in self._scheduler.jobs:
            job.send(closed())

    def _family_is_small(self) -> bool:
        try:
            return self._family.is_small
        except CouncilError:
            return False  # the same error meets every request when it is prepared

    def _obey(self) -> None:
        """Carry out all commands; wait for one if there is nothing else to do."""
        if not self._scheduler.jobs:
            self._commands.get()()
        self._obey_waiting()

    def _obey_waiting(self) -> None:
        while True:
            try:
                command = self._commands.get_nowait()
            except Empty:
                return
            command()

    def _step(self) -> None:
        self._end_late()
        try:
            if self._runner.is_reading:
                self._accept(self._runner.read_on())
                self._write()
            elif not self._read():
                self._write()
        except Exception as error:  # noqa: BLE001 - whatever it is, its requests must end and the thread live
            if is_out_of_memory(error) and self._give_way():
                return
            self._fail(error)

    def _read(self) -> bool:
        jobs = self._scheduler.admit()
        if not jobs:
            return False
        start = self._clock()
        for job in jobs:
            job.started = job.started or start
        if jobs[0].is_long:
            self._runner.begin(jobs[0].require_text())
        else:
            self._accept(self._runner.prefill([job.require_text() for job in jobs]))
        return True

    def _write(self) -> None:
        if self._runner.is_writing:
            self._accept(self._runner.decode())

    def _accept(self, step: list[tuple[Text, list[Written]]]) -> None:
        owners = {id(job.text): job for job in self._scheduler.running}
        end_ids, now = self._family.end_ids, self._clock()
        told = [(owners[id(text)], written) for text, written in step]
        for job, written in told:
            job.first = job.first or (now if written else 0.0)
        reasons = [(job, job.accept(written, end_ids)) for job, written in told]
        self._end([(job, reason) for job, reason in reasons if reason is not None])

    def _give_way(self) -> bool:
        """After memory ran out: let all rows go and go on with half of them; False for one that is alone."""
        alone = len(self._scheduler.running) < 2
        self._runner.reset()
        hand_back()
        if alone:
            return False
        for job in self._scheduler.shrink():
            job.come_back()
        return True

    def _prepare(self, job: Job) -> None:
        if self._stopping:
            job.send(closed())
            return
        try:
            job.prepare(self._family)
            self._check_memory(job)
        except CouncilError as error:
            self._known.discard(job.request.id)
            job.send(error)
        except Exception as error:  # noqa: BLE001 - a fault of one request is that request's alone
            self._known.discard(job.request.id)
            job.finish("error", self._clock(), _cause(error))
        else:
            self._scheduler.add(job)

    def _check_memory(self, job: Job) -> None:
        if self._memory is not None and job.cache_bytes > self._memory:
            raise EngineError(
                f"request {job.request.id} may need {job.cache_bytes / 1e6:.0f} MB of cache, "
                f"the engine has {self._memory / 1e6:.0f} MB",
                hint="give the engine more memory, or ask for fewer tokens",
            )

    def _cancel(self, request_id: str) -> None:
        self._end([(job, "cancelled") for job in self._scheduler.jobs if job.request.id == request_id])

    def _leave(self, job: Job) -> None:
        if job in self._scheduler.jobs:
            self._free([job])

    def _end_late(self) -> None:
        now = self._clock()
        self._end([(job, "deadline") for job in self._scheduler.jobs if job.late(now)])

    def _end(self, ended: list[tuple[Job, FinishReason]]) -> None:
        if not ended:
            return
        self._free([job for job, _ in ended])
        now = self._clock()
        for job, reason in ended:
            job.finish(reason, now)
        self._scheduler.recover()

    def _free(self, jobs: list[Job]) -> None:
        texts: list[Text] = []
        for job in jobs:
            self._known.discard(job.request.id)
            self._scheduler.remove(job)
            texts.append(job.require_text())
        self._runner.drop(texts)

    def _fail(self, error: Exception) -> None:
        now = self._clock()
        for job in list(self._scheduler.running):
            self._known.discard(job.request.id)
            self._scheduler.remove(job)
            job.finish("error", now, _cause(error))
        self._runner.reset()


def closed() -> EngineClosedError:
    """What a request hears whose engine was shut down."""
    return EngineClosedError("the engine was closed", hint="make a new Engine")


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
