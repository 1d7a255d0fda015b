"""What a run of the graph is given and never stores: its writer, its finder, its settings, its brake."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from uuid import uuid4

from proxycouncil.graphs.planning import Planner
from proxycouncil.graphs.protocols import Generator, Searcher, SlateForm, SlateOrder
from proxycouncil.graphs.state import Ballot
from proxycouncil.specialists.request import Pair, Shot

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

GENERALIST = "general"

Signal: TypeAlias = Literal["cross_scores", "p_true"]
"""`p_true` is measured together with the cross-scores."""

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
    locale: str = ""
    """How its documents write numbers and dates, and so its answers; "": as the settings say."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a question is handled; see council.toml."""

    ask_at_most: int = 3
    mass: float = 0.9
    ballots: int = 2
    deadline_s: float = 60.0
    quorum: int = 2
    target_risk: float = 0.05
    proven_only: bool = False
    """Nothing is answered where the calibration did not prove that risk."""
    excerpts: int = 4
    own_excerpts: int | None = None
    """On a member's own slate. None: as many as on the shared one."""
    slate: SlateForm = "sentences"
    order: SlateOrder = "best_first"
    """Of the shared slate."""
    own_order: SlateOrder = "shuffled"
    max_new_tokens: int = 48
    verbatim: bool = False
    """Members write only what stands on their slate, or the refusal."""
    ask_between: tuple[float, float] | None = None
    """A person decides where the confidence lies from the first to the second; needs a checkpointer."""
    early_stop: bool = False
    """Whether members still reading are stopped once they can't change the outcome."""
    unsure_below: float | None = None
    """A member less sure of its reading than this casts its best excerpt verbatim. None: never."""
    cross_scoring: bool = False
    """Every reading's vote is spread over all answers, as likely as it would have given them."""
    signals: tuple[Signal, ...] = ()
    """What is measured beside the vote and kept with the count."""
    reconsider_below: float | None = None
    """Members read what the answers in dispute cite where the lead is smaller than this. None: never."""
    temperature: float = 0.0
    grammar: str | None = None
    """A JSON Schema as JSON text: answers are objects that fit it (see `structured`)."""
    stop: tuple[str, ...] = ()
    """A member's text ends before the first of these."""
    plan: bool = False
    """Whether a question of several parts is asked part by part."""
    members: tuple[str, ...] = ()
    """Ask just those, unless the question itself names some; empty: the router chooses."""
    locale: str = ""
    """How answers write numbers and dates, as `de-DE`; "": nobody said, ambiguous notations stay apart."""


Entails: TypeAlias = Callable[[Sequence[tuple[str, str]]], Sequence[float]]
"""Probabilities that the second text of each pair follows from the first. Blocks: called in a thread."""


_TURNS_AT_ONCE = 256
"""More than run side by side in one context."""


class StoppedReading(Exception):  # noqa: N818 (nothing went wrong)
    """Raised out of `Consultation.braked` once its turn is told to stop."""


class Consultation:
    """The brake of a turn: stops members that are still reading. Lives in the context, never in state.

    `stop()` is for whoever runs the graph and ends everything; `settle()` ends one turn, so that a context
    that serves many turns, one after another or side by side, is none the worse for it.
    """

    def __init__(self) -> None:
        self._stopped = False
        self._turns: OrderedDict[str, _Brake] = OrderedDict()
        self._heard: dict[str, list[Ballot]] = {}

    @property
    def stopped(self) -> bool:
        """Whether all members were told to stop."""
        return self._stopped

    def stop(self) -> None:
        """Tell every member that still reads to hand in what it has, as `stopped`."""
        self._stopped = True
        for brake in self._turns.values():
            brake.pull()

    def settle(self, turn: str) -> None:
        """Tell the members that still read in this turn that its outcome is settled."""
        self._brake(turn).pull()

    def hear(self, turn: str, ballots: Sequence[Ballot]) -> Sequence[Ballot]:
        """Take in a member's ballots; returns all that were taken in in this turn."""
        self._brake(turn)
        heard = self._heard.setdefault(turn, [])
        heard += ballots
        return heard

    @contextmanager
    def braked(self, turn: str = "") -> Iterator[None]:
        """Break off what the current task does inside, once members of the turn are told to stop.

        A task of its own that waits for the brake would double what a reading costs.

        Raises:
            StoppedReading: they were told.
        """
        brake, task = self._brake(turn), asyncio.current_task()
        if task is None:
            raise RuntimeError("a reading runs in a task")
        if brake.is_pulled():
            raise StoppedReading
        before = task.cancelling()
        brake.tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            # Cancelled from elsewhere as well, it stays cancelled (as in asyncio.timeout).
            if brake.is_pulled() and task.uncancel() <= before:
                raise StoppedReading from None
            raise
        finally:
            brake.tasks.discard(task)

    def _brake(self, turn: str) -> _Brake:
        """Of this turn; turns that are long over are forgotten."""
        if turn not in self._turns:
            self._turns[turn] = _Brake(pulled=self._stopped)
            if len(self._turns) > _TURNS_AT_ONCE:
                self._heard.pop(self._turns.popitem(last=False)[0], None)
        return self._turns[turn]


@dataclass(slots=True)
class _Brake:
    """Of one turn, with the readings that it breaks off."""

    pulled: bool
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def is_pulled(self) -> bool:
        """Now: it may change while a reading waits."""
        return self.pulled

    def pull(self) -> None:
        """From any thread, and from inside a reading: what it stops is stopped at its next wait."""
        if not self.pulled:
            self.pulled = True
            for task in tuple(self.tasks):
                task.get_loop().call_soon_threadsafe(self._break_off, task)

    def _break_off(self, task: asyncio.Task[Any]) -> None:
        if task in self.tasks:
            task.cancel()


@dataclass(frozen=True, slots=True)
class CouncilContext:
    """The runtime context of the graph (`context_schema`)."""

    generator: Generator
    searcher: Searcher
    members: Mapping[str, Member]
    settings: Settings = Settings()
    calibration: Mapping[str, Any] | None = None
    """calibration.json: how routes and confidences were fitted; None: uncalibrated."""
    stale: tuple[str, ...] = ()
    """Parts of the council that have changed since the calibration was fitted: it promises nothing then."""
    entails: Entails | None = None
    """Says which answers mean the same although their words differ; None: words and numbers decide alone."""
    shots: Callable[[str, str], tuple[Shot, ...]] | None = None
    """Examples for a member's name and a question. Blocks: called in a thread."""
    planner: Planner | None = None
    """Splits a question where `settings.plan` says so; None: by rule."""
    consultation: Consultation = field(default_factory=Consultation)
    new_turn: Callable[[], str] = lambda: uuid4().hex
    version: str | None = None
    """Which version of the council this is; None: none was promoted."""
    hold: object = None
    """What must stay open for as long as this context is used: a version that has been replaced since."""
    user: str | None = None
    """Whose memories are read; None: nobody's."""
    store: BaseStore | None = None
    """Where memories lie: the store that the graph was compiled with; None: there is no memory."""
    emit: Emit | None = None
    """Takes progress events at once, from any thread; None: they go into LangGraph's custom stream."""

    def calibrated(self, part: str) -> Mapping[str, Any] | None:
        """One part of the calibration ("route", "confidence"), None where it was not fitted."""
        found = (self.calibration or MappingProxyType({})).get(part)
        return found if isinstance(found, Mapping) else None
