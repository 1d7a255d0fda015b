"""`council mcp`: the council, each member and the library as tools of the Model Context Protocol.

By the official SDK. Progress comes from the event stream; a cancelled call stops its members. Needs the
extra `mcp`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from proxycouncil import __version__
from proxycouncil.council.events import BallotEvent, CouncilEvent, DecisionEvent, MemberStartEvent
from proxycouncil.council.langchain.tool import description_of
from proxycouncil.council.questions import Question, cleaned
from proxycouncil.council.versions.following import Follower
from proxycouncil.errors import CouncilError, CouncilFailedError

if TYPE_CHECKING:
    from proxycouncil.council.council import Council
    from proxycouncil.retrieval.passage import Excerpt

Asked = Annotated[str, Field(description="A question that stands alone, in plain words.")]


class Source(BaseModel):
    """Where a quotation stands: `source[start:end] == quote`."""

    title: str
    source: str
    start: int
    end: int
    quote: str
    domain: str


class Told(BaseModel):
    """What the council says."""

    answer: str
    """Empty unless the council answers."""
    outcome: str
    confidence: float
    calibrated: bool
    reason: str
    sources: list[Source]
    dissent: list[str]
    version: str | None = None
    """Of the council's promoted versions, which answered."""


class Found(BaseModel):
    """Passages of the library, best first."""

    passages: list[Source]


def create_server(council: Council, *, look_every_s: float = 1.0) -> MCPServer:
    """The server: `ask_council`, `ask_NAME` for every member, `search_library`.

    While it runs, promoted versions are taken over; it looks for one that often.
    """
    follower = Follower(council, every_s=look_every_s)
    server: MCPServer = MCPServer(
        "council",
        lifespan=lambda _: follower.running(),
        version=__version__,
        instructions="Answers rest on the council's documents and cite them; it says when it does not know.",
    )
    server.add_tool(_asking(council, None), name="ask_council", description=description_of(council, None))
    for member in council.members:
        name = f"ask_{member.replace('-', '_')}"
        server.add_tool(_asking(council, member), name=name, description=description_of(council, member))
    server.add_tool(
        _searching(council),
        name="search_library",
        description=f"Searches the council's documents. Domains: {', '.join(council.config.specialists)}",
    )
    return server


def _asking(council: Council, member: str | None) -> Callable[..., Awaitable[Told]]:
    async def ask(question: Asked, ctx: Context) -> Told:
        with _errors_told():
            return _told(await _decided(council, member, question=question, ctx=ctx))

    return ask


async def _decided(council: Council, member: str | None, *, question: str, ctx: Context) -> DecisionEvent:
    asked = Question(question, members=() if member is None else (member,))
    progress, decision = _Progress(ctx), None
    async with aclosing(council.astream(asked)) as events:
        async for event in events:
            await progress.take(event)
            decision = event if isinstance(event, DecisionEvent) else decision
    if decision is None or decision.outcome == "error":
        raise CouncilFailedError(decision.reason if decision else "the stream ended without a decision")
    return decision


@contextmanager
def _errors_told() -> Iterator[None]:
    """What was raised on purpose is told to the model in words; the SDK keeps silent about all else."""
    try:
        yield
    except CouncilError as error:
        raise ToolError(f"{error} ({error.hint})" if error.hint else str(error)) from error


def _searching(council: Council) -> Callable[..., Awaitable[Found]]:
    async def search(
        query: Annotated[str, Field(description="What to look for.")],
        domain: Annotated[str | None, Field(description="One collection; all by default.")] = None,
        limit: Annotated[int, Field(ge=1, le=20)] = 5,
    ) -> Found:
        domains = None if domain is None else [domain]
        with _errors_told():
            found = await asyncio.to_thread(
                lambda: council.library.slate(cleaned(query), domains=domains, form="passages", limit=limit)
            )
        return Found(passages=[_source(one) for one in found])

    return search


class _Progress:
    """Readings begun and ended, as the client's progress bar has it: only ever forwards."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._begun = self._ended = 0

    async def take(self, event: CouncilEvent) -> None:
        """One event; only readings move the bar."""
        match event:
            case MemberStartEvent():
                self._begun += 1
            case BallotEvent():
                self._ended += 1
                said = f"{event.ballot['member']}: {event.ballot['status']}"
                await self._ctx.report_progress(self._ended, self._begun, said)


def _source(excerpt: Excerpt) -> Source:
    return Source(
        title=excerpt.passage.title,
        source=excerpt.passage.source,
        start=excerpt.start,
        end=excerpt.end,
        quote=excerpt.text,
        domain=excerpt.passage.domain,
    )


def _told(decision: DecisionEvent) -> Told:
    return Told(
        answer=decision.text,
        outcome=decision.outcome,
        confidence=decision.confidence,
        calibrated=decision.calibrated,
        reason=decision.reason,
        sources=[
            Source.model_validate({k: v for k, v in one.items() if k != "passage_id"})
            for one in decision.citations
        ],
        dissent=[lost["text"] for lost in decision.dissent],
        version=decision.version,
    )
