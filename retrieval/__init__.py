"""Documents → passages → excerpts. The names that other rooms use, resolved when first touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxycouncil.retrieval.embedder import Embedder, TextEncoder
    from proxycouncil.retrieval.ingest import IngestReport
    from proxycouncil.retrieval.library import Library
    from proxycouncil.retrieval.passage import Affinity, Excerpt, Passage

__all__ = ["Affinity", "Embedder", "Excerpt", "IngestReport", "Library", "Passage", "TextEncoder"]

_HOMES = {
    "Affinity": "passage",
    "Embedder": "embedder",
    "Excerpt": "passage",
    "IngestReport": "ingest",
    "Library": "library",
    "Passage": "passage",
    "TextEncoder": "embedder",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
