"""The small models beside a base that stands elsewhere: they draft, and say what they would shift.

Knows the rows of one text in its small models; nothing of servers, of the base, or of which drafts are
right. All of it is torch's work and belongs on one thread.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from proxycouncil.specialists.lane import Lane
from proxycouncil.specialists.sampler import choose

if TYPE_CHECKING:
    from torch import Tensor

    from proxycouncil.specialists.text import Text, Voice


class SmallModels:
    """What the pairs of one text have read, and their logits behind its last token and behind each draft.

    `soloist`: a voice that is to be heard though it is in no pair.
    """

    def __init__(
        self, text: Text, *, width: int, ends: Collection[int], soloist: Voice | None = None
    ) -> None:
        self._text, self._width, self._ends = text, width, ends
        voices = [voice for pair in text.steering for voice in (pair.expert, pair.antiexpert)]
        voices += [soloist] if soloist else []
        self._lanes: list[Lane] = []
        self._said: list[dict[int, Tensor]] = []
        self._admit(voices)

    def draft(self, count: int) -> list[int]:
        """At most `count` tokens: what the expert would write or, without one, what is looked up."""
        found = self._text.look_ahead(count)
        drafts: list[int] = []
        while len(drafts) < count:
            guess = self._guess(drafts, found)
            if guess is None or guess in self._ends:
                break
            drafts.append(guess)
            self._said.append(self._read(guess))
        return drafts

    def shift(self, place: int) -> Tensor:
        """Σ α·(expert − antiexpert), `[vocab]` in float64, behind `place` drafts."""
        import torch

        total = torch.zeros(self._width, dtype=torch.float64)
        for pair in self._text.steering:
            expert, antiexpert = (self.logits(voice, place) for voice in (pair.expert, pair.antiexpert))
            total += pair.alpha * (expert.double() - antiexpert.double()).cpu()
        return total

    def logits(self, voice: Voice, place: int = 0) -> Tensor:
        """What one of them says by itself, `[vocab]`, behind `place` drafts."""
        return self._said[place][id(voice.row)]

    def keep(self, written: Sequence[int]) -> None:
        """Go on behind these tokens; all but the last are the first of what was drafted."""
        self.forget(len(self._said) - len(written))
        self._said = [self._read(written[-1])]

    def forget(self, count: int) -> None:
        """Take back the last `count` drafts."""
        if count:
            del self._said[-count:]
            for lane in self._lanes:
                lane.retract([count] * len(lane.rows))

    def _admit(self, voices: Sequence[Voice]) -> None:
        """Read the prompts, each model all of its rows at once."""
        rows = {id(voice.row): voice for voice in voices}
        said: dict[int, Tensor] = {}
        for model in dict.fromkeys(voice.part.model for voice in voices):
            lane = Lane(model)
            own = [voice.row for voice in rows.values() if voice.part.model is model]
            said |= self._by_row(lane.admit(own), [id(row) for row in own])
            self._lanes.append(lane)
        self._said = [said]

    def _read(self, token: int) -> dict[int, Tensor]:
        import torch

        said: dict[int, Tensor] = {}
        for lane in self._lanes:
            tokens = torch.full((len(lane.rows), 1), token, device=lane.model.device)
            said |= self._by_row(lane.advance(tokens)[:, -1], [id(row) for row in lane.rows])
        return said

    def _by_row(self, logits: Tensor, rows: Sequence[int]) -> dict[int, Tensor]:
        return {row: own[: self._width] for row, own in zip(rows, logits, strict=True)}

    def _guess(self, drafts: Sequence[int], found: Sequence[int]) -> int | None:
        """By the draw that the steered distribution will get, so that agreement is likeliest."""
        expert = self._text.drafter
        if expert is None:
            return found[len(drafts)] if len(drafts) < len(found) else None
        tokens, _ = choose(self.logits(expert, len(drafts)).unsqueeze(0), [self._text.choosing(drafts)])
        return int(tokens[0])
