"""Models → steered text: families of models, the engine that decodes them together, the formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxycouncil.specialists.composite import ProxyTunedForCausalLM
    from proxycouncil.specialists.engine import Engine
    from proxycouncil.specialists.family import Family
    from proxycouncil.specialists.remote.base import RemoteBase
    from proxycouncil.specialists.remote.client import Server
    from proxycouncil.specialists.remote.recall import Recall
    from proxycouncil.specialists.request import (
        Generation,
        Likelihood,
        Pair,
        Prompt,
        Request,
        Sampling,
        Snippet,
        SteeringTrace,
        TextDelta,
    )
    from proxycouncil.specialists.steering import steer
    from proxycouncil.specialists.transformers_generate import proxy_tuned

__all__ = [
    "Engine",
    "Family",
    "Generation",
    "Likelihood",
    "Pair",
    "Prompt",
    "ProxyTunedForCausalLM",
    "Recall",
    "RemoteBase",
    "Request",
    "Sampling",
    "Server",
    "Snippet",
    "SteeringTrace",
    "TextDelta",
    "proxy_tuned",
    "steer",
]

_ELSEWHERE = {
    "Engine": "engine",
    "Family": "family",
    "ProxyTunedForCausalLM": "composite",
    "proxy_tuned": "transformers_generate",
    "Recall": "remote.recall",
    "RemoteBase": "remote.base",
    "Server": "remote.client",
    "steer": "steering",
}


def __getattr__(name: str) -> object:
    """Resolve public names on first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_ELSEWHERE.get(name, 'request')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
