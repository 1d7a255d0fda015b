"""The ways to put questions to a council: waiting, awaiting, streaming, many at once."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator
from typing import TYPE_CHECKING

from typing_extensions import Unpack

from proxycouncil.closing import AsyncClosing
from proxycouncil.council.events import Answer, CouncilEvent, failed_answer
from proxycouncil.council.questions import Asked, Question, as_question, cleaned
from proxycouncil.council.turns import Emit, ignore
from proxycouncil.errors import UsageError
from proxycouncil.graphs.planning import planned

if TYPE_CHECKING:
    from proxycouncil.council.background import BackgroundLoop
    from proxycouncil.graphs.planning import Planner


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
        **asked: Unpack[Asked],
    ) -> Answer:
        """Answer a question.

        Args:
            question: in plain words; or a `Question`, which says everything itself.
            asked: `thread`, the name of a conversation, in whose light follow-ups are understood; `members`
                to ask just those, by default the router chooses; `user`, whose memories are read; `plan`:
                True asks a question of several parts part by part, each voted on, its answer put into those
                that need it, a list gives the parts to ask instead, where `{1}` stands for the answer to the
                first, and by default it is as `council.planner` says (docs/planning.md).

        Raises:
            QuestionError: empty, or too long to be a question.
            UsageError: the parts given as plan are none.
            UnknownDomainError: a member that does not exist.
            CouncilError: weights or index can't be opened.
        """
        return self._loop.run(self._run(as_question(question, **asked), ignore))

    async def aask(
        self,
        question: str | Question,
        **asked: Unpack[Asked],
    ) -> Answer:
        """As `ask`."""
        return await asyncio.wrap_future(self._loop.submit(self._run(as_question(question, **asked), ignore)))

    def stream(
        self,
        question: str | Question,
        **asked: Unpack[Asked],
    ) -> Generator[CouncilEvent, None, None]:
        """Events as they happen, the decision last. Closing the iterator stops the members."""
        put = as_question(question, **asked)
        return self._loop.stream(lambda emit: self._run(put, emit))

    def astream(
        self,
        question: str | Question,
        **asked: Unpack[Asked],
    ) -> AsyncGenerator[CouncilEvent, None]:
        """As `stream`."""
        put = as_question(question, **asked)
        return self._loop.astream(lambda emit: self._run(put, emit))

    def ask_many(
        self,
        questions: Iterable[str | Question],
        *,
        at_once: int = 4,
    ) -> Iterator[Answer]:
        """Answers in the order of the questions, `at_once` of them in flight.

        A question that can't be asked becomes an answer with outcome `error`; the others go on.
        """
        put = (one if isinstance(one, Question) else Question(one) for one in questions)
        return self._loop.in_order((self._run_safely(one) for one in put), at_once=at_once)

    async def _run_safely(self, question: Question) -> Answer:
        try:
            return await self._run(question, ignore)
        except UsageError as error:
            return failed_answer(question.text, thread=question.thread, reason=str(error))
