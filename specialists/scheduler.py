"""Who is decoded next: a queue of waiting jobs and a bounded set of running ones. No models, no threads."""

from __future__ import annotations

from collections import deque

from proxycouncil.specialists.job import Job

PREFILL_TOKENS = 16_384
"""Prompts read in one step; more wait for the next, so that running texts are not held up for long."""


class Scheduler:
    """First come, first served; at most `max_rows` texts at once; reading goes before writing."""

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
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
        """Move those that may begin now from waiting to running."""
        admitted: list[Job] = []
        tokens = 0
        while self.waiting and len(self.running) < self._max_rows:
            tokens += self.waiting[0].prompt_tokens
            if admitted and tokens > PREFILL_TOKENS:
                break
            admitted.append(self.waiting.popleft())
            self.running.append(admitted[-1])
        return admitted
