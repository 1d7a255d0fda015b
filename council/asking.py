"""The ways to put questions to a council: waiting, awaiting, streaming, many at once."""

from __future__ import annotations

import asyncio
import concurrent.futures
from abc import abstractmethod
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from proxycouncil.closing import AsyncClosing
from proxycouncil.council.events import Answer, CouncilEvent, failed_answer
from proxycouncil.council.questions import Question, as_question, cleaned
from proxycouncil.council.turns import Emit, ignore
from proxycouncil.errors import UsageError
from proxycouncil.graphs.planning import planned

if TYPE_CHECKING:
    from proxycouncil.council.background import BackgroundLoop
    from proxycouncil.graphs.planning import Planner

PlanWish: TypeAlias = bool | Sequence[str] | None
"""Whether to ask part by part, the parts to ask, or as the settings say."""


class Asking(AsyncClosing):
    """Whoever runs a question on an event loop of its own."""

    _loop: BackgroundLoop

    @property
    @abstractmethod
    def _planner(self) -> Planner | None:
        """Splits questions; None: by rule."""

    def plan(self, question: str) -> list[str]:
        """The parts a question would be asked in, to be changed and given to `ask(…, plan=…)`.

        One where it would be asked whole. Nobody is asked, but for a chat model that `council.planner` names.

        Raises:
            QuestionError: empty, or too long to be a question.
        """
        text = cleaned(question)
        found = planned(text, planner=self._planner)
        return [step["question"] for step in found["steps"]] if found else [text]

    @abstractmethod
    async def _run(self, question: Question, emit: Emit) -> Answer:
        """One turn."""

    def ask(
        self,
        question: str | Question,
        *,
        thread: str | None = None,
        members: Sequence[str] | None = None,
        plan: PlanWish = None,
    ) -> Answer:
        """Answer a question.

        Args:
            question: in plain words; or a `Question`, which says everything itself.
            thread: name of a conversation: follow-ups are understood in its light.
            members: ask just those; by default the router chooses.
            plan: True asks a question of several parts part by part, each voted on, its answer put into those
                that need it; a list gives the parts to ask instead, where `{1}` stands for the answer to the
                first. By default as `council.planner` says. See docs/planning.md.

        Raises:
            QuestionError: empty, or too long to be a question.
            UsageError: the parts given as plan are none.
            UnknownDomainError: a member that does not exist.
            CouncilError: weights or index can't be opened.
        """
        return self._loop.run(self._run(as_question(question, thread, members=members, plan=plan), ignore))

    async def aask(
        self,
        question: str | Question,
        *,
        thread: str | None = None,
        members: Sequence[str] | None = None,
        plan: PlanWish = None,
    ) -> Answer:
        """As `ask`."""
        return await asyncio.wrap_future(
            self._loop.submit(self._run(as_question(question, thread, members=members, plan=plan), ignore))
        )

    def stream(
        self,
        question: str | Question,
        *,
        thread: str | None = None,
        members: Sequence[str] | None = None,
        plan: PlanWish = None,
    ) -> Generator[CouncilEvent, None, None]:
        """Events as they happen, the decision last. Closing the iterator stops the members."""
        asked = as_question(question, thread, members=members, plan=plan)
        return self._loop.stream(lambda emit: self._run(asked, emit))

    def astream(
        self,
        question: str | Question,
        *,
        thread: str | None = None,
        members: Sequence[str] | None = None,
        plan: PlanWish = None,
    ) -> AsyncGenerator[CouncilEvent, None]:
        """As `stream`."""
        asked = as_question(question, thread, members=members, plan=plan)
        return self._loop.astream(lambda emit: self._run(asked, emit))

    def ask_many(
        self,
        questions: Iterable[str | Question],
        *,
        at_once: int = 4,
    ) -> Iterator[Answer]:
        """Answers in the order of the questions, `at_once` of them in flight.

        A question that can't be asked becomes an answer with outcome `error`; the others go on.
        """
        waiting: list[concurrent.futures.Future[Answer]] = []
        try:
            for one in questions:
                question = one if isinstance(one, Question) else Question(one)
                waiting.append(self._loop.submit(self._run_safely(question)))
                if len(waiting) >= at_once:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()

    async def _run_safely(self, question: Question) -> Answer:
        try:
            return await self._run(question, ignore)
        except UsageError as error:
            return failed_answer(question.text, thread=question.thread, reason=str(error))
