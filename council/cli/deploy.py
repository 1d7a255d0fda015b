"""`council deploy`: replicas of `council serve` under Ray Serve, here or on a cluster."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxycouncil.council.cli.doors import Host, Port, bearer_token
from proxycouncil.council.cli.running import ConfigFile, Debug, named_file, process_of
from proxycouncil.errors import UsageError

if TYPE_CHECKING:
    from proxycouncil.council.deploy.settings import DeploySettings


def deploy(
    ctx: typer.Context,
    *,
    replicas: Annotated[int, typer.Option("--replicas", min=1, help="Replicas; the fewest.")] = 1,
    max_replicas: Annotated[
        int | None, typer.Option("--max-replicas", min=1, help="Start more when busy, up to so many.")
    ] = None,
    ongoing: Annotated[
        float, typer.Option("--ongoing", min=0.1, help="Requests a replica that this aims at.")
    ] = 4.0,
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="Most answers at once by a replica.")] = 8,
    per_minute: Annotated[
        float, typer.Option("--per-minute", min=1.0, help="Requests a minute by each caller, per replica.")
    ] = 120.0,
    cpus: Annotated[float, typer.Option("--cpus", min=0.0, help="Processors of a replica.")] = 1.0,
    gpus: Annotated[float, typer.Option("--gpus", min=0.0, help="GPUs of a replica.")] = 0.0,
    sticky: Annotated[
        bool, typer.Option("--sticky", help="The same x-session-id goes to the same replica.")
    ] = False,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    address: Annotated[
        str | None, typer.Option("--address", help="A running Ray cluster; by default one of this machine.")
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", help="Only write the file that `serve deploy` takes.")
    ] = None,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Serve the council by replicas under Ray Serve.

    The same endpoints as `council serve`. What `council promote` lets answer is taken over by every replica
    while requests go on. A bearer token is taken from COUNCIL_TOKEN, on each node.
    """
    from pydantic import ValidationError

    from proxycouncil.council.deploy.settings import STARTER, DeploySettings, check_shared

    file = named_file(config)
    try:
        settings = DeploySettings(
            config=STARTER if file is None else str(file.expanduser().resolve()),
            replicas=replicas,
            max_replicas=max_replicas,
            ongoing=ongoing,
            at_once=at_once,
            per_minute=per_minute,
            cpus=cpus,
            gpus=gpus,
            sticky=sticky,
        )
    except ValidationError as error:
        raise UsageError(error.errors()[0]["msg"], hint="council deploy --help") from error
    token = bearer_token(host)
    with process_of(ctx).open(config) as council:
        check_shared(council.config, settings)
    if write is not None:
        _write(write, settings, host=host, port=port)
    else:
        _run(settings, address, host=host, port=port, open_to="callers with the token" if token else host)


def _write(file: Path, settings: DeploySettings, *, host: str, port: int) -> None:
    import yaml

    try:
        with file.open("x", encoding="utf-8") as out:
            yaml.safe_dump(settings.serve_file(host=host, port=port), out, sort_keys=False)
    except FileExistsError as error:
        raise UsageError(f"{file} is there already", hint="name another file, or move that one") from error
    except OSError as error:
        raise UsageError(f"can't write {file}: {error.strerror}", hint="name another file") from error
    typer.echo(f"{file}: `serve deploy {file}` runs it where RAY_DASHBOARD_ADDRESS points to", err=True)


def _run(settings: DeploySettings, address: str | None, *, host: str, port: int, open_to: str) -> None:
    """Until Ctrl-C. On a cluster of our own everything ends then, on another one the application."""
    from proxycouncil.council.cluster import cluster
    from proxycouncil.council.deploy.running import deployed

    with cluster(address, cpus=settings.cpus * settings.most):
        more = f", {settings.most} at the most" if settings.most > settings.replicas else ""
        typer.echo(f"starting replicas ({settings.replicas}{more}) …", err=True)
        with deployed(settings, host=host, port=port):
            typer.echo(f"http://{host}:{port}/v1 answers {open_to}; Ctrl-C ends it", err=True)
            while True:
                time.sleep(3600)
