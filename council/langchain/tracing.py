"""The event stream as LangChain callbacks: a run for every reading, the vote and the decision.

Every event is also a custom event `council.TYPE` with the fields of docs/events.md. Events are all that this
knows; the graph knows nothing of callbacks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.callbacks import AsyncCallbackManager, BaseCallbackManager, CallbackManager

from proxycouncil.council.events import BallotEvent, DecisionEvent, MemberStartEvent, VoteEvent

if TYPE_CHECKING:
    from langchain_core.callbacks import (
        AsyncCallbackManagerForChainRun,
        AsyncCallbackManagerForLLMRun,
        BaseRunManager,
        CallbackManagerForChainRun,
        CallbackManagerForLLMRun,
        Callbacks,
    )

    from proxycouncil.council.events import CouncilEvent

M = TypeVar("M", bound=BaseCallbackManager)

_PREFIX = "council."


@dataclass(frozen=True, slots=True)
class _Span:
    """A run that begins with an event; `outputs` where it ends with the same one."""

    key: str
    name: str
    inputs: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] | None = None


def _begun(event: CouncilEvent) -> _Span | None:
    match event:
        case MemberStartEvent():
            told: dict[str, Any] = {"member": event.member, "slate": event.slate, "alpha": event.alpha}
            return _Span(f"{event.member}/{event.slate}", f"member {event.member}", told, told)
        case VoteEvent():
            weights = {group["text"]: group["weight"] for group in event.tally["groups"]}
            told = {"agreement": event.tally["agreement"], "weights": weights}
            return _Span("vote", "vote", {"asked": event.tally["asked"]}, told, dict(event.tally))
        case DecisionEvent():
            told = {"outcome": event.outcome, "confidence": event.confidence, "agreement": event.agreement}
            inputs = {"question": event.standalone}
            return _Span("decision", "decision", inputs, told, event.model_dump(mode="json"))
    return None


def _ended(event: CouncilEvent) -> tuple[str, dict[str, Any]] | None:
    if not isinstance(event, BallotEvent):
        return None
    return f"{event.ballot['member']}/{event.ballot['slate']}", dict(event.ballot)


class Tracer:
    """Tells synchronous handlers."""

    def __init__(self, manager: CallbackManager) -> None:
        self._manager = manager
        self._open: dict[str, CallbackManagerForChainRun] = {}

    def take(self, event: CouncilEvent) -> None:
        """One event, as it happens."""
        if not self._manager.handlers:
            return
        self._manager.on_custom_event(
            _PREFIX + event.type, event.model_dump(mode="json"), run_id=self._manager.parent_run_id
        )
        if (span := _begun(event)) is not None:
            self._open[span.key] = self._start(span)
            if span.outputs is not None:
                self._open.pop(span.key).on_chain_end(span.outputs)
        elif (end := _ended(event)) is not None and end[0] in self._open:
            self._open.pop(end[0]).on_chain_end(end[1])

    def break_off(self, error: BaseException) -> None:
        """What had begun will not end."""
        while self._open:
            self._open.popitem()[1].on_chain_error(error)

    def _start(self, span: _Span) -> CallbackManagerForChainRun:
        manager = self._manager.copy()
        manager.add_metadata(span.metadata, inherit=False)
        return manager.on_chain_start(None, span.inputs, name=span.name)


class AsyncTracer:
    """Tells asynchronous handlers; as `Tracer` otherwise."""

    def __init__(self, manager: AsyncCallbackManager) -> None:
        self._manager = manager
        self._open: dict[str, AsyncCallbackManagerForChainRun] = {}

    async def take(self, event: CouncilEvent) -> None:
        """One event, as it happens."""
        if not self._manager.handlers:
            return
        await self._manager.on_custom_event(
            _PREFIX + event.type, event.model_dump(mode="json"), run_id=self._manager.parent_run_id
        )
        if (span := _begun(event)) is not None:
            self._open[span.key] = await self._start(span)
            if span.outputs is not None:
                await self._open.pop(span.key).on_chain_end(span.outputs)
        elif (end := _ended(event)) is not None and end[0] in self._open:
            await self._open.pop(end[0]).on_chain_end(end[1])

    async def break_off(self, error: BaseException) -> None:
        """What had begun will not end."""
        while self._open:
            await self._open.popitem()[1].on_chain_error(error)

    async def _start(self, span: _Span) -> AsyncCallbackManagerForChainRun:
        manager = self._manager.copy()
        manager.add_metadata(span.metadata, inherit=False)
        return await manager.on_chain_start(None, span.inputs, name=span.name)


def tracer(run: CallbackManagerForLLMRun | None, own: Callbacks) -> Tracer:
    """Of the run's handlers. LangChain streams without saying which run it is: then of the ambient ones."""
    if run is None:
        return Tracer(CallbackManager.configure(_ambient(), own))
    manager = CallbackManager([], parent_run_id=run.run_id)
    return Tracer(_inheriting(manager, run))


def async_tracer(run: AsyncCallbackManagerForLLMRun | None, own: Callbacks) -> AsyncTracer:
    """As `tracer`."""
    if run is None:
        return AsyncTracer(AsyncCallbackManager.configure(_ambient(), own))
    manager = AsyncCallbackManager([], parent_run_id=run.run_id)
    return AsyncTracer(_inheriting(manager, run))


def _inheriting(manager: M, run: BaseRunManager) -> M:
    """Handlers, tags and metadata of the run: LangChain's own runs of models have no children by design."""
    manager.set_handlers(run.handlers)
    manager.add_tags(run.inheritable_tags)
    manager.add_metadata(run.inheritable_metadata)
    return manager


def _ambient() -> Callbacks:
    """Handlers of the chain or graph that this runs in."""
    from langchain_core.runnables.config import ensure_config

    return ensure_config().get("callbacks")
