"""`Council`: what a user holds. Composes the parts, runs the graph, hands out answers and events."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from proxycouncil.council.asking import Asking
from proxycouncil.council.assembly import Opening, OpeningEngine, open_engine, open_library
from proxycouncil.council.attachments import Attachments
from proxycouncil.council.background import BackgroundLoop
from proxycouncil.council.checkpoints import beside
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.conversations import Conversations
from proxycouncil.council.events import Answer
from proxycouncil.council.live import Live
from proxycouncil.council.memories import Memories
from proxycouncil.council.questions import Question, checked
from proxycouncil.council.renewal import renewed
from proxycouncil.council.shelves import Shelves
from proxycouncil.council.turns import Emit, Turns, ignore
from proxycouncil.errors import CouncilError, UnknownDomainError, UsageError
from proxycouncil.graphs.context import GENERALIST
from proxycouncil.specialists.request import Pair, Prompt, Request, Sampling

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
    from langgraph.store.base import BaseStore

    from proxycouncil.graphs.context import CouncilContext
    from proxycouncil.graphs.planning import Planner
    from proxycouncil.graphs.protocols import Generator as Writer
    from proxycouncil.graphs.protocols import Searcher
    from proxycouncil.graphs.run_settings import RunSettings
    from proxycouncil.graphs.state import Citation, Message
    from proxycouncil.retrieval.embedder import TextEncoder
    from proxycouncil.specialists.family import Family
    from proxycouncil.specialists.request import Event


class Council(Asking):
    """A council of proxy-tuned specialists.

    Weights and index are opened with the first question (or by `warm()`), side by side, and closed by
    `close()` or at the end of a `with` block. Every method may be called from any thread and from inside a
    running event loop; questions run side by side, those of one `thread` one after another.

    Args:
        config: the settings; see `Council.starter()` and `Council.from_file()`.
        generator: writes instead of an engine of this council's own.
        searcher: finds instead of the library that the settings name; or a function that opens one.
        origin: what opens the same council again, "starter" or the path of a council.toml; "": nothing does.
        version: the promoted version whose parts the settings name; see docs/versions.md.
        store: LangGraph's store for what users ask to remember, instead of the one that `[memory]` names; it
            is used on this council's own event loop.
    """

    def __init__(
        self,
        config: CouncilConfig,
        *,
        generator: Writer | None = None,
        searcher: Searcher | Callable[[], Searcher] | None = None,
        origin: str = "",
        version: str | None = None,
        store: BaseStore | None = None,
    ) -> None:
        self.origin = origin
        self._engine = Opening(lambda: open_engine(config), name="council-engine")
        self._generator = generator or OpeningEngine(self._engine)
        self._owns_engine = generator is None
        self._given_searcher = searcher
        self._attachments = Attachments(self._conversations_folder, encoder=self._embedder)
        self._live = Live(config, version=version, shelves=self._shelves(config))
        self._renewing = threading.Lock()
        self._loop = BackgroundLoop("council")
        self._store = store
        self._conversations = Conversations(lambda: self.config.council.checkpoints, memory=self._memory)
        self.memories = Memories(self._loop, self._conversations.store)
        self._turns = Turns(self._conversations, self._begin, self._context, self._check)
        self._alphas: dict[str, float] = {}

    @classmethod
    def starter(cls) -> Self:
        """The embedded council: small, six domains, no network, no key."""
        from proxycouncil.council import starter

        config = CouncilConfig.load(starter.DIRECTORY / "council.toml")
        return cls(config, searcher=starter.open_library, origin="starter")

    @classmethod
    def from_file(cls, path: str | Path) -> Self:
        """The council that a council.toml describes, in the version that was promoted.

        `council.toml@VERSION` is another of its versions, `council.toml@draft` the file as it is written.
        """
        from proxycouncil.council.versions.opening import open_config

        config, version = open_config(path)
        return cls(config, origin=str(Path(path).expanduser().resolve()), version=version)

    @property
    def config(self) -> CouncilConfig:
        """The settings, with the parts of the version that answers now."""
        return self._live.config

    @config.setter
    def config(self, config: CouncilConfig) -> None:
        self._live.config = config

    @property
    def version(self) -> str | None:
        """The promoted version that answers now; None where none was promoted."""
        return self._live.version

    @property
    def calibration(self) -> dict[str, Any] | None:
        """calibration.json as it is; None where there is none."""
        return self._live.calibration

    @calibration.setter
    def calibration(self, calibration: dict[str, Any] | None) -> None:
        self._live.calibration = calibration

    @property
    def members(self) -> tuple[str, ...]:
        """Names of those who can be asked: one a domain, and the generalist."""
        return (*self.config.specialists, GENERALIST)

    @property
    def alphas(self) -> dict[str, float]:
        """How strongly each member is steered now; 0 where it is the base alone."""
        sitting = self._live.members(self._alphas)
        return {name: sum(pair.alpha for pair in member.pairs) for name, member in sitting.items()}

    @property
    def family(self) -> Family | None:
        """The models, loaded by now or by this; None where a generator was given instead."""
        return self._engine.get().family if self._owns_engine else None

    @property
    def library(self) -> Searcher:
        """Where passages come from; opened on first use."""
        return self._live.shelves.library.get()

    @property
    def generator(self) -> Writer:
        """What writes: this council's engine, or the one it was given."""
        return self._generator

    def warm(self) -> None:
        """Begin to load weights and index, without waiting."""
        self._live.shelves.library.start()
        if self._owns_engine:
            self._engine.start()

    def prepare(self) -> None:
        """Open, and wait for, all that a first question would: models, index, embedder, graph.

        Raises:
            CouncilError: weights, index or embedder can't be used.
        """
        self.warm()
        self._loop.run(self._conversations.graph(remembers=False))
        self.library.affinities("Ready?")
        if self._owns_engine:
            self._engine.get()

    def reload(self) -> bool:
        """Take over what council.toml and its promoted version say by now, while questions go on.

        Those that have begun end with the version they began with. [family] and checkpoints stay as they
        are. Blocks until experts and library are ready; says whether anything has changed.

        Raises:
            CouncilError: settings, an expert or the library can't be used; the old version goes on.
        """
        from proxycouncil.council.versions.opening import open_config

        if not self.origin.endswith(".toml"):
            raise UsageError("this council follows no council.toml", hint="Council.from_file() opens one")
        with self._renewing:
            config, version = open_config(self.origin)
            fresh = renewed(
                self._live,
                config,
                version,
                family=self.family,
                try_out=self._try_out,
                reopened=self._shelves,
            )
            if fresh is not None:
                self._live = fresh
        return fresh is not None

    def set_alpha(self, member: str, alpha: float) -> None:
        """Steer a member more or less from the next question on; 0 is the base."""
        self._known([member])
        self._alphas[member] = alpha
        self._live.look_again()

    def fingerprints(self) -> dict[str, str]:
        """What a calibration fitted now would hold for: models, experts, library, embedder, settings."""
        return self._live.fingerprints(self._alphas, own_engine=self._owns_engine)

    @property
    def stale(self) -> tuple[str, ...]:
        """Parts that have changed since the calibration was fitted; it promises nothing then."""
        return self._live.stale(self._alphas, own_engine=self._owns_engine)

    def context(self, settings: RunSettings | None = None, *, thread: str | None = None) -> CouncilContext:
        """What a run of the graph needs, for `create_council_graph(council.context)`; opens the library.

        With a `thread` members read what is attached to it as well.
        """
        return self._context(self._live, settings, thread)

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
        return self._loop.run(self._turns.resume(thread))

    def settle(self, thread: str, choice: str) -> Answer:
        """Decide a turn that waits for a person (`decision.undecided`).

        Args:
            thread: the conversation.
            choice: the words of one of the answers; "" for none of them.

        Raises:
            UsageError: no turn waits there, or nobody gave that answer.
        """
        return self._loop.run(self._turns.settle(thread, choice))

    def as_tool(self, *, name: str = "council", member: str | None = None) -> BaseTool:
        """The council, or one member of it, as a LangChain tool: text for the agent, `Answer` as artifact."""
        from proxycouncil.council.langchain import council_tool

        return council_tool(self, name=name, member=member)

    def history(self, thread: str) -> list[Message]:
        """The decided turns of a conversation, oldest first."""
        return self._loop.run(self._conversations.history(thread))

    def attach(self, thread: str, *files: Path | str) -> tuple[str, ...]:
        """Let the members read documents in one conversation, and in no other; returns their names.

        Copies are kept as long as the conversation is: beside its SQLite database, else as long as this
        council lives.

        Raises:
            UsageError: a file is missing, or of a kind that is not read.
            LibraryWriteError: no copy can be kept.
        """
        return self._attachments.add(thread, files)

    def attached(self, thread: str) -> tuple[str, ...]:
        """Names of the documents that are attached to a conversation."""
        return self._attachments.names(thread)

    def forget(self, thread: str) -> None:
        """Delete a conversation: its turns, and what is attached to it."""
        self._loop.run(self._conversations.forget(thread))
        self._attachments.forget(thread)

    def close(self) -> None:
        """Stop what runs, free weights and index; a closed council opens again when asked."""
        self._loop.run(self._conversations.close())
        self._loop.close()
        self._conversations.forget_loop()
        if self._owns_engine and self._engine.opened is not None:
            self._engine.opened.close()
        self._live.shelves.close()
        self._attachments.close()

    async def _run(self, question: Question, emit: Emit) -> Answer:
        """One turn; what is still closed begins to open before its conversation is free."""
        question = checked(question)
        self._known(question.members)
        self.warm()
        return await self._turns.take(question, emit)

    @property
    def _planner(self) -> Planner | None:
        return self._live.planner

    def _begin(self) -> Live:
        self.warm()
        return self._live

    def _check(self) -> None:
        if isinstance(self._engine.failure, CouncilError):
            raise self._engine.failure

    async def _write(self, request: Request, emit: Callable[[Event], None]) -> None:
        async with aclosing(cast("AsyncGenerator[Event, None]", self._generator.generate(request))) as events:
            async for event in events:
                emit(event)

    def placed(self, citation: Citation, *, thread: str | None = None) -> Citation:
        """The citation with the path its document has now; inside, sources are relative and may move."""
        return self._live.shelves.placed(citation, thread=thread)

    def _context(self, live: Live, settings: RunSettings | None, thread: str | None) -> CouncilContext:
        context = live.context(self._generator, self._alphas, own_engine=self._owns_engine, thread=thread)
        return context if settings is None else settings.apply(context)

    def _shelves(self, config: CouncilConfig) -> Shelves:
        given = self._given_searcher
        opener = given if callable(given) else (lambda: given or open_library(config))
        count = self._count_tokens if self._owns_engine else None
        library: Opening[Searcher] = Opening(opener, name="council-library")
        return Shelves(config, library, attachments=self._attachments, count=count)

    def _conversations_folder(self) -> Path | None:
        return beside(self.config.council.checkpoints)

    def _memory(self) -> str | BaseStore | None:
        return self.config.memory.store if self._store is None else self._store

    def _embedder(self) -> TextEncoder | str:
        return self._live.shelves.embedder()

    def _try_out(self, expert: str) -> None:
        """Have an expert write one token: it is loaded by the thread that owns the models, and works."""
        request = Request(
            prompt=Prompt(question="Ready?"), pairs=(Pair(expert),), sampling=Sampling(max_new_tokens=1)
        )
        self._loop.run(self._write(request, ignore))

    def _count_tokens(self, text: str) -> int:
        return self._engine.get().family.count_tokens(text)

    def _known(self, members: Iterable[str]) -> None:
        known = self.members
        for name in members:
            if name not in known:
                raise UnknownDomainError(
                    f"no member is called {name!r}", hint=f"members are {', '.join(known)}"
                )
