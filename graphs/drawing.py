"""The state machine as a picture: Mermaid text, drawn from the graph itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.runnables.graph import Graph
    from langgraph.graph import StateGraph


def mermaid(graph: StateGraph[Any, Any, Any, Any]) -> str:
    """The graph as Mermaid text."""
    drawn = graph.compile().get_graph()
    # LangGraph finds edges by running the graph dry; in a loop it makes up some that lead to a deferred node.
    drawn.edges = [edge for edge in drawn.edges if (edge.source, edge.target) in _ways(graph, drawn)]
    return drawn.draw_mermaid()


def _ways(graph: StateGraph[Any, Any, Any, Any], drawn: Graph) -> set[tuple[str, str]]:
    """Every step that the graph was built with, and the last ones."""
    from langgraph.graph import END

    branches = {
        (source, target)
        for source, found in graph.branches.items()
        for branch in found.values()
        for target in (branch.ends or {}).values()
    }
    last = {(edge.source, END) for edge in drawn.edges if edge.target == END}
    return graph.edges | branches | last
