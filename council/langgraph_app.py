"""The graph that `langgraph.json` names: the council of ./council.toml where there is one, else the starter.

Uncompiled, so that whoever serves it brings checkpointer and store. Nothing is opened before a question, but
everything is imported: the server imports this module in a thread and calls `graph` on its event loop, where
it allows no reading of files.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxycouncil.council.langchain.opening import STARTER, shared_council
from proxycouncil.graphs.council_graph import create_council_graph

if TYPE_CHECKING:
    from langgraph.graph import StateGraph

    from proxycouncil.graphs.context import CouncilContext
    from proxycouncil.graphs.state import CouncilInput, CouncilOutput, CouncilState


def graph() -> StateGraph[CouncilState, Any, CouncilInput, CouncilOutput]:
    """The council as an uncompiled graph whose runs may bring `RunSettings`."""
    return create_council_graph(_context)


@lru_cache(maxsize=1)
def _origin() -> str:
    """Decided once: a server does not change its council when its working directory does."""
    file = Path("council.toml")
    return str(file.resolve()) if file.is_file() else STARTER


def _context() -> CouncilContext:
    return shared_council(_origin()).context()
