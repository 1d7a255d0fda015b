"""Examples that enter a specialist's prompt: those of its store that are nearest to the question, that fit.

langchain-core's selectors choose: by similarity, by maximal marginal relevance, or as many as fit in the
order of the file. Knows questions with answers; nothing of passages, models or votes. A store is embedded
with the first question that needs it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxycouncil.specialists.questions import part, read_questions
from proxycouncil.specialists.request import Shot

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from langchain_core.example_selectors.base import BaseExampleSelector

    from proxycouncil.council.config import CouncilConfig, FewShotConfig

_TEMPLATE = "Question: {question}\nAnswer: {answer}"
_SPARE = 4
"""More than are asked for are fetched: one may be the question itself, some may not fit."""
_REMEMBERED = 256


class ShotStores:
    """The stores of all specialists that have one.

    Args:
        files: questions with answers by specialist, as `council tune` reads them. Only the tuning part is
            ever shown: what a table or a calibration is made of is not.
        settings: how many, chosen how, within how many tokens.
        embeddings: what nearness is measured with.
        count: tokens of a text.
    """

    def __init__(
        self,
        files: Mapping[str, Path],
        settings: FewShotConfig,
        *,
        embeddings: Callable[[], Embeddings],
        count: Callable[[str], int],
    ) -> None:
        self._files, self._settings = dict(files), settings
        self._embeddings, self._count = embeddings, count
        self._selectors: dict[str, BaseExampleSelector] = {}
        self._lock = threading.Lock()
        # A member reads twice, and each reading has the same examples.
        self._chosen = lru_cache(maxsize=_REMEMBERED)(self._choose)

    def __call__(self, member: str, question: str) -> tuple[Shot, ...]:
        """The examples for a member's prompt, none for one without a store. Blocks.

        Raises:
            UsageError: the store's file can't be read; says which line.
        """
        return self._chosen(member, question) if member in self._files else ()

    def _choose(self, member: str, question: str) -> tuple[Shot, ...]:
        asked = question.strip().casefold()
        found = self._selector(member).select_examples({"question": question})
        others = [one for one in found if one["question"].strip().casefold() != asked]
        fitting = self._within(others).select_examples({})[: self._settings.examples]
        return tuple(Shot(one["question"], one["answer"]) for one in fitting)

    def _selector(self, member: str) -> BaseExampleSelector:
        with self._lock:
            if member not in self._selectors:
                self._selectors[member] = self._made(_examples(member, self._files[member]))
            return self._selectors[member]

    def _made(self, examples: list[dict[str, str]]) -> BaseExampleSelector:
        from langchain_core import example_selectors as made
        from langchain_core.vectorstores import InMemoryVectorStore

        if self._settings.select == "length":
            return self._within(examples)
        selector: Any = (
            made.SemanticSimilarityExampleSelector
            if self._settings.select == "similarity"
            else made.MaxMarginalRelevanceExampleSelector
        )
        chosen: BaseExampleSelector = selector.from_examples(
            examples,
            self._embeddings(),
            InMemoryVectorStore,
            k=self._settings.examples + _SPARE,
            input_keys=["question"],
        )
        return chosen

    def _within(self, examples: Sequence[dict[str, str]]) -> BaseExampleSelector:
        """The first examples that fit into the budget."""
        from langchain_core.example_selectors import LengthBasedExampleSelector
        from langchain_core.prompts import PromptTemplate

        return LengthBasedExampleSelector(
            examples=list(examples),
            example_prompt=PromptTemplate.from_template(_TEMPLATE),
            get_text_length=self._count,
            max_length=self._settings.budget_tokens,
        )


def shot_stores(
    config: CouncilConfig, *, embeddings: Callable[[], Embeddings], count: Callable[[str], int] | None
) -> ShotStores | None:
    """The stores that a council.toml names; None where it names none.

    `count` None: no tokenizer of the base is at hand, and words are counted.
    """
    files = {name: one.shots for name, one in config.specialists.items() if one.shots is not None}
    if not files:
        return None
    return ShotStores(files, config.few_shot, embeddings=embeddings, count=count or _words)


def _examples(member: str, file: Path) -> list[dict[str, str]]:
    return [
        {"question": one.question, "answer": one.answer}
        for one in read_questions(file)
        if one.answer and part(member, one.entry) == "tuning"
    ]


def _words(text: str) -> int:
    return len(text.split())
