"""One sequence in the engine: who speaks in it, how its tokens are chosen, what has been written.

Knows parts of a family and their rows; nothing of lanes, logits or consumers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxycouncil.specialists.copybook import Copying
from proxycouncil.specialists.grammar import Following
from proxycouncil.specialists.lookup import Lookup
from proxycouncil.specialists.request import Sampling
from proxycouncil.specialists.sampler import Choosing

if TYPE_CHECKING:
    from proxycouncil.specialists.lane import Row
    from proxycouncil.specialists.model import Part


@dataclass(frozen=True, slots=True)
class Voice:
    """A part of the family in one text, with its row in its model."""

    part: Part
    row: Row

    @property
    def room(self) -> int:
        """Tokens that its context holds behind the prompt."""
        return self.part.model.context - len(self.row.prompt)


@dataclass(frozen=True, slots=True)
class SteeringVoice:
    """One pair in one text."""

    expert: Voice
    antiexpert: Voice
    alpha: float


@dataclass(eq=False, slots=True)
class Text:
    """One sequence. `drafted` and `accepted` count what was guessed and what of it was right."""

    main: Voice
    steering: tuple[SteeringVoice, ...]
    sampling: Sampling
    plausibility: float = 0.0
    copying: Copying | None = None
    """What it may say, where it is verbatim."""
    following: Following | None = None
    """What it may say, under a grammar."""
    tokens: list[int] = field(default_factory=list)
    drafted: int = 0
    accepted: int = 0
    _lookup: Lookup | None = None

    def look_ahead(self, count: int) -> list[int]:
        """As many tokens as followed the last ones where they stood before, in the prompt or the text."""
        if self._lookup is None:
            self._lookup = Lookup(self.main.row.prompt)
        return self._lookup.ahead(self.tokens, count)

    def choosing(self, ahead: Sequence[int] = ()) -> Choosing:
        """What the choice of a token depends on, behind what is written and the drafts `ahead` of it."""
        penalised = self.sampling.repetition_penalty != 1.0
        history = (*self.main.row.prompt, *self.tokens, *ahead) if penalised else ()
        position = len(self.tokens) + len(ahead)
        if self.following:
            return Choosing(self.sampling, position, history, *self.following.next([*self.tokens, *ahead]))
        allowed = self.copying.allowed([*self.tokens, *ahead]) if self.copying else None
        return Choosing(self.sampling, position, history, allowed)

    @property
    def voices(self) -> list[Voice]:
        """Every row of this text once; its pairs share the anti-expert's."""
        voices = [self.main]
        voices += [voice for pair in self.steering for voice in (pair.expert, pair.antiexpert)]
        return list({id(voice.row): voice for voice in voices}.values())

    @property
    def drafter(self) -> Voice | None:
        """The expert that guesses best: that of the strongest pair, if it pulls forward."""
        strongest = max(self.steering, key=lambda pair: pair.alpha, default=None)
        return strongest.expert if strongest and strongest.alpha > 0 else None

    @property
    def spare(self) -> int:
        """Tokens that can be read ahead of the next one: by every context, and to be of use."""
        room = min(voice.room for voice in self.voices)
        return min(room, self.sampling.max_new_tokens) - len(self.tokens) - 1
