"""A Ray cluster to work on: one that runs already, or one of this machine for as long as it is needed.

Knows Ray's beginning and end; nothing of what runs on it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from proxycouncil.errors import ConfigError, MissingExtraError

ADDRESS_VARIABLE = "RAY_ADDRESS"
_OBJECT_STORE_BYTES = 200_000_000
"""Questions and answers are all that passes through it."""


def import_ray() -> Any:  # noqa: ANN401 (a module without types)
    """Ray.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError(
            f"a package is missing: {error.name}", hint="pip install 'proxycouncil[ray]'"
        ) from error
    return ray


@contextmanager
def cluster(address: str | None = None, *, cpus: float = 1.0) -> Iterator[Any]:
    """Ray, connected; what runs on a cluster of our own ends with it.

    Args:
        address: of a running cluster (`auto`, `ray://…`); by default what RAY_ADDRESS names, else one is
            started on this machine, without dashboard and without telling anybody that it runs.
        cpus: at least so many are offered by a cluster of our own, whether or not there are as many.

    Raises:
        MissingExtraError: Ray is not installed.
        ConfigError: no cluster answers there, or none can be started here.
    """
    ray = import_ray()
    address = address or os.environ.get(ADDRESS_VARIABLE)
    if address:
        _connect(ray, address)
    else:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        _start(ray, max(os.cpu_count() or 1, math.ceil(cpus)))
    try:
        yield ray
    finally:
        ray.shutdown()


def _start(ray: Any, cpus: int) -> None:  # noqa: ANN401 (a module without types)
    try:
        ray.init(
            num_cpus=cpus,
            object_store_memory=_OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="error",
        )
    except Exception as error:  # (Ray raises just that)
        raise ConfigError(
            f"no Ray cluster could be started here: {error}",
            hint="Ray's own words lie in /tmp/ray/session_latest/logs; a machine too busy to start it is one "
            "reason",
        ) from error


def _connect(ray: Any, address: str) -> None:  # noqa: ANN401 (a module without types)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"no Ray cluster answers at {address}: {error}",
            hint="`ray start --head` starts one; leave the address out for one of this machine's own",
        ) from error
