"""Councils of proxy-tuned specialists. Importing this package imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxycouncil.council.config import CouncilConfig
    from proxycouncil.council.council import Council
    from proxycouncil.council.events import Answer
    from proxycouncil.errors import CouncilError

__version__ = "0.1.0"
__all__ = ["Answer", "Council", "CouncilConfig", "CouncilError", "__version__"]

_HOMES = {
    "Answer": "proxycouncil.council.events",
    "Council": "proxycouncil.council.council",
    "CouncilConfig": "proxycouncil.council.config",
    "CouncilError": "proxycouncil.errors",
}


def __getattr__(name: str) -> object:
    """Resolve public names on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
