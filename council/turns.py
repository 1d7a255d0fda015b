"""One turn: the graph runs once, its events are passed on, and what it ended with is an answer.

Knows how a turn begins, goes on after a crash, or is settled by a person. Knows nothing of how models and
libraries are opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from proxycouncil.council.conversations import Conversations, config_of
from proxycouncil.council.events import Answer, CouncilEvent, as_event
from proxycouncil.council.questions import Question
from proxycouncil.errors import UsageError
from proxycouncil.graphs.doubt import check_choice, choices, undecided

if TYPE_CHECKING:
    from proxycouncil.council.live import Live
    from proxycouncil.graphs.context import CouncilContext
    from proxycouncil.graphs.run_settings import RunSettings
    from proxycouncil.graphs.state import CouncilState

Emit = Callable[[CouncilEvent], None]

_ANEW: Any = object()
"""Put into the graph: the question itself, not what goes on with an unfinished turn."""


def ignore(_: object) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Turns:
    """Of one council."""

    conversations: Conversations
    begin: Callable[[], Live]
    """Starts to open what is still closed, and says which version answers."""
    context: Callable[[Live, RunSettings | None, str | None], CouncilContext]
    """What a run needs, by version, settings and conversation. Blocks."""
    check: Callable[[], None]
    """Raises what kept the models from being opened."""

    async def take(self, question: Question, emit: Emit) -> Answer:
        """Answer a question; those of one conversation one after another."""
        if question.thread is None:
            return await self._run(question, emit)
        async with self.conversations.turn(question.thread):
            return await self._run(question, emit)

    async def resume(self, thread: str) -> Answer | None:
        """Finish the turn that a killed process left behind; None where there is none."""
        async with self.conversations.turn(thread):
            graph = await self.conversations.graph(remembers=True)
            snapshot = await graph.aget_state(config_of(thread))
            if not snapshot.next:
                return None
            return await self._run(Question(snapshot.values["question"], thread), ignore, put=None)

    async def settle(self, thread: str, choice: str) -> Answer:
        """Decide the turn that waits for a person.

        Raises:
            UsageError: none waits, or the choice is not among the answers.
        """
        from langgraph.types import Command

        async with self.conversations.turn(thread):
            graph = await self.conversations.graph(remembers=True)
            snapshot = await graph.aget_state(config_of(thread))
            if not snapshot.interrupts:
                raise UsageError(
                    f"no turn of {thread!r} waits for a person", hint="settle what `decision.undecided` names"
                )
            check_choice(choice, snapshot.interrupts[0].value)
            asked = Question(snapshot.values["question"], thread)
            return await self._run(asked, ignore, put=Command(resume=choice))

    async def _run(self, question: Question, emit: Emit, *, put: Any = _ANEW) -> Answer:  # noqa: ANN401
        started, live = perf_counter(), self.begin()
        graph = await self.conversations.graph(remembers=question.thread is not None)
        context = await self._opened(live, question)
        timings = {"open": perf_counter() - started}

        # Around LangGraph's stream, through which each event would wake the loop once more.
        def hear(event: dict[str, Any]) -> None:
            if event["type"] == "stage":
                timings[event["stage"]] = max(event["seconds"], timings.get(event["stage"], 0.0))
            elif emit is not ignore:
                emit(as_event(event))

        state: CouncilState = {}
        async for values in graph.astream(
            question.as_input() if put is _ANEW else put,
            None if question.thread is None else config_of(question.thread),
            context=replace(context, emit=hear),
            stream_mode="values",
        ):
            if "__interrupt__" not in values:
                state = cast("CouncilState", values)
        self.check()
        waiting = None
        if context.settings.ask_between and question.thread is not None:
            waiting = await self.conversations.waiting(question.thread)
        if waiting is not None:
            state = {**state, "decision": undecided(waiting)}
        answer = live.answer(question, state, seconds=perf_counter() - started, timings=timings)
        if waiting is not None:
            decision = answer.decision.model_copy(update={"undecided": choices(waiting)})
            answer = answer.model_copy(update={"decision": decision})
        emit(answer.decision)
        return answer

    async def _opened(self, live: Live, question: Question) -> CouncilContext:
        """The context; in a thread as long as a library is opening or has to be compared."""
        asked = live, question.settings, question.thread
        ready = live.ready(question.thread)
        context = self.context(*asked) if ready else await asyncio.to_thread(self.context, *asked)
        if question.user is not None:
            context = replace(context, user=question.user)
        settings = context.settings
        if question.thread is None:  # Nothing remembers it until somebody has decided.
            settings = replace(settings, ask_between=None)
        if question.plan is not None:
            settings = replace(settings, plan=question.plan is not False)
        return context if settings is context.settings else replace(context, settings=settings)
