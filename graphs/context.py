"""What a run of the graph is given and never stores: its writer, its finder, its settings, its brake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias
from uuid import uuid4

from proxycouncil.graphs.protocols import Generator, Searcher, SlateForm, SlateOrder
from proxycouncil.specialists.request import Pair

GENERALIST = "general"

Emit: TypeAlias = Callable[[dict[str, Any]], None]
"""Takes one progress event, a plain dict with a `type`."""


@dataclass(frozen=True, slots=True)
class Member:
    """One seat: how it is steered and what it reads on its own."""

    name: str
    pairs: tuple[Pair, ...] = ()
    domains: tuple[str, ...] | None = None
    """Collections of its own slate; None: all of them."""
    instruction: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a question is handled; see council.toml."""

    ask_at_most: int = 3
    mass: float = 0.9
    ballots: int = 2
    deadline_s: float = 60.0
    quorum: int = 2
    target_risk: float = 0.05
    excerpts: int = 4
    slate: SlateForm = "sentences"
    order: SlateOrder = "best_first"
    """Of the shared slate."""
    own_order: SlateOrder = "shuffled"
    max_new_tokens: int = 48
    verbatim: bool = False
    """Members write only what stands on their slate, or the refusal."""
    unsure_below: float | None = None
    """A member less sure of its reading than this casts its best excerpt verbatim. None: never."""
    temperature: float = 0.0
    stop: tuple[str, ...] = ()
    """A member's text ends before the first of these."""
    members: tuple[str, ...] = ()
    """Ask just those, unless the question itself names some; empty: the router chooses."""


class Consultation:
    """The brake of one turn: stops members that are still reading. Lives in the context, never in state."""

    def __init__(self) -> None:
        self._stopped = asyncio.Event()

    @property
    def stopped(self) -> bool:
        """Whether members were told to stop."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Tell every member that still reads to hand in what it has, as `stopped`."""
        self._stopped.set()

    async def wait(self) -> None:
        """Return once members are told to stop."""
        await self._stopped.wait()


@dataclass(frozen=True, slots=True)
class CouncilContext:
    """The runtime context of the graph (`context_schema`)."""

    generator: Generator
    searcher: Searcher
    members: Mapping[str, Member]
    settings: Settings = Settings()
    calibration: Mapping[str, Any] | None = None
    """calibration.json: how routes and confidences were fitted; None: uncalibrated."""
    consultation: Consultation = field(default_factory=Consultation)
    new_turn: Callable[[], str] = lambda: uuid4().hex

    def calibrated(self, part: str) -> Mapping[str, Any] | None:
        """One part of the calibration ("route", "confidence"), None where it was not fitted."""
        found = (self.calibration or MappingProxyType({})).get(part)
        return found if isinstance(found, Mapping) else None
