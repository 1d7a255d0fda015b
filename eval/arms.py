"""The simple arms that a council is compared with: search alone, and single readings by single models."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from proxycouncil.eval.answerer import Reply
from proxycouncil.graphs.answers import is_refusal
from proxycouncil.graphs.citing import cite
from proxycouncil.graphs.consult import record
from proxycouncil.graphs.protocols import Generator, Searcher
from proxycouncil.specialists.request import Generation, Pair, Prompt, Request, Sampling, Snippet

Steering: TypeAlias = Callable[[str], tuple[tuple[Pair, ...], str | None]]
"""From the name of an expert to the pairs and the solo model of a request."""

_LONGEST_ANSWER = 40
"""Words a retrieved passage is cut to, the most that any kind of question may be answered with."""


@dataclass(frozen=True, slots=True)
class RetrievalArm:
    """No model: the best passage cut to forty words, or the best sentence of the best passages."""

    searcher: Searcher
    form: Literal["passages", "sentences"]

    def answers(self, questions: Sequence[str]) -> Iterator[Reply]:
        """Replies in the order of the questions."""
        for question in questions:
            best = self.searcher.slate(question, form=self.form, limit=1)
            words = best[0].text.split() if best else []
            yield Reply(" ".join(words[:_LONGEST_ANSWER]))


@dataclass(frozen=True, slots=True)
class ReadingArm:
    """One reading of the best sentences over all domains by one model, steered or not."""

    generator: Generator
    searcher: Searcher
    steering: Steering
    expert: Callable[[str], str]
    """Question → the expert that reads it."""
    excerpts: int = 4
    max_new_tokens: int = 48
    at_once: int = 16

    def answers(self, questions: Sequence[str]) -> Iterator[Reply]:
        """Replies in the order of the questions, `at_once` of them decoded together."""
        for start in range(0, len(questions), self.at_once):
            yield from asyncio.run(self._together(questions[start : start + self.at_once]))

    async def _together(self, questions: Sequence[str]) -> list[Reply]:
        return list(await asyncio.gather(*(self._read(question) for question in questions)))

    async def _read(self, question: str) -> Reply:
        pairs, solo = self.steering(self.expert(question))
        excerpts = [record(one) for one in self.searcher.slate(question, limit=self.excerpts)]
        request = Request(
            prompt=Prompt(question, tuple(Snippet(one["title"], one["text"]) for one in excerpts)),
            pairs=pairs,
            solo=solo,
            sampling=Sampling(max_new_tokens=self.max_new_tokens),
        )
        async for event in self.generator.generate(request):
            if isinstance(event, Generation):
                text = event.text.strip()
                return Reply(
                    "" if is_refusal(text) else text, citations=tuple(cite(text, question, excerpts)[0])
                )
        raise RuntimeError("the generator ended without a generation")


def unsteered(_: str) -> tuple[tuple[Pair, ...], str | None]:
    """The base alone."""
    return (), None


def expert_alone(expert: str) -> tuple[tuple[Pair, ...], str | None]:
    """The small tuned model without the base: what steering has to beat."""
    return (), expert


def steered(alpha: float) -> Steering:
    """The base steered by the expert."""
    return lambda expert: ((Pair(expert, alpha),), None)
