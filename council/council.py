"""`Council`: what a user holds. Composes the parts, runs the graph, hands out answers and events."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from proxycouncil.council.assembly import (
    Opening,
    OpeningEngine,
    load_calibration,
    open_engine,
    open_entailer,
    open_library,
    seats,
)
from proxycouncil.council.assembly import settings as graph_settings
from proxycouncil.council.background import BackgroundLoop
from proxycouncil.council.budget import BudgetedSearcher
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.events import Answer, CouncilEvent, DecisionEvent, as_event, failed_answer
from proxycouncil.council.fingerprints import changed, fingerprints
from proxycouncil.council.questions import Question, as_question, cleaned
from proxycouncil.errors import CouncilError, LibraryError, UnknownDomainError, UsageError
from proxycouncil.graphs.context import Consultation, CouncilContext
from proxycouncil.graphs.doubt import check_choice, choices, undecided

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langchain_core.tools import BaseTool
    from langgraph.graph.state import CompiledStateGraph

    from proxycouncil.graphs.protocols import Generator as Writer
    from proxycouncil.graphs.protocols import Searcher
    from proxycouncil.graphs.run_settings import RunSettings
    from proxycouncil.graphs.state import Citation, CouncilState, Message
    from proxycouncil.specialists.family import Family
    from proxycouncil.specialists.request import Event, Request

Emit = Callable[[CouncilEvent], None]

_ANEW: Any = object()
"""Put into the graph: the question itself, not what goes on with an unfinished turn."""


class Council:
    """A council of proxy-tuned specialists.

    Weights and index are opened with the first question (or by `warm()`), side by side, and closed by
    `close()` or at the end of a `with` block. Every method may be called from any thread and from inside a
    running event loop; questions run side by side, those of one `thread` one after another.

    Args:
        config: the settings; see `Council.starter()` and `Council.from_file()`.
        generator: writes instead of an engine of this council's own.
        searcher: finds instead of the library that the settings name; or a function that opens one.
        origin: what opens the same council again, "starter" or the path of a council.toml; "": nothing does.
    """

    def __init__(
        self,
        config: CouncilConfig,
        *,
        generator: Writer | None = None,
        searcher: Searcher | Callable[[], Searcher] | None = None,
        origin: str = "",
    ) -> None:
        self.config = config
        self.origin = origin
        self.calibration = load_calibration(config.council.calibration)
        self._stale: tuple[str, ...] | None = None
        self._entails = open_entailer(config)
        self._engine = Opening(lambda: open_engine(config), name="council-engine")
        self._generator = generator or OpeningEngine(self._engine)
        self._owns_engine = generator is None
        opener = searcher if callable(searcher) else (lambda: searcher or open_library(config))
        self._library: Opening[Searcher] = Opening(opener, name="council-library")
        self._loop = BackgroundLoop("council")
        self._resources = AsyncExitStack()
        self._graphs: dict[bool, CompiledStateGraph[Any, Any, Any, Any]] = {}
        self._alphas: dict[str, float] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._compiling = asyncio.Lock()

    @classmethod
    def starter(cls) -> Self:
        """The embedded council: small, six domains, no network, no key."""
        from proxycouncil.council import starter

        config = CouncilConfig.load(starter.DIRECTORY / "council.toml")
        return cls(config, searcher=starter.open_library, origin="starter")

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """The council that a council.toml describes."""
        return cls(CouncilConfig.load(path), origin=str(Path(path).expanduser().resolve()))

    @property
    def members(self) -> tuple[str, ...]:
        """Names of those who can be asked: one a domain, and the generalist."""
        return tuple(seats(self.config, self._alphas))

    @property
    def alphas(self) -> dict[str, float]:
        """How strongly each member is steered now; 0 where it is the base alone."""
        sitting = seats(self.config, self._alphas)
        return {name: sum(pair.alpha for pair in member.pairs) for name, member in sitting.items()}

    @property
    def family(self) -> Family | None:
        """The models, loaded by now or by this; None where a generator was given instead."""
        return self._engine.get().family if self._owns_engine else None

    @property
    def library(self) -> Searcher:
        """Where passages come from; opened on first use."""
        return self._library.get()

    @property
    def generator(self) -> Writer:
        """What writes: this council's engine, or the one it was given."""
        return self._generator

    def warm(self) -> None:
        """Begin to load weights and index, without waiting."""
        self._library.start()
        if self._owns_engine:
            self._engine.start()

    def set_alpha(self, member: str, alpha: float) -> None:
        """Steer a member more or less from the next question on; 0 is the base."""
        self._known([member])
        self._alphas[member] = alpha
        self._stale = None

    def fingerprints(self) -> dict[str, str]:
        """What a calibration fitted now would hold for: models, experts, library, embedder, settings."""
        return fingerprints(
            self.config, self._library.get(), alphas=self._alphas, own_engine=self._owns_engine
        )

    @property
    def stale(self) -> tuple[str, ...]:
        """Parts that have changed since the calibration was fitted; it promises nothing then."""
        if self._stale is None:
            fitted = "fingerprints" in (self.calibration or {})
            self._stale = changed(self.calibration, self.fingerprints()) if fitted else ()
        return self._stale

    def context(self, settings: RunSettings | None = None) -> CouncilContext:
        """What a run of the graph needs, for `create_council_graph(council.context)`; opens the library."""
        context = CouncilContext(
            generator=self._generator,
            searcher=self._searcher(),
            members=seats(self.config, self._alphas),
            settings=graph_settings(self.config),
            calibration=self.calibration,
            stale=self.stale,
            entails=self._entails,
            consultation=Consultation(),
        )
        return context if settings is None else settings.apply(context)

    def ask(
        self, question: str | Question, *, thread: str | None = None, members: Sequence[str] | None = None
    ) -> Answer:
        """Answer a question.

        Args:
            question: in plain words; or a `Question`, which says everything itself.
            thread: name of a conversation: follow-ups are understood in its light.
            members: ask just those; by default the router chooses.

        Raises:
            QuestionError: empty, or too long to be a question.
            UnknownDomainError: a member that does not exist.
            CouncilError: weights or index can't be opened.
        """
        return self._loop.run(self._run(as_question(question, thread, members=members), _ignore))

    async def aask(
        self, question: str | Question, *, thread: str | None = None, members: Sequence[str] | None = None
    ) -> Answer:
        """As `ask`."""
        return await asyncio.wrap_future(
            self._loop.submit(self._run(as_question(question, thread, members=members), _ignore))
        )

    def stream(
        self, question: str | Question, *, thread: str | None = None, members: Sequence[str] | None = None
    ) -> Generator[CouncilEvent, None, None]:
        """Events as they happen, the decision last. Closing the iterator stops the members."""
        asked = as_question(question, thread, members=members)
        return self._loop.stream(lambda emit: self._run(asked, emit))

    def astream(
        self, question: str | Question, *, thread: str | None = None, members: Sequence[str] | None = None
    ) -> AsyncGenerator[CouncilEvent, None]:
        """As `stream`."""
        asked = as_question(question, thread, members=members)
        return self._loop.astream(lambda emit: self._run(asked, emit))

    def write(self, request: Request) -> Generator[Event, None, None]:
        """One text by the council's models, outside any vote: what is written, then its `Generation`."""
        return self._loop.stream(lambda emit: self._write(request, emit))

    def awrite(self, request: Request) -> AsyncGenerator[Event, None]:
        """As `write`."""
        return self._loop.astream(lambda emit: self._write(request, emit))

    def resume(self, thread: str) -> Answer | None:
        """Finish the turn that a killed process left behind: members that had finished are not asked again.

        None where no turn of that conversation is unfinished.
        """
        return self._loop.run(self._resume(thread))

    def settle(self, thread: str, choice: str) -> Answer:
        """Decide a turn that waits for a person (`decision.undecided`).

        Args:
            thread: the conversation.
            choice: the words of one of the answers; "" for none of them.

        Raises:
            UsageError: no turn waits there, or nobody gave that answer.
        """
        return self._loop.run(self._settle(thread, choice))

    def as_tool(self, *, name: str = "council", member: str | None = None) -> BaseTool:
        """The council, or one member of it, as a LangChain tool: text for the agent, `Answer` as artifact."""
        from proxycouncil.council.langchain import council_tool

        return council_tool(self, name=name, member=member)

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

    def history(self, thread: str) -> list[Message]:
        """The decided turns of a conversation, oldest first."""
        return self._loop.run(self._history(thread))

    def close(self) -> None:
        """Stop what runs, free weights and index; a closed council opens again when asked."""
        self._loop.run(self._resources.aclose())
        self._graphs.clear()
        self._loop.close()
        # A lock belongs to the loop it was waited for on, and that one is gone.
        self._turns.clear()
        self._compiling = asyncio.Lock()
        engine, library = self._engine.opened, self._library.opened
        if engine is not None and self._owns_engine:
            engine.close()
        if library is not None and hasattr(library, "close"):
            library.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    async def _run_safely(self, question: Question) -> Answer:
        try:
            return await self._run(question, _ignore)
        except UsageError as error:
            return failed_answer(question.text, thread=question.thread, reason=str(error))

    async def _run(self, question: Question, emit: Emit) -> Answer:
        """One turn, under the lock of its conversation."""
        question = replace(question, text=cleaned(question.text))
        self._known(question.members)
        self.warm()
        if question.thread is None:
            return await self._turn(question, emit)
        async with self._turns[question.thread]:
            return await self._turn(question, emit)

    async def _resume(self, thread: str) -> Answer | None:
        async with self._turns[thread]:
            graph = await self._graph(remembers=True)
            snapshot = await graph.aget_state(_thread(thread))
            if not snapshot.next:
                return None
            self.warm()
            return await self._turn(Question(snapshot.values["question"], thread), _ignore, put=None)

    async def _settle(self, thread: str, choice: str) -> Answer:
        from langgraph.types import Command

        async with self._turns[thread]:
            graph = await self._graph(remembers=True)
            snapshot = await graph.aget_state(_thread(thread))
            if not snapshot.interrupts:
                raise UsageError(
                    f"no turn of {thread!r} waits for a person", hint="settle what `decision.undecided` names"
                )
            check_choice(choice, snapshot.interrupts[0].value)
            asked = Question(snapshot.values["question"], thread)
            return await self._turn(asked, _ignore, put=Command(resume=choice))

    async def _turn(self, question: Question, emit: Emit, *, put: Any = _ANEW) -> Answer:  # noqa: ANN401
        started = perf_counter()
        graph = await self._graph(remembers=question.thread is not None)
        context = await asyncio.to_thread(self.context, question.settings)
        if question.thread is None:  # Nothing remembers it until somebody has decided.
            context = replace(context, settings=replace(context.settings, ask_between=None))
        timings = {"open": perf_counter() - started}
        state: CouncilState = {}
        async for part in graph.astream(
            question.as_input() if put is _ANEW else put,
            None if question.thread is None else _thread(question.thread),
            context=context,
            stream_mode=["custom", "values"],
            version="v2",
        ):
            if part["type"] == "values":
                state = cast("CouncilState", part["data"])
            elif part["type"] == "custom" and (event := part["data"])["type"] == "stage":
                timings[event["stage"]] = max(event["seconds"], timings.get(event["stage"], 0.0))
            elif part["type"] == "custom":
                emit(as_event(part["data"]))
        if isinstance(self._engine.failure, CouncilError):
            raise self._engine.failure
        waiting = await _waiting(graph, question.thread) if context.settings.ask_between else None
        if waiting is not None:
            state = {**state, "decision": undecided(waiting)}
        answer = self._answer(question, state, seconds=perf_counter() - started, timings=timings)
        if waiting is not None:
            decision = answer.decision.model_copy(update={"undecided": choices(waiting)})
            answer = answer.model_copy(update={"decision": decision})
        emit(answer.decision)
        return answer

    async def _write(self, request: Request, emit: Callable[[Event], None]) -> None:
        async with aclosing(cast("AsyncGenerator[Event, None]", self._generator.generate(request))) as events:
            async for event in events:
                emit(event)

    def _answer(
        self, question: Question, state: CouncilState, *, seconds: float, timings: dict[str, float]
    ) -> Answer:
        fields = dict(state["decision"])
        fields["citations"] = [self.placed(citation) for citation in state["decision"]["citations"]]
        decision = DecisionEvent.model_validate(
            {
                "question": question.text,
                "standalone": state["standalone"],
                "thread": question.thread,
                **fields,
            }
        )
        return Answer(
            decision=decision,
            route=state["route"],
            ballots=state["ballots"],
            tally=state["tally"],
            seconds=seconds,
            timings=timings,
        )

    def placed(self, citation: Citation) -> Citation:
        """The citation with the path its document has now; inside, sources are relative and may move."""
        resolve = getattr(self._library.get(), "resolve", Path)
        try:
            return {**citation, "source": str(resolve(citation["source"]))}
        except LibraryError:
            return citation

    def _searcher(self) -> Searcher:
        """The library, its slates cut to what the base may read."""
        from proxycouncil.retrieval.library import Library

        library = self._library.get()
        if not (isinstance(library, Library) and self._owns_engine):
            return library
        return BudgetedSearcher(
            library,
            tokens=self.config.retrieval.budget_tokens,
            count=self._count_tokens,
        )

    def _count_tokens(self, text: str) -> int:
        return self._engine.get().family.count_tokens(text)

    async def _graph(self, *, remembers: bool) -> CompiledStateGraph[Any, Any, Any, Any]:
        """The compiled graph; one without a checkpointer for questions outside any conversation."""
        async with self._compiling:
            if remembers not in self._graphs:
                from proxycouncil.graphs.council_graph import create_council_graph

                saver = await self._saver() if remembers else None
                self._graphs[remembers] = create_council_graph().compile(checkpointer=saver)
            return self._graphs[remembers]

    async def _saver(self) -> Any:  # noqa: ANN401 (BaseCheckpointSaver, whose import is heavy)
        from proxycouncil.council.checkpoints import open_saver

        return await self._resources.enter_async_context(open_saver(self.config.council.checkpoints))

    async def _history(self, thread: str) -> list[Message]:
        graph = await self._graph(remembers=True)
        snapshot = await graph.aget_state(_thread(thread))
        return list(snapshot.values.get("history", []))

    def _known(self, members: Iterable[str]) -> None:
        known = self.members
        for name in members:
            if name not in known:
                raise UnknownDomainError(
                    f"no member is called {name!r}", hint=f"members are {', '.join(known)}"
                )


async def _waiting(graph: CompiledStateGraph[Any, Any, Any, Any], thread: str | None) -> Any:  # noqa: ANN401
    """What a person is shown to decide the turn that just ran; None where it is decided."""
    if thread is None:
        return None
    snapshot = await graph.aget_state(_thread(thread))
    return snapshot.interrupts[0].value if snapshot.interrupts else None


def _thread(name: str) -> RunnableConfig:
    return {"configurable": {"thread_id": name}}


def _ignore(_: CouncilEvent) -> None:
    """Nobody watches."""
