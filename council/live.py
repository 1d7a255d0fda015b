"""One version of a council while it answers: its settings, passages, calibration and experts.

A question keeps the version that it began with to its end, whatever is promoted meanwhile. Python counts who
still holds one: when the last question and the council have let go, what only that version used is freed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from proxycouncil.council.assembly import load_calibration, open_entailer, open_planner, seats, settings
from proxycouncil.council.events import Answer, DecisionEvent, part_answer
from proxycouncil.council.fingerprints import changed, fingerprints
from proxycouncil.council.shots import shot_stores
from proxycouncil.graphs.context import GENERALIST, Consultation, CouncilContext
from proxycouncil.graphs.state import Decision, Part

if TYPE_CHECKING:
    from proxycouncil.council.config import CouncilConfig, MemberConfig
    from proxycouncil.council.questions import Question
    from proxycouncil.council.shelves import Shelves
    from proxycouncil.graphs.context import Member
    from proxycouncil.graphs.protocols import Generator
    from proxycouncil.graphs.state import CouncilState

Stamp: TypeAlias = tuple[object, ...]


class Live:
    """A version that answers.

    Args:
        config: with the version's parts.
        version: its id; None: nothing was promoted, the settings are as they are written.
        shelves: where passages come from; the library may still be opening.
        experts: by member, the expert's name in the family, where it is not the member's own.
    """

    def __init__(
        self,
        config: CouncilConfig,
        *,
        version: str | None,
        shelves: Shelves,
        experts: Mapping[str, str] | None = None,
    ) -> None:
        self.config = config
        self.version = version
        self.shelves = shelves
        self.experts = dict(experts or {})
        self.calibration = load_calibration(config.council.calibration)
        self.entails = open_entailer(config)
        self.planner = open_planner(config)
        self.shots = shot_stores(config, embeddings=shelves.embeddings, count=shelves.count)
        self.stamps = {name: stamp_of(one) for name, one in members_of(config).items()}
        self.successor: Live | None = None
        """Held, so that what both use outlives the questions that began with this one."""
        self._stale: tuple[str, ...] | None = None

    def members(self, alphas: Mapping[str, float]) -> dict[str, Member]:
        """Every seat by name; `alphas` overrides what the settings say."""
        return seats(self.config, alphas, experts=self.experts)

    def fingerprints(self, alphas: Mapping[str, float], *, own_engine: bool) -> dict[str, str]:
        """What a calibration fitted now would hold for."""
        return fingerprints(self.config, self.shelves.library.get(), alphas=alphas, own_engine=own_engine)

    def stale(self, alphas: Mapping[str, float], *, own_engine: bool) -> tuple[str, ...]:
        """Parts that have changed since the calibration was fitted; looked at once."""
        if self._stale is None:
            fitted = "fingerprints" in (self.calibration or {})
            now = self.fingerprints(alphas, own_engine=own_engine) if fitted else {}
            self._stale = changed(self.calibration, now)
        return self._stale

    def context(
        self,
        generator: Generator,
        alphas: Mapping[str, float],
        *,
        own_engine: bool,
        thread: str | None,
    ) -> CouncilContext:
        """What a run of the graph needs; holds this version for as long as it is used.

        Args:
            generator: who writes.
            alphas: how strongly members are steered, where it is not as the settings say.
            own_engine: the models are this council's, not somebody else's.
            thread: members read what is attached to it as well.
        """
        return CouncilContext(
            generator=generator,
            searcher=self.shelves.searcher(thread),
            members=self.members(alphas),
            settings=settings(self.config),
            calibration=self.calibration,
            stale=self.stale(alphas, own_engine=own_engine),
            entails=self.entails,
            shots=self.shots,
            planner=self.planner,
            consultation=Consultation(),
            version=self.version,
            hold=self,
        )

    def answer(
        self, question: Question, state: CouncilState, *, seconds: float, timings: dict[str, float]
    ) -> Answer:
        """What a run of the graph ended with, as it is shown."""
        records = state.get("parts") or []
        parts = [self._placed_part(record["part"], question.thread) for record in records]
        decision = DecisionEvent.model_validate(
            {
                "question": question.text,
                "standalone": state["standalone"],
                "thread": question.thread,
                "version": self.version,
                **self._placed(state["decision"], question.thread),
                "parts": parts,
            }
        )
        return Answer(
            decision=decision,
            route=state["route"],
            ballots=[one for each in records for one in each["ballots"]] if records else state["ballots"],
            tally=state["tally"],
            seconds=seconds,
            timings=timings,
            plan=state.get("plan"),
            parts=[
                part_answer(
                    part, route=one["route"], ballots=one["ballots"], tally=one["tally"], like=decision
                )
                for part, one in zip(parts, records, strict=True)
            ],
        )

    def _placed_part(self, part: Part, thread: str | None) -> Part:
        return Part({**part, "decision": self._placed(part["decision"], thread)})

    def _placed(self, decision: Decision, thread: str | None) -> Decision:
        """With the paths that its documents have now."""
        found = [self.shelves.placed(citation, thread=thread) for citation in decision["citations"]]
        return Decision({**decision, "citations": found})

    def ready(self, thread: str | None) -> bool:
        """Whether `context` would not have to wait for files."""
        return self._stale is not None and self.shelves.ready(thread)

    def look_again(self) -> None:
        """Something that the calibration depends on was set otherwise."""
        self._stale = None


def members_of(config: CouncilConfig) -> dict[str, MemberConfig]:
    """All members, the generalist among them."""
    return {**config.specialists, GENERALIST: config.generalist}


def stamp_of(member: MemberConfig) -> Stamp:
    """Changes when the expert is another, or its files were written again."""
    folder = Path(member.expert or "")
    if not member.expert or not folder.is_dir():
        return (member.expert,)
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("*config.json")])
    return (member.expert, *((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files))
