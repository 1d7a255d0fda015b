"""The state machine: understand → route → consult (one per member) → vote → decide.

The nodes are plain functions of state and context that stand in their own modules; this one only ties
them to LangGraph. The graph comes uncompiled, so that an application adds its own checkpointer, store
or surrounding graph.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from time import perf_counter
from typing import Any, TypeAlias

from langgraph.config import get_config
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Overwrite, Send, interrupt

from proxycouncil.graphs.consult import consult, record
from proxycouncil.graphs.context import CouncilContext, Emit
from proxycouncil.graphs.decide import decide, decide_as_told
from proxycouncil.graphs.doubt import dossier, doubtful
from proxycouncil.graphs.early import settled
from proxycouncil.graphs.memory import memories, recalled, remembering
from proxycouncil.graphs.route import route
from proxycouncil.graphs.run_settings import RunSettings
from proxycouncil.graphs.state import (
    Assignment,
    Ballot,
    CouncilInput,
    CouncilOutput,
    CouncilState,
    Decision,
    ExcerptRecord,
    Memory,
    Message,
)
from proxycouncil.graphs.understand import stand_alone
from proxycouncil.graphs.vote import count, fitted_vote, nobody_asked

HISTORY_TURNS = 20
"""Turns of a conversation that are kept in state."""

Update: TypeAlias = dict[str, Any]
Node: TypeAlias = Callable[[Any, CouncilContext, Emit], Awaitable[Update]]
Given: TypeAlias = CouncilContext | Callable[[], CouncilContext] | None


def create_council_graph(
    context: Given = None,
) -> StateGraph[CouncilState, Any, CouncilInput, CouncilOutput]:
    """The council as an uncompiled graph.

    Args:
        context: the council itself, or a function that opens it with the first question
            (`Council.context`). With it a run may bring `RunSettings`, as an object or a dict, and the
            compiled graph can be a subgraph of a graph that knows nothing of councils. Without it every
            run brings a `CouncilContext`.

    Nodes are asynchronous: run the compiled graph with `ainvoke` or `astream`.
    """
    graph = StateGraph(
        CouncilState,
        context_schema=CouncilContext if context is None else RunSettings,
        input_schema=CouncilInput,
        output_schema=CouncilOutput,
    )
    graph.add_node("understand", _bound(_understand, "understand", context))
    graph.add_node("route", _bound(_route, "route", context))
    graph.add_node("consult", _bound(_consult, "consult", context), input_schema=Assignment)
    # Deferred: a join that ran on the first branch to arrive would count some of the ballots twice.
    graph.add_node("vote", _bound(_vote, "vote", context), defer=True)
    graph.add_node("decide", _bound(_decide, "decide", context))
    graph.add_edge(START, "understand")
    graph.add_edge("understand", "route")
    graph.add_conditional_edges("route", _dispatch, ["consult", "decide"])
    graph.add_edge("consult", "vote")
    graph.add_edge("vote", "decide")
    graph.add_edge("decide", END)
    return graph


def _bound(node: Node, name: str, given: Given) -> Callable[..., Awaitable[Update]]:
    """The node as LangGraph calls it; its duration is reported as a `stage` event."""

    async def run(state: CouncilState | Assignment, runtime: Runtime[Any]) -> Update:
        context = _with_memory(await _context(runtime.context, given), runtime)
        emit = context.emit or runtime.stream_writer
        started = perf_counter()
        update = await node(state, context, emit)
        emit({"type": "stage", "stage": name, "seconds": perf_counter() - started})
        return update

    run.__name__ = name
    return run


async def _context(brought: object, given: Given) -> CouncilContext:
    """The context of this run. What a surrounding graph keeps in its own context is none of our business."""
    if isinstance(brought, CouncilContext):
        return brought
    # Opening a council reads files: not on the event loop.
    context = await asyncio.to_thread(given) if callable(given) else given
    if context is None:
        raise TypeError("the council graph needs a CouncilContext: graph.ainvoke(…, context=…)")
    return brought.apply(context) if isinstance(brought, RunSettings) else context


def _with_memory(context: CouncilContext, runtime: Runtime[Any]) -> CouncilContext:
    """The context with the store that the graph was compiled with, or the surrounding graph's.

    A surrounding graph that keeps its own context names the user where LangGraph's own examples do.
    """
    if runtime.store is None:
        return context
    user = context.user or get_config().get("configurable", {}).get("user_id")
    return replace(context, store=runtime.store, user=None if user is None else str(user))


async def _understand(state: CouncilState, context: CouncilContext, _: Emit) -> Update:
    """Begin a turn: a new id, no ballots of the last one, a question that stands alone."""
    question = state["question"]
    return {
        "turn": context.new_turn(),
        "standalone": stand_alone(question, state.get("history", [])),
        "ballots": Overwrite([]),
    }


async def _route(state: CouncilState, context: CouncilContext, emit: Emit) -> Update:
    """Choose members and the slate that all of them read first."""
    known: list[Memory] = []
    if context.store is not None and context.user:
        known = await memories(context.store, context.user)
    # In one thread: each way there and back costs as much as the choice itself.
    return await asyncio.to_thread(_routed, state, known, context, emit)


def _routed(state: CouncilState, known: list[Memory], context: CouncilContext, emit: Emit) -> Update:
    question = state["standalone"]
    settings = context.settings
    recalls = recalled(known, question, context.searcher)
    context = replace(context, searcher=remembering(context.searcher, recalls))
    chosen = route(
        question,
        context.searcher.affinities(question),
        calibration=context.calibrated("route"),
        fingerprint=context.searcher.embedder_fingerprint,
        ask_at_most=settings.ask_at_most,
        mass=settings.mass,
        seats=tuple(context.members),
        members=state.get("members") or list(settings.members) or None,
    )
    emit({"type": "route", "standalone": question, "route": chosen})
    update = {"route": chosen, "slate": [], "recalls": recalls}
    if not chosen["members"]:
        return {**update, "tally": nobody_asked(chosen, state["turn"])}
    return {**update, "slate": _shared_slate(question, chosen["members"], context)}


def _shared_slate(question: str, members: list[str], context: CouncilContext) -> list[ExcerptRecord]:
    """The best excerpts over everything that the asked members read."""
    domains: set[str] | None = set()
    for name in members:
        member = context.members.get(name)
        reads = member.domains if member else ()
        domains = None if reads is None or domains is None else domains | set(reads)
    excerpts = context.searcher.slate(
        question,
        domains=None if domains is None else sorted(domains),
        form=context.settings.slate,
        limit=context.settings.excerpts,
        order=context.settings.order,
    )
    return [record(excerpt) for excerpt in excerpts]


async def _dispatch(state: CouncilState) -> list[Send] | str:
    """One Send a member; straight to the decision where nobody is asked (a graph ends on zero Sends).

    Asynchronous because LangGraph gives a plain function a thread, with every question.
    """
    assignments = [
        Assignment(
            turn=state["turn"],
            member=name,
            question=state["standalone"],
            slate=state["slate"],
            route=state["route"],
            recalls=state.get("recalls", []),
        )
        for name in state["route"]["members"]
    ]
    return [Send("consult", assignment) for assignment in assignments] or "decide"


async def _consult(assignment: Assignment, context: CouncilContext, emit: Emit) -> Update:
    context = replace(context, searcher=remembering(context.searcher, assignment.get("recalls", [])))
    ballots: list[Ballot] = await consult(assignment, context, emit)
    if context.settings.early_stop:
        _stop_if_settled(assignment, ballots, context)
    return {"ballots": ballots}


def _stop_if_settled(assignment: Assignment, ballots: list[Ballot], context: CouncilContext) -> None:
    route = assignment.get("route")
    heard = context.consultation.hear(assignment["turn"], ballots)
    if route and settled(
        heard,
        route=route,
        turn=assignment["turn"],
        question=assignment["question"],
        readings=context.settings.ballots,
        quorum=context.settings.quorum,
        fitted=fitted_vote(context),
    ):
        context.consultation.settle(assignment["turn"])


async def _vote(state: CouncilState, context: CouncilContext, emit: Emit) -> Update:
    tally = await count(state, context)
    emit({"type": "vote", "tally": tally})
    return {"tally": tally}


async def _decide(state: CouncilState, context: CouncilContext, _: Emit) -> Update:
    """Decide, or have a person decide, and remember the turn for the next question's sake.

    An interrupted node begins anew when it is resumed: nothing before the interrupt has an effect.
    """
    settings = context.settings
    decision = decide(
        state["tally"],
        state["ballots"],
        state["route"],
        quorum=settings.quorum,
        target_risk=settings.target_risk,
        calibration=context.calibrated("confidence"),
        stale=context.stale,
    )
    if doubtful(decision, state["tally"], context.settings.ask_between):
        choice = str(interrupt(dossier(state, decision)))
        decision = decide_as_told(
            state["tally"],
            state["ballots"],
            state["route"],
            choice=choice,
            calibration=context.calibrated("confidence"),
        )
    history = [*state.get("history", []), _message(state, decision)]
    return {"decision": decision, "history": history[-HISTORY_TURNS:]}


def _message(state: CouncilState, decision: Decision) -> Message:
    citations = decision["citations"]
    return Message(
        question=state["question"],
        standalone=state["standalone"],
        answer=decision["text"],
        subject=citations[0]["title"] if citations else "",
    )
