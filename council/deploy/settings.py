"""How a council is deployed: how many replicas of what size, and what each of them takes on.

Knows names, bounds and Ray Serve's words for them; imports nothing of Ray.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from proxycouncil.errors import ConfigError

if TYPE_CHECKING:
    from proxycouncil.council.config import CouncilConfig

APPLICATION = "proxycouncil.council.deploy.application:create_application"
"""What Ray Serve imports."""
NAME = "council"
STARTER = "starter"
STICKY_HEADER = "x-session-id"
_ROUTER = "ray.serve.experimental.consistent_hash_router.ConsistentHashRouter"
_SQLITE = "sqlite:"


class DeploySettings(BaseModel):
    """The arguments of the Serve application."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    config: str = STARTER
    """A council.toml where every node finds it, or `starter`."""
    replicas: int = Field(default=1, ge=1)
    """Replicas; with `max_replicas` the fewest."""
    max_replicas: int | None = Field(default=None, ge=1)
    """The most that autoscaling starts; unset: always `replicas`."""
    ongoing: float = Field(default=4.0, gt=0)
    """Requests a replica that autoscaling aims at."""
    at_once: int = Field(default=8, ge=1)
    """Answers a replica works on at once; further requests go to another, or wait."""
    waiting: int = Field(default=256, ge=1)
    """Requests that may wait in each proxy; more are turned away with 503."""
    per_minute: float = Field(default=120.0, ge=1)
    """Requests a minute by each caller, counted by each replica."""
    cpus: float = Field(default=1.0, ge=0)
    """Processors reserved for a replica; Ray gives its libraries as many threads."""
    gpus: float = Field(default=0.0, ge=0)
    """GPUs reserved for a replica."""
    sticky: bool = False
    """Requests with the same `x-session-id` go to the same replica, else to the less busy of two."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max_replicas is not None and self.max_replicas < self.replicas:
            raise ValueError(f"max_replicas ({self.max_replicas}) is less than replicas ({self.replicas})")
        return self

    @property
    def most(self) -> int:
        """Replicas at the most."""
        return self.max_replicas or self.replicas

    def options(self) -> dict[str, Any]:
        """Options of the deployment, in Ray Serve's words."""
        scaled: dict[str, Any] = {"num_replicas": self.replicas}
        if self.max_replicas is not None:
            scaled = {
                "autoscaling_config": {
                    "min_replicas": self.replicas,
                    "max_replicas": self.max_replicas,
                    "target_ongoing_requests": self.ongoing,
                }
            }
        routed = {"request_router_config": {"request_router_class": _ROUTER}} if self.sticky else {}
        return {
            # A proxy keeps the router that it made for a deployment's name (Ray 2.60), whatever is asked for
            # under that name later.
            "name": f"{NAME}-sticky" if self.sticky else NAME,
            "max_ongoing_requests": self.at_once,
            "max_queued_requests": self.waiting,
            "ray_actor_options": {"num_cpus": self.cpus, "num_gpus": self.gpus},
            **scaled,
            **routed,
        }

    def serve_file(self, *, host: str, port: int) -> dict[str, Any]:
        """What `serve deploy` and KubeRay's RayService read."""
        return {
            "http_options": {"host": host, "port": port},
            "applications": [
                {
                    "name": NAME,
                    "route_prefix": "/",
                    "import_path": APPLICATION,
                    "args": self.model_dump(exclude_defaults=True),
                }
            ],
        }


def check_shared(config: CouncilConfig, settings: DeploySettings) -> None:
    """Refuse what several replicas would each have for themselves.

    Raises:
        ConfigError: conversations in a SQLite file, of which there would be several writers.
    """
    where = config.council.checkpoints or ""
    if settings.most > 1 and where.startswith(_SQLITE):
        raise ConfigError(
            f"council.checkpoints is {where}, and {settings.most} replicas would each write it",
            hint='a server: checkpoints = "postgresql://USER:PASSWORD@HOST/DATABASE"; or leave it out, '
            "`council deploy` keeps no conversations of its own",
        )


def nodes_must_see(config: CouncilConfig) -> tuple[Path, ...]:
    """Files and folders that each node needs at the same place; none for what servers give."""
    named = [config.family.antiexpert, config.generalist.expert]
    named += [one.expert for one in config.specialists.values()]
    if config.family.base_url is None:
        named.append(config.family.base)
    places = [Path(one) for one in named if one and Path(one).is_absolute()]
    if config.retrieval.url is None:
        places.append(Path(config.retrieval.path))
    return tuple(dict.fromkeys(places))
