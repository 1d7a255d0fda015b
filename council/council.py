"""`Council`: what a user holds. Composes the parts, runs the graph, hands out answers and events."""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
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
    open_library,
    seats,
    settings,
)
from proxycouncil.council.background import BackgroundLoop
from proxycouncil.council.budget import BudgetedSearcher
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.events import Answer, CouncilEvent, DecisionEvent, as_event, failed_answer
from proxycouncil.council.questions import Question, cleaned
from proxycouncil.errors import CouncilError, LibraryError, UnknownDomainError, UsageError
from proxycouncil.graphs.context import Consultation, CouncilContext

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from transformers import PreTrainedTokenizerBase

    from proxycouncil.graphs.protocols import Generator, Searcher
    from proxycouncil.graphs.state import Citation, CouncilState, Message
    from proxycouncil.specialists.family import Family

Emit = Callable[[CouncilEvent], None]

_DONE = object()


class Council:
    """A council of proxy-tuned specialists.

    Weights and index are opened with the first question (or by `warm()`), side by side, and closed by
    `close()` or at the end of a `with` block. Every method may be called from any thread and from inside a
    running event loop; questions run side by side, those of one `thread` one after another.

    Args:
        config: the settings; see `Council.starter()` and `Council.from_file()`.
        generator: writes instead of an engine of this council's own.
        searcher: finds instead of the library that the settings name; or a function that opens one.
    """

    def __init__(
        self,
        config: CouncilConfig,
        *,
        generator: Generator | None = None,
        searcher: Searcher | Callable[[], Searcher] | None = None,
    ) -> None:
        self.config = config
        self.calibration = load_calibration(config.council.calibration)
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

        return cls(CouncilConfig.load(starter.DIRECTORY / "council.toml"), searcher=starter.open_library)

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """The council that a council.toml describes."""
        return cls(CouncilConfig.load(path))

    @property
    def members(self) -> tuple[str, ...]:
        """Names of those who can be asked: one a domain, and the generalist."""
        return tuple(seats(self.config, self._alphas))

    @property
    def library(self) -> Searcher:
        """Where passages come from; opened on first use."""
        return self._library.get()

    @property
    def generator(self) -> Generator:
        """What writes: this council's engine, or the one it was given."""
        return self._generator

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """What spells the tokens of a ballot's trace.

        Raises:
            UsageError: this council was given a generator that is no engine.
        """
        engine = self._engine.get() if self._owns_engine else self._generator
        family: Family | None = getattr(engine, "family", None)
        if family is None:
            raise UsageError("what writes here has no vocabulary", hint="tokens are an engine's to tell")
        return family.tokenizer

    def warm(self) -> None:
        """Begin to load weights and index, without waiting."""
        self._library.start()
        if self._owns_engine:
            self._engine.start()

    def set_alpha(self, member: str, alpha: float) -> None:
        """Steer a member more or less from the next question on; 0 is the base."""
        self._known([member])
        self._alphas[member] = alpha

    def ask(
        self, question: str, *, thread: str | None = None, members: Sequence[str] | None = None
    ) -> Answer:
        """Answer a question.

        Args:
            question: in plain words.
            thread: name of a conversation: follow-ups are understood in its light.
            members: ask just those; by default the router chooses.

        Raises:
            QuestionError: empty, or too long to be a question.
            UnknownDomainError: a member that does not exist.
            CouncilError: weights or index can't be opened.
        """
        return self._loop.run(self._run(Question(question, thread, tuple(members or ())), _ignore))

    async def aask(
        self, question: str, *, thread: str | None = None, members: Sequence[str] | None = None
    ) -> Answer:
        """As `ask`."""
        return await asyncio.wrap_future(
            self._loop.submit(self._run(Question(question, thread, tuple(members or ())), _ignore))
        )

    def stream(
        self, question: str, *, thread: str | None = None, members: Sequence[str] | None = None
    ) -> Iterator[CouncilEvent]:
        """Events as they happen, the decision last. Closing the iterator stops the members."""
        events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        future = self._loop.submit(self._run(Question(question, thread, tuple(members or ())), events.put))
        future.add_done_callback(lambda _: events.put(_DONE))
        try:
            while (event := events.get()) is not _DONE:
                yield event
            future.result()
        finally:
            future.cancel()

    async def astream(
        self, question: str, *, thread: str | None = None, members: Sequence[str] | None = None
    ) -> AsyncIterator[CouncilEvent]:
        """As `stream`."""
        events: asyncio.Queue[Any] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def put(event: object) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event)

        future = self._loop.submit(self._run(Question(question, thread, tuple(members or ())), put))
        future.add_done_callback(lambda _: put(_DONE))
        try:
            while (event := await events.get()) is not _DONE:
                yield event
            future.result()
        finally:
            future.cancel()

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

    async def _turn(self, question: Question, emit: Emit) -> Answer:
        started = perf_counter()
        thread = question.thread
        graph = await self._graph(remembers=thread is not None)
        context = await self._context()
        timings = {"open": perf_counter() - started}
        state: CouncilState = {}
        async for part in graph.astream(
            {"question": question.text, "members": list(question.members)},
            {"configurable": {"thread_id": thread}} if thread else None,
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
        answer = self._answer(
            question.text, state, thread=thread, seconds=perf_counter() - started, timings=timings
        )
        emit(answer.decision)
        return answer

    def _answer(
        self,
        question: str,
        state: CouncilState,
        *,
        thread: str | None,
        seconds: float,
        timings: dict[str, float],
    ) -> Answer:
        fields = dict(state["decision"])
        fields["citations"] = [self._placed(citation) for citation in state["decision"]["citations"]]
        decision = DecisionEvent.model_validate(
            {"question": question, "standalone": state["standalone"], "thread": thread, **fields}
        )
        return Answer(
            decision=decision,
            route=state["route"],
            ballots=state["ballots"],
            tally=state["tally"],
            seconds=seconds,
            timings=timings,
        )

    def _placed(self, citation: Citation) -> Citation:
        """The citation with the path its document has now; inside, sources are relative and may move."""
        resolve = getattr(self._library.get(), "resolve", Path)
        try:
            return {**citation, "source": str(resolve(citation["source"]))}
        except LibraryError:
            return citation

    async def _context(self) -> CouncilContext:
        return CouncilContext(
            generator=self._generator,
            searcher=await asyncio.to_thread(self._searcher),
            members=seats(self.config, self._alphas),
            settings=settings(self.config),
            calibration=self.calibration,
            consultation=Consultation(),
        )

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
        snapshot = await graph.aget_state({"configurable": {"thread_id": thread}})
        return list(snapshot.values.get("history", []))

    def _known(self, members: Iterable[str]) -> None:
        for name in members:
            if name not in self.members:
                raise UnknownDomainError(
                    f"no member is called {name!r}", hint=f"members are {', '.join(self.members)}"
                )


def _ignore(_: CouncilEvent) -> None:
    """Nobody watches."""
