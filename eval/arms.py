"""The simple arms that a council is compared with: search alone, and readings by single models."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from proxycouncil.eval.answerer import Reply
from proxycouncil.eval.reader import Reader, Task, said
from proxycouncil.graphs.brief import record
from proxycouncil.graphs.citing import cite
from proxycouncil.graphs.protocols import Searcher
from proxycouncil.graphs.state import ExcerptRecord
from proxycouncil.specialists.request import Generation, Prompt, Snippet

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
class Shelf:
    """What single readings read: the best sentences over all domains."""

    searcher: Searcher
    expert: Callable[[str], str]
    """Question → the expert that reads it."""
    excerpts: int = 4

    def find(self, question: str) -> list[ExcerptRecord]:
        """The slate of a question, best first."""
        return [record(one) for one in self.searcher.slate(question, limit=self.excerpts)]

    def task(self, question: str, slate: Sequence[ExcerptRecord]) -> Task:
        """The question with a slate, for the expert that reads it."""
        snippets = tuple(Snippet(one["title"], one["text"]) for one in slate)
        return Task(Prompt(question, snippets), self.expert(question))


@dataclass(frozen=True, slots=True)
class ReadingArm:
    """One reading of the best sentences by one model, steered or not."""

    reader: Reader
    shelf: Shelf

    def answers(self, questions: Sequence[str]) -> Iterator[Reply]:
        """Replies in the order of the questions."""
        slates = [self.shelf.find(question) for question in questions]
        tasks = [self.shelf.task(*one) for one in zip(questions, slates, strict=True)]
        for generation, question, slate in zip(self.reader.read(tasks), questions, slates, strict=True):
            text = said(generation)
            cited = tuple(cite(text, question, slate)[0])
            yield Reply(text, citations=cited, tokens=_tokens(generation))


@dataclass(frozen=True, slots=True)
class SelfConsistencyArm:
    """Several sampled readings by one model, and the answer that most of them give (Wang et al. 2022).

    Answers are the same when their words are; the confidence is the share of readings that agree.
    """

    reader: Reader
    shelf: Shelf
    samples: int
    temperature: float = 0.7

    def answers(self, questions: Sequence[str]) -> Iterator[Reply]:
        """Replies in the order of the questions."""
        tasks = [self.shelf.task(question, self.shelf.find(question)) for question in questions]
        rounds = [list(self._sampled(seed).read(tasks)) for seed in range(self.samples)]
        for readings in zip(*rounds, strict=True):
            texts = [said(one) for one in readings]
            counts = Counter(_words(text) for text in texts)
            winner, votes = counts.most_common(1)[0]
            text = next(text for text in texts if _words(text) == winner)
            yield Reply(text, votes / self.samples, tokens=sum(map(_tokens, readings)))

    def _sampled(self, seed: int) -> Reader:
        sampling = replace(self.reader.sampling, temperature=self.temperature, seed=seed)
        return replace(self.reader, sampling=sampling)


def _tokens(generation: Generation) -> int:
    return generation.prompt_tokens + len(generation.token_ids)


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.lower()))
