"""What one run may set otherwise than the council's own settings: α, members, thresholds, budget.

An edge: it comes from callers, other people's graphs and JSON, so it checks itself. It knows names and bounds
and how they change a context; it refuses to know where the defaults came from.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from proxycouncil.errors import UnknownDomainError, UsageError
from proxycouncil.graphs.context import CouncilContext, Member, Signal
from proxycouncil.graphs.notation import notation_of
from proxycouncil.graphs.structured import TOKENS, tightened

_VOTING = ("cross_scoring", "signals", "reconsider_below")
"""What a calibration was not fitted on, unless the council's own settings say the same."""

_OF_SETTINGS = (
    "members", "ask_at_most", "mass", "ballots", "deadline_s", "quorum", "target_risk", "proven_only",
    "excerpts", "max_new_tokens", "temperature", "stop", "plan", "locale", *_VOTING,
)  # fmt: skip


def _known(locale: str) -> str:
    try:
        notation_of(locale)
    except UsageError as error:
        raise ValueError(f"{error}: {error.hint}") from error
    return locale


Locale: TypeAlias = Annotated[str, AfterValidator(_known)]
AtLeastOne = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class RunSettings(BaseModel):
    """Settings of one run (`context_schema` of a graph that was given its council); unset: the council's."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    alphas: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = {}
    """Member → α; 0 is the base."""
    members: tuple[str, ...] | None = None
    """Ask just those."""
    ask_at_most: AtLeastOne | None = None
    """Specialists asked; the generalist comes on top."""
    mass: Share | None = None
    """Specialists are asked until their probabilities sum to this."""
    ballots: Annotated[int, Field(ge=1, le=2)] | None = None
    """Readings by each member."""
    deadline_s: Annotated[float, Field(gt=0.0)] | None = None
    """A member that takes longer casts a late ballot."""
    quorum: AtLeastOne | None = None
    """Live members needed to decide."""
    target_risk: Share | None = None
    """Share of wrong answers among those given that calibration aims at."""
    proven_only: bool | None = None
    """Answer only where the calibration proved that risk."""
    excerpts: AtLeastOne | None = None
    """Excerpts on a slate."""
    max_new_tokens: AtLeastOne | None = None
    """Length of one answer."""
    cross_scoring: bool | None = None
    """Votes are spread over all answers, as likely as each reading would have given them."""
    signals: tuple[Signal, ...] | None = None
    """What is measured beside the vote and kept with the count."""
    reconsider_below: Share | None = None
    """Where the first answer leads by less, members read what those in dispute cite; 0: never."""
    temperature: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] | None = None
    """0 is greedy."""
    stop: tuple[str, ...] | None = None
    """A text ends before the first of these."""
    plan: bool | None = None
    """Whether a question of several parts is asked part by part."""
    locale: Locale | None = None
    """How answers write numbers and dates, as `de-DE`, but for members whose own is set."""
    answer_schema: dict[str, Any] | None = None
    """A JSON Schema: members answer with objects that fit it, decoded under its grammar; needs the extra
    `grammar`. Their fields are voted on together."""

    user: str | None = None
    """Whose memories are read, where the council has a store."""

    def apply(self, context: CouncilContext) -> CouncilContext:
        """The context as this run wants it.

        Raises:
            UnknownDomainError: it names a member that does not sit in the council.
        """
        changed: dict[str, Any] = {
            name: value for name in _OF_SETTINGS if (value := getattr(self, name)) is not None
        }
        if self.reconsider_below == 0:
            changed["reconsider_below"] = None
        if self.answer_schema is not None:
            changed["grammar"] = json.dumps(tightened(self.answer_schema))
            changed.setdefault("max_new_tokens", max(TOKENS, context.settings.max_new_tokens))
        for name in (*self.alphas, *(self.members or ())):
            if name not in context.members:
                raise UnknownDomainError(
                    f"no member is called {name!r}", hint=f"members are {', '.join(context.members)}"
                )
        members = {
            name: _steered(member, self.alphas[name]) if name in self.alphas else member
            for name, member in context.members.items()
        }
        settings = replace(context.settings, **changed)
        moved = any(getattr(settings, name) != getattr(context.settings, name) for name in _VOTING)
        stale = (
            tuple(sorted({*context.stale, "settings"})) if moved and context.calibration else context.stale
        )
        return replace(
            context, settings=settings, members=members, stale=stale, user=self.user or context.user
        )


def _steered(member: Member, alpha: float) -> Member:
    return replace(member, pairs=tuple(replace(pair, alpha=alpha) for pair in member.pairs))
