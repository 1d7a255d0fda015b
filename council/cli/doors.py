"""`council serve` and `council mcp`: the council for other programs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from proxycouncil.council.cli.running import ConfigFile, Debug, process_of
from proxycouncil.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from proxycouncil.council.council import Council

TOKEN_VARIABLE = "COUNCIL_TOKEN"  # noqa: S105 (the name of a variable)
_LEAST_TOKEN = 16
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Host = Annotated[str, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on.")]


class Transport(StrEnum):
    """How an MCP client reaches us."""

    STDIO = "stdio"
    HTTP = "http"


def serve(
    ctx: typer.Context,
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    per_minute: Annotated[
        float, typer.Option("--per-minute", min=1.0, help="Requests a minute by each caller.")
    ] = 120.0,
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="Answers worked on at once.")] = 8,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Serve OpenAI's chat completions.

    A bearer token is taken from COUNCIL_TOKEN; without one only this machine is served. What `council
    promote` lets answer is taken over while requests go on; SIGHUP reads council.toml again, too.
    """
    try:
        import uvicorn

        from proxycouncil.council.serve.app import create_app
        from proxycouncil.council.serve.limits import Limits
    except ImportError as error:
        raise _missing(error, "serve") from error
    token = bearer_token(host)
    with process_of(ctx).open(config) as council:
        app = create_app(council, token=token, limits=Limits(per_minute=per_minute, at_once=at_once))
        _reload_on_hangup(app)
        # Ten seconds for answers in flight, then the members are stopped.
        uvicorn.run(app, host=host, port=port, log_level="info", timeout_graceful_shutdown=10)


def _reload_on_hangup(app: FastAPI) -> None:
    """SIGHUP reloads, as servers have it; where the system has that signal."""
    import signal

    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: app.state.follower.ask())


def mcp(
    ctx: typer.Context,
    *,
    transport: Annotated[
        Transport, typer.Option("--transport", "-t", help="How clients reach it.")
    ] = Transport.STDIO,
    host: Host = "127.0.0.1",
    port: Port = 8001,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Serve MCP tools.

    On stdio, or with --transport http on this machine's /mcp.
    """
    if transport is Transport.HTTP and host not in _LOOPBACK:
        raise UsageError(
            f"MCP over HTTP asks for no token, and {host} can be reached by others",
            hint="bind to 127.0.0.1 and put a proxy that authenticates in front",
        )
    with process_of(ctx).open(config) as council:
        _run_mcp(council, transport, host=host, port=port)


def _run_mcp(council: Council, transport: Transport, *, host: str, port: int) -> None:
    try:
        from proxycouncil.council.mcp import create_server
    except ImportError as error:
        raise _missing(error, "mcp") from error
    server = create_server(council)
    council.warm()
    if transport is Transport.STDIO:
        try:
            server.run("stdio")
        except BaseExceptionGroup as group:
            # A client that is gone ends the server; nobody is left to be told of a fault.
            if group.split(BrokenPipeError)[1] is not None:
                raise
            raise BrokenPipeError from group
    else:
        server.run("streamable-http", host=host, port=port)


def bearer_token(host: str) -> str | None:
    """The token that callers must bear, which only a server on loopback can do without.

    Raises:
        UsageError: others could reach it without one, or it is too short to be a secret.
    """
    import os

    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token and host not in _LOOPBACK:
        raise UsageError(
            f"others can reach {host}, so a bearer token is needed",
            hint=f"{TOKEN_VARIABLE}=$(openssl rand -hex 32) council serve --host {host}",
        )
    if token and len(token) < _LEAST_TOKEN:
        raise UsageError(
            f"{TOKEN_VARIABLE} is too short to be a secret", hint=f"{_LEAST_TOKEN} characters at least"
        )
    return token or None


def _missing(error: ImportError, extra: str) -> ConfigError:
    return ConfigError(f"a package is missing: {error.name}", hint=f"pip install 'proxycouncil[{extra}]'")
