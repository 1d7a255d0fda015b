"""One version of a council while it answers: its settings, passages, calibration and experts.

A question keeps the version that it began with to its end, whatever is promoted meanwhile. Python counts who
still holds one: when the last question and the council have let go, what only that version used is freed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from proxycouncil.council.assembly import Opening, load_calibration, open_entailer, seats, settings
from proxycouncil.council.budget import BudgetedSearcher
from proxycouncil.council.events import Answer, DecisionEvent
from proxycouncil.council.fingerprints import changed, fingerprints
from proxycouncil.errors import LibraryError
from proxycouncil.graphs.context import GENERALIST, Consultation, CouncilContext

if TYPE_CHECKING:
    from proxycouncil.council.config import CouncilConfig, MemberConfig
    from proxycouncil.council.questions import Question
    from proxycouncil.graphs.context import Member
    from proxycouncil.graphs.protocols import Generator, Searcher
    from proxycouncil.graphs.state import Citation, CouncilState

OpeningLibrary: TypeAlias = "Opening[Searcher]"
Stamp: TypeAlias = tuple[object, ...]


class Live:
    """A version that answers.

    Args:
        config: with the version's parts.
        version: its id; None: nothing was promoted, the settings are as they are written.
        library: where passages come from; may still be opening.
        experts: by member, the expert's name in the family, where it is not the member's own.
    """

    def __init__(
        self,
        config: CouncilConfig,
        *,
        version: str | None,
        library: OpeningLibrary,
        experts: Mapping[str, str] | None = None,
    ) -> None:
        self.config = config
        self.version = version
        self.library = library
        self.experts = dict(experts or {})
        self.calibration = load_calibration(config.council.calibration)
        self.entails = open_entailer(config)
        self.stamps = {name: stamp_of(one) for name, one in members_of(config).items()}
        self.successor: Live | None = None
        """Held, so that what both use outlives the questions that began with this one."""
        self._stale: tuple[str, ...] | None = None

    def members(self, alphas: Mapping[str, float]) -> dict[str, Member]:
        """Every seat by name; `alphas` overrides what the settings say."""
        return seats(self.config, alphas, experts=self.experts)

    def fingerprints(self, alphas: Mapping[str, float], *, own_engine: bool) -> dict[str, str]:
        """What a calibration fitted now would hold for."""
        return fingerprints(self.config, self.library.get(), alphas=alphas, own_engine=own_engine)

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
        count_tokens: Callable[[str], int] | None,
    ) -> CouncilContext:
        """What a run of the graph needs; holds this version for as long as it is used.

        Args:
            generator: who writes.
            alphas: how strongly members are steered, where it is not as the settings say.
            count_tokens: by the base's tokenizer; None: the models are somebody else's.
        """
        return CouncilContext(
            generator=generator,
            searcher=self._searcher(count_tokens),
            members=self.members(alphas),
            settings=settings(self.config),
            calibration=self.calibration,
            stale=self.stale(alphas, own_engine=count_tokens is not None),
            entails=self.entails,
            consultation=Consultation(),
            version=self.version,
            hold=self,
        )

    def answer(
        self, question: Question, state: CouncilState, *, seconds: float, timings: dict[str, float]
    ) -> Answer:
        """What a run of the graph ended with, as it is shown."""
        fields = dict(state["decision"])
        fields["citations"] = [self.placed(citation) for citation in state["decision"]["citations"]]
        decision = DecisionEvent.model_validate(
            {
                "question": question.text,
                "standalone": state["standalone"],
                "thread": question.thread,
                "version": self.version,
                **fields,
            }
        )
        return Answer(
            decision=decision,
            route=state["route"],
            ballots=state["ballots"],
            tally=state["tally"],
            seconds=seconds,
            timings=timings,
        )

    def placed(self, citation: Citation) -> Citation:
        """The citation with the path its document has now; inside, sources are relative and may move."""
        resolve = getattr(self.library.get(), "resolve", Path)
        try:
            return {**citation, "source": str(resolve(citation["source"]))}
        except LibraryError:
            return citation

    def _searcher(self, count_tokens: Callable[[str], int] | None) -> Searcher:
        """The library, its slates cut to what the base may read."""
        from proxycouncil.retrieval.library import Library

        library = self.library.get()
        if not isinstance(library, Library) or count_tokens is None:
            return library
        return BudgetedSearcher(library, tokens=self.config.retrieval.budget_tokens, count=count_tokens)

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
