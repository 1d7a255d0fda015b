"""The council as a subgraph of one's own graph: it drafts a reply, a person approves, then it is sent."""

from __future__ import annotations

import asyncio
from typing import Any, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from proxycouncil import Council
from proxycouncil.graphs.council_graph import create_council_graph


class Ticket(TypedDict, total=False):
    """Our own state; `question` and `decision` are shared with the council's."""

    question: str
    decision: dict[str, Any]
    sent: str


def approve(ticket: Ticket) -> Ticket:
    """Wait for a person; nothing is done before, because a resumed node starts again from its top."""
    decision = ticket["decision"]
    draft = decision["text"] or "We do not know, and will find out."
    reply = interrupt({"draft": draft, "confidence": decision["confidence"]})
    return {"sent": draft if reply == "yes" else reply}


async def main() -> None:
    """One ticket, approved with a change."""
    with Council.starter() as council:
        graph = StateGraph(Ticket)
        graph.add_node("council", create_council_graph(council.context).compile())
        graph.add_node("approve", approve)
        graph.add_edge(START, "council")
        graph.add_edge("council", "approve")
        graph.add_edge("approve", END)
        desk = graph.compile(checkpointer=InMemorySaver())

        thread: Any = {"configurable": {"thread_id": "ticket-1"}}
        waiting = await desk.ainvoke({"question": "What is inflation?"}, thread)
        print("draft:", waiting["__interrupt__"][0].value["draft"])
        done = await desk.ainvoke(Command(resume="Prices rise in general: see your handbook."), thread)
        print("sent:", done["sent"])


if __name__ == "__main__":
    asyncio.run(main())
