"""The way to a server: requests with timeouts, retries with growing pauses, and errors that say what to do.

Knows HTTP and one dialect; nothing of models, texts or steering.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from proxycouncil.errors import RemoteBaseError, RemoteBaseGoneError
from proxycouncil.specialists.remote.certificate import Seen
from proxycouncil.specialists.remote.dialects import Json, ServerKind, dialect_of

if TYPE_CHECKING:
    from types import TracebackType

    from httpx import AsyncClient, Response

_BUSY = frozenset((408, 425, 429, 500, 502, 503, 504))
"""What may be different the next time."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0


@dataclass(frozen=True, slots=True)
class Server:
    """Where a base stands and how it is reached."""

    url: str
    """Its root; a `/v1` at the end is left out."""
    kind: ServerKind = "llama.cpp"
    model: str = ""
    """What the server calls the base; llama.cpp has only one and does not ask."""
    key: str | None = field(default=None, repr=False)
    """Sent as a bearer token."""
    timeout_s: float = 30.0
    """Seconds without a byte after which a request is given up."""
    retries: int = 4
    """Further tries of a request that met no server, or a busy one."""

    @property
    def root(self) -> str:
        """The address without what every path begins with anyway."""
        return self.url.rstrip("/").removesuffix("/v1")


class Client:
    """Requests to one server, over connections that live as long as its `async with` block.

    `filler` is a token that is a whole character; `sleep` and `draw` (uniform in [0, 1)) are what the pauses
    between tries are made of.
    """

    def __init__(
        self,
        server: Server,
        *,
        filler: int | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.server = server
        self.dialect = dialect_of(server.kind, server.model, filler)
        self.requests = 0
        """Sent so far, retries counted."""
        self._sleep, self._draw = sleep, draw
        self._http: AsyncClient | None = None
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._http = await self._open.enter_async_context(_http_client(self.server))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def ask(
        self, prompts: Sequence[Sequence[int]], *, top_k: int, favour: Collection[int] = ()
    ) -> list[Seen]:
        """What the base says after each prompt: one request for all of them.

        Raises:
            RemoteBaseGoneError: no server, or none that had time, after all retries.
            RemoteBaseError: it refused, or does not tell what steering needs.
        """
        body = self.dialect.question(prompts, top_k=top_k, favour=favour)
        reply = await self.call("POST", self.dialect.completions, body)
        told = self.dialect.answer(reply, len(prompts))
        if not favour and not all(one.logprobs for one in told):
            raise RemoteBaseError("the server returned no log-probabilities", hint=self.dialect.hint)
        return told

    async def spell(self, ids: Sequence[int]) -> str:
        """The text that the server makes of token ids. Raises as `ask`."""
        body = self.dialect.spelling(ids)
        return self.dialect.spelled(await self.call("POST", "/detokenize", body))

    async def models(self) -> list[str]:
        """Names of what the server serves. Raises as `ask`."""
        reply = await self.call("GET", self.dialect.models)
        return [str(one["id"]) for one in reply.get("data", [])]

    async def call(self, method: str, path: str, body: Json = None) -> Json:
        """One request, tried again after growing pauses while nobody answers or the server is busy."""
        for pause in (*self._pauses(), None):
            fault = await self._try(method, path, body)
            if not isinstance(fault, str):
                return fault.value
            if pause is not None:
                await self._sleep(pause)
        raise RemoteBaseGoneError(
            f"the base's server {self.server.root} is gone: {fault} ({self.server.retries + 1} tries)",
            hint="start it or correct family.base_url; `council doctor` says whether it is there",
        )

    async def _try(self, method: str, path: str, body: Json) -> _Reply | str:
        """The reply, or why another try may help."""
        import httpx

        if self._http is None:
            raise RemoteBaseError("the client is not open", hint="use it in an `async with` block")
        self.requests += 1
        try:
            response = await self._http.request(method, self.server.root + path, json=body)
        except httpx.TransportError as error:
            return f"{type(error).__name__} {error}".strip()
        if response.status_code in _BUSY:
            return f"status {response.status_code}, {_said(response)}"
        return _Reply(_read(response, self.dialect.hint))

    def _pauses(self) -> list[float]:
        """Seconds before each further try: doubling, of random length so that clients don't come together."""
        longest = (min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**number) for number in range(self.server.retries))
        return [most * (0.5 + 0.5 * self._draw()) for most in longest]


@dataclass(frozen=True, slots=True)
class _Reply:
    value: Json


def _http_client(server: Server) -> AsyncClient:
    try:
        import httpx
    except ImportError as error:
        raise RemoteBaseError(
            "a base behind a server needs the package httpx", hint="pip install 'proxycouncil[remote]'"
        ) from error
    headers = {"Authorization": f"Bearer {server.key}"} if server.key else {}
    # Which certificates are trusted takes long to read and is of no use to a plain address.
    secure = server.url.startswith("https:")
    return httpx.AsyncClient(headers=headers, timeout=server.timeout_s, verify=secure)


def _read(response: Response, hint: str) -> Json:
    status = response.status_code
    if status in (401, 403):
        hint = "name the environment variable that holds the key: family.base_key_env"
    elif status == 404:
        hint = "is family.base_server right, and family.base a name that the server knows?"
    if response.is_error or response.is_redirect:
        raise RemoteBaseError(f"the base's server refused: status {status}, {_said(response)}", hint=hint)
    try:
        return response.json()
    except ValueError as error:
        raise RemoteBaseError(
            f"the base's server did not answer in JSON: {_said(response)}", hint=hint
        ) from error


def _said(response: Response) -> str:
    """The server's own words, shortened."""
    try:
        told: Any = response.json()
        error = told.get("error", told.get("message", told)) if isinstance(told, dict) else told
        text = str(error.get("message", error) if isinstance(error, dict) else error)
    except ValueError:
        text = response.text
    return " ".join(text.split())[:300] or response.reason_phrase
