"""The HTTP side of `council serve`: routes, bearer token, limits. Knows no model.

Without a token only callers on the same machine are served, and only under a loopback name: a web page that
resolves its own name to this machine is turned away, and so is a body that is not declared as JSON.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from proxycouncil.council.serve.completions import Completions
from proxycouncil.council.serve.limits import Gate, Limits, Meter, OverLimitError
from proxycouncil.council.serve.metrics import Metrics
from proxycouncil.council.serve.wire import ChatRequest, failure, problem
from proxycouncil.council.versions.following import Follower, Result
from proxycouncil.errors import CouncilError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from proxycouncil.council.council import Council

T = TypeVar("T")

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_GONE = 499
"""nginx' number for a caller that did not wait."""


def create_app(
    council: Council, *, token: str | None, limits: Limits | None = None, look_every_s: float = 1.0
) -> FastAPI:
    """The application.

    `app.state.follower.ask()` reloads the council's settings; promoted versions are taken over unasked.

    Args:
        council: answers; warmed when the application starts, left open when it ends.
        token: every request but `/healthz` must bear it; None: only for a server on loopback.
        limits: of size, rate and concurrency.
        look_every_s: how often is looked whether a version was promoted.
    """
    door = _Door(council, token=token, limits=limits or Limits())
    follower = Follower(council, every_s=look_every_s, told=door.reloaded)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        preparing = asyncio.create_task(asyncio.to_thread(_prepare, council))
        async with follower.running():
            yield
        await preparing

    app = FastAPI(title="council", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.follower = follower
    app.add_api_route("/healthz", _healthy, methods=["GET"])
    app.add_api_route("/metrics", door.show_metrics, methods=["GET"], response_model=None)
    app.add_api_route("/v1/models", door.list_models, methods=["GET"], response_model=None)
    app.add_api_route("/v1/models/{name}", door.show_model, methods=["GET"], response_model=None)
    app.add_api_route("/v1/chat/completions", door.complete, methods=["POST"], response_model=None)
    return app


def _prepare(council: Council) -> None:
    """So that the first request finds everything open; what can't be opened is its answer."""
    with suppress(CouncilError):
        council.prepare()


async def _healthy() -> dict[str, str]:
    """Whether the process answers; it tells nothing else, since it asks for no token."""
    return {"status": "ok"}


class _RefusedError(Exception):
    """A request that does not come in."""

    def __init__(self, status: int, message: str, *, code: str) -> None:
        super().__init__(message)
        self.response = JSONResponse(problem(message, code=code), status)


class _Door:
    """Who comes in, and what each route answers."""

    def __init__(self, council: Council, *, token: str | None, limits: Limits) -> None:
        self._token = token
        self._limits = limits
        self._meter = Meter(limits.per_minute)
        self._gate = Gate(limits.at_once, waiting=limits.waiting)
        self._metrics = Metrics(self._gate)
        self._completions = Completions(council, self._metrics)

    def reloaded(self, result: Result) -> None:
        """A new version was taken over, or refused."""
        self._metrics.reloaded(result)

    async def show_metrics(self, request: Request) -> Response:
        """Prometheus' page."""
        return self._admitted(request) or PlainTextResponse(
            self._metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    async def list_models(self, request: Request) -> Response:
        """`council` and every member."""
        listed = {"object": "list", "data": [_model(name) for name in self._completions.models]}
        return self._admitted(request) or JSONResponse(listed)

    async def show_model(self, request: Request, name: str) -> Response:
        """One of them."""
        if refused := self._admitted(request):
            return refused
        if name not in self._completions.models:
            return JSONResponse(problem(f"no model is called {name!r}", code="model_not_found"), 404)
        return JSONResponse(_model(name))

    async def complete(self, request: Request) -> Response:
        """Chat completions, whole or streamed."""
        if refused := self._admitted(request):
            return refused
        started, model = perf_counter(), "none"
        try:
            self._meter.take(self._caller(request))
            asked = ChatRequest.model_validate_json(await self._body(request))
            model = asked.model if asked.model in self._completions.models else "unknown"
            if asked.stream:
                return await self._streamed(request, asked, model=model, started=started)
            answer = await _unless_gone(request, lambda: self._whole(asked))
        except _RefusedError as error:
            response: Response = error.response
        except OverLimitError as error:
            response = _come_again(error)
        except Exception as error:  # noqa: BLE001 (every error has its shape on the wire)
            status, body = failure(error)
            response = JSONResponse(body, status)
        else:
            response = Response(status_code=_GONE) if answer is None else JSONResponse(answer)
        self._metrics.ended(model, response.status_code, seconds=perf_counter() - started)
        return response

    async def _whole(self, asked: ChatRequest) -> dict[str, Any]:
        async with self._gate.enter():
            return await self._completions.whole(asked)

    async def _streamed(
        self, request: Request, asked: ChatRequest, *, model: str, started: float
    ) -> Response:
        """The first event is waited for, so that a request which can't be answered gets its status."""
        events = self._events(asked)
        first = await _unless_gone(request, lambda: anext(events))

        async def all_events() -> AsyncIterator[str]:
            status = _GONE
            try:
                async with aclosing(events):
                    yield first or ""
                    async for event in events:
                        yield event
                status = 200
            finally:
                self._metrics.ended(model, status, seconds=perf_counter() - started)

        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingResponse(all_events(), media_type="text/event-stream", headers=headers)

    async def _events(self, asked: ChatRequest) -> AsyncGenerator[str, None]:
        async with self._gate.enter(), aclosing(self._completions.stream(asked)) as events:
            async for event in events:
                yield event

    def _admitted(self, request: Request) -> Response | None:
        """None for who may come in."""
        if self._token is None:
            name = (request.url.hostname or "").lower()
            if name in LOOPBACK:
                return None
            return JSONResponse(problem(f"this server is not called {name}", code="wrong_host"), 403)
        given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        if secrets.compare_digest(given, self._token.encode()):
            return None
        return JSONResponse(
            problem("the bearer token is missing or wrong", code="invalid_api_key"),
            401,
            headers={"WWW-Authenticate": "Bearer"},
        )

    def _caller(self, request: Request) -> str:
        return "token" if self._token else (request.client.host if request.client else "")

    async def _body(self, request: Request) -> bytes:
        """At most so many bytes, whatever the headers promise."""
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise _RefusedError(415, "the body must be application/json", code="wrong_type")
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > self._limits.body_bytes:
                raise _RefusedError(
                    413, f"the body has more than {self._limits.body_bytes:,} bytes", code="too_large"
                )
        return bytes(body)


async def _unless_gone(request: Request, work: Callable[[], Awaitable[T]]) -> T | None:
    """The work's result; a caller who hangs up ends it, and the members with it."""
    task = asyncio.ensure_future(work())
    hung_up = asyncio.ensure_future(_hang_up(request))
    try:
        await asyncio.wait({task, hung_up}, return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        for one in (task, hung_up):
            one.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(task, hung_up, return_exceptions=True)


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _come_again(error: OverLimitError) -> Response:
    seconds = max(1, round(error.after_s))
    body = problem(str(error), kind="rate_limit_error", code=error.code)
    return JSONResponse(body, 429, headers={"Retry-After": str(seconds)})


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "proxycouncil"}
