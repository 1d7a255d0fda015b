"""From settings to parts: the members, the engine, the library, the calibration. No part knows another."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from proxycouncil.council.config import CouncilConfig
from proxycouncil.errors import ConfigError, NotSupportedError
from proxycouncil.graphs.context import GENERALIST, Entails, Member, Settings
from proxycouncil.specialists.request import Event, Likelihood, Pair, Request

if TYPE_CHECKING:
    from proxycouncil.graphs.planning import Planner
    from proxycouncil.retrieval.library import Library
    from proxycouncil.specialists.engine import Engine
    from proxycouncil.specialists.family import Family
    from proxycouncil.specialists.remote.base import RemoteBase
    from proxycouncil.specialists.remote.client import Server

T = TypeVar("T")


class Opening(Generic[T]):
    """Something slow that is opened once, in a thread, as soon as anybody says so."""

    def __init__(self, opener: Callable[[], T], *, name: str) -> None:
        self._opener = opener
        self._thread = threading.Thread(target=self._open, name=name, daemon=True)
        self._lock = threading.Lock()
        self._value: T | None = None
        self._error: BaseException | None = None

    def start(self) -> None:
        """Begin opening; further calls change nothing."""
        with self._lock:
            if self._thread.ident is None:
                self._thread.start()

    def get(self) -> T:
        """The opened thing; raises what opening it raised."""
        self.start()
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # set whenever no error is

    @property
    def failure(self) -> BaseException | None:
        """What opening it raised, if it did by now."""
        return self._error

    @property
    def opened(self) -> T | None:
        """The thing, if it is open by now."""
        return None if self._thread.ident is None or self._thread.is_alive() else self._value

    def _open(self) -> None:
        try:
            self._value = self._opener()
        except BaseException as error:  # noqa: BLE001 (handed to whoever asks for the value)
            self._error = error


class OpeningEngine:
    """A `Generator` whose engine may still be loading: routing and searching need not wait for weights."""

    def __init__(self, opening: Opening[Engine | RemoteBase]) -> None:
        self._opening = opening

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        """As `Engine.generate`, once there is one."""
        engine = await self._opened()
        async for event in engine.generate(request):
            yield event

    async def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[list[Likelihood]]:
        """As `Engine.score`.

        Raises:
            NotSupportedError: the base stands behind a server.
        """
        from proxycouncil.specialists.engine import Engine

        engine = await self._opened()
        if not isinstance(engine, Engine):
            raise NotSupportedError(
                "a server tells the likeliest tokens only, so that nothing given can be scored",
                hint="load the base here (family.base_url left out)",
            )
        return await engine.score(requests, continuations)

    async def _opened(self) -> Engine | RemoteBase:
        opened = self._opening.opened
        return opened if opened is not None else await asyncio.to_thread(self._opening.get)


def open_engine(config: CouncilConfig) -> Engine | RemoteBase:
    """Load the family and start what decodes with it: here, or around a base behind a server."""
    family = open_family(config).load()
    server = base_server(config)
    if server is not None:
        from proxycouncil.specialists.remote.base import RemoteBase
        from proxycouncil.specialists.remote.recall import Recall

        named = config.family
        recall = Recall(named.top_k, named.top_k_most, contenders=named.recalls, fallback=named.fallback)
        return RemoteBase(family, server, recall=recall)
    from proxycouncil.specialists.engine import Engine

    return Engine(family, max_rows=config.family.max_rows, threads=config.family.threads)


def open_family(config: CouncilConfig) -> Family:
    """The models that run here, nothing of them read yet."""
    from proxycouncil.specialists.family import Family

    experts = {name: one.expert for name, one in config.specialists.items() if one.expert}
    if config.generalist.expert:
        experts[GENERALIST] = config.generalist.expert
    return Family(
        None if config.family.base_url else config.family.base,
        antiexpert=config.family.antiexpert,
        experts=experts,
        device=config.family.device,
        dtype=config.family.dtype,
        base_format=config.family.prompt,
        expert_format=config.family.prompt,
        quantize=config.family.quantize,
    )


def base_server(config: CouncilConfig) -> Server | None:
    """Where the base stands, if not here.

    Raises:
        ConfigError: the variable that holds its key is not set.
    """
    from proxycouncil.specialists.remote.client import Server

    named = config.family
    if named.base_url is None:
        return None
    key = os.environ.get(named.base_key_env) if named.base_key_env else None
    if named.base_key_env and not key:
        raise ConfigError(
            f"family.base_key_env names {named.base_key_env}, which is not set",
            hint=f"export {named.base_key_env}=… before starting the council",
        )
    return Server(
        named.base_url,
        named.base_server,
        named.base,
        key=key,
        timeout_s=named.timeout_s,
        retries=named.retries,
    )


def open_library(config: CouncilConfig) -> Library:
    """Open the library that `[retrieval]` names and tell it what each domain is about."""
    from proxycouncil.retrieval.library import Library

    where = config.retrieval
    library = Library(where.url or where.path, embedder=where.embedder, root=config.directory)
    for name, one in config.specialists.items():
        library.describe(name, description=one.description, examples=one.examples)
    return library


def open_entailer(config: CouncilConfig) -> Entails | None:
    """What says which answers follow from each other, if the file names a model; it is loaded when asked."""
    if config.council.entailment is None:
        return None
    from proxycouncil.retrieval.entailment import Entailer

    return Entailer(config.council.entailment)


def open_planner(config: CouncilConfig) -> Planner | None:
    """The chat model that splits questions, if the file names one; it is opened when asked."""
    if config.council.planner in ("off", "rules"):
        return None
    from proxycouncil.council.planning_model import ChatPlanner

    return ChatPlanner(config.council.planner)


def seats(
    config: CouncilConfig, alphas: Mapping[str, float], *, experts: Mapping[str, str] | None = None
) -> dict[str, Member]:
    """Every member by name; `alphas` overrides what the file says, `experts` how the family calls them."""
    called = experts or {}
    members = {
        name: Member(
            name,
            pairs=(Pair(called.get(name, name), alphas.get(name, one.alpha)),) if one.expert else (),
            domains=(name,),
            instruction=one.persona,
            locale=one.locale or "",
        )
        for name, one in config.specialists.items()
    }
    alpha = alphas.get(GENERALIST, config.generalist.alpha)
    pair = Pair(called.get(GENERALIST, GENERALIST), alpha)
    members[GENERALIST] = Member(GENERALIST, pairs=(pair,) if config.generalist.expert else ())
    return members


def settings(config: CouncilConfig) -> Settings:
    """What the graph needs to know of the file."""
    council, retrieval, vote = config.council, config.retrieval, config.vote
    return Settings(
        ask_at_most=council.ask_at_most,
        mass=council.mass,
        ballots=council.ballots,
        deadline_s=council.deadline_s,
        quorum=council.quorum,
        target_risk=council.target_risk,
        proven_only=council.proven_only,
        excerpts=retrieval.excerpts,
        own_excerpts=retrieval.own_excerpts,
        slate=retrieval.slate,
        order=retrieval.order,
        own_order=retrieval.own_order,
        max_new_tokens=council.max_new_tokens,
        verbatim=council.verbatim,
        early_stop=council.early_stop,
        ask_between=council.ask_between,
        unsure_below=council.unsure_below,
        cross_scoring=vote.cross_scoring,
        signals=vote.signals,
        reconsider_below=vote.reconsider_below,
        plan=council.planner != "off",
        locale=council.locale or "",
    )


def load_calibration(path: Path | None) -> dict[str, Any] | None:
    """calibration.json as it is; None where none is set."""
    if path is None:
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"can't read the calibration {path}: {error}",
            hint="leave out council.calibration to run uncalibrated",
        ) from error
    if not isinstance(found, dict):
        raise ConfigError(f"the calibration {path} is not a JSON object", hint="fit it again")
    return found
