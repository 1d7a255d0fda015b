"""One way of reading: a model, steered or not, put to many prompts.

Knows requests and generations. Refuses to know where prompts come from and what is right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from proxycouncil.graphs.answers import is_refusal
from proxycouncil.graphs.protocols import Generator
from proxycouncil.specialists.request import Generation, Pair, Prompt, Request, Sampling

Steering: TypeAlias = Callable[[str], tuple[tuple[Pair, ...], str | None]]
"""From the name of an expert to the pairs and the solo model of a request."""


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt and the expert that reads it."""

    prompt: Prompt
    expert: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads `at_once` prompts together."""

    generator: Generator
    steering: Steering
    sampling: Sampling
    at_once: int = 16

    def read(self, tasks: Sequence[Task]) -> Iterator[Generation]:
        """Generations in the order of the tasks."""
        for start in range(0, len(tasks), self.at_once):
            yield from asyncio.run(self._together(tasks[start : start + self.at_once]))

    async def _together(self, tasks: Sequence[Task]) -> list[Generation]:
        return list(await asyncio.gather(*map(self._read, tasks)))

    async def _read(self, task: Task) -> Generation:
        pairs, solo = self.steering(task.expert)
        request = Request(prompt=task.prompt, pairs=pairs, solo=solo, sampling=self.sampling)
        async for event in self.generator.generate(request):
            if isinstance(event, Generation):
                return event
        raise RuntimeError("the generator ended without a generation")


def said(generation: Generation) -> str:
    """What was answered; nothing for a refusal."""
    text = generation.text.strip()
    return "" if is_refusal(text) else text


def unsteered(_: str) -> tuple[tuple[Pair, ...], str | None]:
    """The base alone."""
    return (), None


def antiexpert_alone(_: str) -> tuple[tuple[Pair, ...], str | None]:
    """The small model before tuning."""
    return (), "antiexpert"


def expert_alone(expert: str) -> tuple[tuple[Pair, ...], str | None]:
    """The small tuned model without the base: what steering has to beat."""
    return (), expert


def steered(alpha: float) -> Steering:
    """The base steered by the expert."""
    return lambda expert: ((Pair(expert, alpha),), None)
