"""Who is decoded next: a queue of waiting jobs and a bounded set of running ones. No models, no threads."""

from __future__ import annotations

from collections import deque

from proxycouncil.specialists.job import Job

PREFILL_TOKENS = 16_384
"""Prompts read in one step; more wait for the next, so that running texts are not held up for long."""


class Scheduler:
    """First come, first served; at most `max_rows` texts at once; reading goes before writing.

    `memory`: bytes that the caches of all texts at once may take, at their longest; None: no limit.
    """

    def __init__(self, max_rows: int, *, memory: int | None = None) -> None:
        self._max_rows, self._memory = max_rows, memory
        self.limit = max_rows
        """Texts at once: fewer for a while after memory has run out."""
        self.waiting: deque[Job] = deque()
        self.running: list[Job] = []

    @property
    def jobs(self) -> list[Job]:
        """All that have not ended."""
        return [*self.waiting, *self.running]

    def add(self, job: Job) -> None:
        """Put a prepared job at the end of the queue."""
        self.waiting.append(job)

    def remove(self, job: Job) -> None:
        """Take a job out, wherever it is."""
        if job in self.running:
            self.running.remove(job)
        elif job in self.waiting:
            self.waiting.remove(job)

    def admit(self) -> list[Job]:
        """Move those that may begin now from waiting to running; one that is long begins alone."""
        admitted: list[Job] = []
        tokens = 0
        while self.waiting and len(self.running) < self.limit and self._fits(self.waiting[0]):
            tokens += self.waiting[0].prompt_tokens
            if admitted and (tokens > PREFILL_TOKENS or self.waiting[0].is_long):
                break
            admitted.append(self.waiting.popleft())
            self.running.append(admitted[-1])
            if admitted[-1].is_long:
                break
        return admitted

    def shrink(self) -> list[Job]:
        """Half as many at once from now on; all that ran wait again, in their order. Returns those."""
        back = self.running
        self.limit = max(1, len(back) // 2)
        self.waiting.extendleft(reversed(back))
        self.running = []
        return back

    def recover(self) -> None:
        """One more at once, up to the most: something has ended well."""
        self.limit = min(self._max_rows, self.limit + 1)

    def _fits(self, job: Job) -> bool:
        if self._memory is None:
            return True
        return sum(one.cache_bytes for one in (*self.running, job)) <= self._memory
