"""The Serve application: each replica is `council serve`'s own application around a council of its own.

A whole question is answered by one replica, so its members share one engine's steps and one prompt. Knows Ray
Serve; what is served is `council/serve`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from proxycouncil.council.cluster import import_ray
from proxycouncil.council.deploy.settings import STARTER, DeploySettings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from proxycouncil.council.council import Council

TOKEN_VARIABLE = "COUNCIL_TOKEN"  # noqa: S105 (the name of a variable)


def create_application(arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401 (serve.Application, no types)
    """What a Serve configuration file names; its `args` are `DeploySettings`.

    The bearer token is taken from COUNCIL_TOKEN on each node, and stands in no file.
    """
    settings = DeploySettings.model_validate(dict(arguments))
    return application_of(partial(open_named, settings.config), settings)


def application_of(opener: Callable[[], Council], settings: DeploySettings) -> Any:  # noqa: ANN401 (no types)
    """The application of a council that each replica opens for itself.

    Args:
        opener: is sent to each replica.
        settings: replicas, sizes, limits.
    """
    import_ray()
    from ray import serve

    def build() -> FastAPI:
        return replica_app(opener, settings)

    return serve.deployment(serve.ingress(build)(), **settings.options()).bind()


def replica_app(opener: Callable[[], Council], settings: DeploySettings) -> FastAPI:
    """One replica's application. Serve sends requests once this returns: all is open then."""
    from proxycouncil.council.serve.app import create_app
    from proxycouncil.council.serve.limits import Limits

    council = opener()
    council.prepare()
    # Serve holds back what is more than `at_once`; nothing has to wait in here.
    limits = Limits(per_minute=settings.per_minute, at_once=settings.at_once, waiting=settings.waiting)
    return create_app(council, token=os.environ.get(TOKEN_VARIABLE, "").strip() or None, limits=limits)


def open_named(config: str) -> Council:
    """The council of a council.toml, or the embedded one."""
    from proxycouncil.council.council import Council

    return Council.starter() if config == STARTER else Council.from_file(config)
