"""The state machine: understand → route → consult (one per member) → vote → [reconsider → vote] → decide.

A question with a plan goes round once for each of its parts: decide → proceed → route, until all are decided.

The nodes are plain functions of state and context that stand in their own modules; this one only ties
them to LangGraph. The graph comes uncompiled, so that an application adds its own checkpointer, store
or surrounding graph.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, TypeAlias

from langgraph.config import get_config
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Overwrite, Send, interrupt

from proxycouncil.graphs.brief import record
from proxycouncil.graphs.consult import consult
from proxycouncil.graphs.context import CouncilContext, Emit
from proxycouncil.graphs.decide import decide, decide_as_told
from proxycouncil.graphs.doubt import dossier, doubtful
from proxycouncil.graphs.early import settled
from proxycouncil.graphs.memory import memories, recalled, remembering
from proxycouncil.graphs.planning import composed, missing, next_question, planned, said, turns
from proxycouncil.graphs.reconsider import in_dispute, in_force, reconsider
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
    Part,
    PartRecord,
    Plan,
    Route,
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
    graph.add_node("reconsider", _bound(_reconsider, "reconsider", context))
    graph.add_node("decide", _bound(_decide, "decide", context))
    graph.add_edge(START, "understand")
    graph.add_edge("understand", "route")
    graph.add_conditional_edges("route", _dispatch, ["consult", "decide"])
    graph.add_edge("consult", "vote")
    graph.add_conditional_edges("vote", _settle, ["reconsider", "decide"])
    graph.add_edge("reconsider", "vote")
    graph.add_node("proceed", _bound(_proceed, "proceed", context))
    graph.add_conditional_edges("decide", _after_decision, ["proceed", END])
    graph.add_conditional_edges("proceed", _after_part, ["route", END])
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


async def _understand(state: CouncilState, context: CouncilContext, emit: Emit) -> Update:
    """Begin a turn: a new id, no ballots of the last one, a question that stands alone, and its plan."""
    question = stand_alone(state["question"], turns(state.get("history", [])))
    plan = await _plan(question, state, context)
    begun: Update = {
        "turn": context.new_turn(),
        "standalone": question,
        "ballots": Overwrite([]),
        "sub_questions": [],
        "plan": plan,
        "parts": [],
    }
    if plan is None:
        return begun
    emit({"type": "plan", "plan": plan})
    return {**begun, "standalone": next_question(plan, [])}


async def _plan(question: str, state: CouncilState, context: CouncilContext) -> Plan | None:
    given = state.get("sub_questions") or []
    if not (given or context.settings.plan):
        return None
    if context.planner is None:
        return planned(question, given=given)
    return await asyncio.to_thread(planned, question, given=given, planner=context.planner)


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
    # Cross-scores move votes once all are in: no lead is safe before.
    if context.settings.early_stop and not context.settings.cross_scoring:
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
    disputed = in_dispute(state, tally, context)
    # Also to forget what a turn that was broken off had left in dispute.
    return {"tally": tally, "disputed": disputed} if disputed or state.get("disputed") else {"tally": tally}


async def _settle(state: CouncilState) -> str:
    """Decide, unless there is something to read again."""
    return "reconsider" if state.get("disputed") else "decide"


async def _reconsider(state: CouncilState, context: CouncilContext, emit: Emit) -> Update:
    """Members read what is in dispute; the first ballots are kept beside those in force."""
    round_ = await reconsider(state, context, emit)
    return {"ballots": Overwrite(in_force(round_)), "reconsidered": round_}


async def _decide(state: CouncilState, context: CouncilContext, _: Emit) -> Update:
    """Decide, or have a person decide, and remember the turn for the next question's sake.

    An interrupted node begins anew when it is resumed: nothing before the interrupt has an effect.
    """
    settings = context.settings
    decision = decide(
        state["tally"],
        state["ballots"],
        state["route"],
        question=state["standalone"],
        quorum=settings.quorum,
        target_risk=settings.target_risk,
        proven_only=settings.proven_only,
        calibration=context.calibrated("confidence"),
        stale=context.stale,
    )
    if doubtful(decision, state["tally"], context.settings.ask_between):
        choice = str(interrupt(dossier(state, decision)))
        decision = decide_as_told(
            state["tally"],
            state["ballots"],
            state["route"],
            question=state["standalone"],
            choice=choice,
            calibration=context.calibrated("confidence"),
        )
    if state.get("plan"):
        return {"decision": decision}
    history = [*state.get("history", []), _message(state, decision)]
    return {"decision": decision, "history": history[-HISTORY_TURNS:]}


async def _after_decision(state: CouncilState) -> str:
    return "proceed" if state.get("plan") else END


async def _after_part(state: CouncilState) -> str:
    plan = state["plan"]
    return "route" if plan and len(state["parts"]) < len(plan["steps"]) else END


async def _proceed(state: CouncilState, context: CouncilContext, emit: Emit) -> Update:
    """Keep the part that was decided; go on to the next that can be asked, or to what all say together."""
    plan = state["plan"]
    if plan is None:
        raise RuntimeError("there is no plan to go on with")
    records = [*state["parts"], _part_record(state, plan)]
    parts = [record["part"] for record in records]
    _tell(parts, plan, emit)
    while len(parts) < len(plan["steps"]):
        turn = context.new_turn()
        question = next_question(plan, parts)
        if question is not None:
            return {"parts": records, "turn": turn, "standalone": question, "ballots": Overwrite([])}
        records.append(_unasked(state, plan, parts, turn))
        parts.append(records[-1]["part"])
        _tell(parts, plan, emit)
    decision = composed(parts)
    whole = CouncilState({**state, "standalone": plan["standalone"]})
    history = [*state.get("history", []), {**_message(whole, decision), "parts": said(parts)}]
    return {
        "parts": records,
        "standalone": plan["standalone"],
        "decision": decision,
        "history": history[-HISTORY_TURNS:],
    }


def _tell(parts: Sequence[Part], plan: Plan, emit: Emit) -> None:
    emit({"type": "part", "number": len(parts), "of": len(plan["steps"]), "part": parts[-1]})


def _part_record(state: CouncilState, plan: Plan) -> PartRecord:
    step = plan["steps"][len(state["parts"])]
    part = Part(**step, standalone=state["standalone"], decision=state["decision"])
    ballots = [ballot for ballot in state["ballots"] if ballot["turn"] == state["turn"]]
    return PartRecord(part=part, route=state["route"], ballots=ballots, tally=state["tally"])


def _unasked(state: CouncilState, plan: Plan, parts: Sequence[Part], turn: str) -> PartRecord:
    """A step without the answer that it needs."""
    step = plan["steps"][len(parts)]
    part = Part(**step, standalone=step["question"], decision=missing(plan, parts))
    nobody = Route({**state["route"], "members": []})
    return PartRecord(part=part, route=nobody, ballots=[], tally=nobody_asked(nobody, turn))


def _message(state: CouncilState, decision: Decision) -> Message:
    citations = decision["citations"]
    return Message(
        question=state["question"],
        standalone=state["standalone"],
        answer=decision["text"],
        subject=citations[0]["title"] if citations else "",
    )
