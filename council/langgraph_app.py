"""The graph that `langgraph.json` names: the council of ./council.toml where there is one, else the starter.

Uncompiled, so that whoever serves it brings checkpointer and store. Nothing is opened before a question.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langgraph.graph import StateGraph

    from proxycouncil.graphs.context import CouncilContext
    from proxycouncil.graphs.state import CouncilInput, CouncilOutput, CouncilState


def graph() -> StateGraph[CouncilState, Any, CouncilInput, CouncilOutput]:
    """The council as an uncompiled graph whose runs may bring `RunSettings`."""
    from proxycouncil.graphs.council_graph import create_council_graph

    return create_council_graph(_context)


@lru_cache(maxsize=1)
def _origin() -> str:
    """Decided once: a server does not change its council when its working directory does."""
    from proxycouncil.council.langchain.opening import STARTER

    file = Path("council.toml")
    return str(file.resolve()) if file.is_file() else STARTER


def _context() -> CouncilContext:
    from proxycouncil.council.langchain.opening import shared_council

    return shared_council(_origin()).context()
