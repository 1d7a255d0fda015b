"""An application while it runs on the cluster that Ray is connected to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from proxycouncil.council.deploy.application import application_of, open_named
from proxycouncil.council.deploy.settings import NAME, DeploySettings
from proxycouncil.errors import ConfigError

if TYPE_CHECKING:
    from proxycouncil.council.council import Council


@contextmanager
def deployed(
    settings: DeploySettings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    opener: Callable[[], Council] | None = None,
) -> Iterator[None]:
    """Serve the council until the end of the block; entered once its replicas are ready.

    Args:
        settings: replicas, sizes, limits.
        host: where each node's proxy listens.
        port: likewise.
        opener: opens another council than `settings.config` names.

    Raises:
        ConfigError: the proxies or the replicas don't come up.
    """
    from ray import serve

    application = application_of(opener or partial(open_named, settings.config), settings)
    # Of what Serve says here only warnings: that it runs already and keeps its port is one.
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    _start(serve, host=host, port=port)
    try:
        _run(serve, application)
        yield
    finally:
        serve.delete(NAME)


def _start(serve: Any, *, host: str, port: int) -> None:  # noqa: ANN401 (a module without types)
    from ray.exceptions import RayError

    try:
        serve.start(http_options={"host": host, "port": port}, logging_config={"log_level": "WARNING"})
    except (RayError, RuntimeError, TimeoutError) as error:
        raise ConfigError(
            f"no proxy comes up at {host}:{port}: {error}",
            hint="--port takes another port; a machine too busy to start one is another reason",
        ) from error


def _run(serve: Any, application: Any) -> None:  # noqa: ANN401 (a module without types)
    try:
        serve.run(application, name=NAME, route_prefix="/")
    except RuntimeError as error:
        raise ConfigError(
            f"the replicas don't come up: {_cause(serve, error)}",
            hint="`council doctor` says what is missing",
        ) from error


def _cause(serve: Any, error: RuntimeError) -> str:  # noqa: ANN401 (a module without types)
    """What a replica said last, else what Serve says."""
    application = serve.status().applications.get(NAME)
    told = [one.message for one in application.deployments.values() if one.message] if application else []
    lines = [line.strip() for line in "\n".join(told).splitlines() if line.strip()]
    return lines[-1] if lines else str(error)
