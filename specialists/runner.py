"""One step of decoding: new prompts are read, or every text gets a token or several; all rows together.

A cycle of γ drafts: the experts write γ tokens ahead (or the prompt is looked up), the large model reads
them all in one forward, and what steering would have chosen itself is kept, plus one token more. γ = 0 is
plain decoding. Each choice is a function of the steered logits, the seed and the position alone, so a text
is token for token the same with any number of drafts (drafter-invariant speculation, Daliri et al. 2024,
arXiv 2408.07978). Knows rows and logits; nothing of queues, text or time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from proxycouncil.specialists.drafting import Drafting
from proxycouncil.specialists.lane import Lane, Row
from proxycouncil.specialists.memory import trim
from proxycouncil.specialists.mixing import Heard, mix
from proxycouncil.specialists.pace import Pace
from proxycouncil.specialists.reading import Reading
from proxycouncil.specialists.sampler import choose
from proxycouncil.specialists.steering import divergence
from proxycouncil.specialists.text import Text

if TYPE_CHECKING:
    from torch import Tensor

    from proxycouncil.specialists.family import Family
    from proxycouncil.specialists.model import Model

_MUCH = 2**25
"""Bytes of cache that are read at once, from which on it pays to hand back what reading has left free."""


@dataclass(frozen=True, slots=True)
class Written:
    """What one text was given at one place."""

    token: int
    logprob: float
    kl: float
    base_top: int
    steered_top: int
    near_tie: bool
    broken: bool = False
    """The models gave no numbers here: the token means nothing."""


class Runner:
    """The lanes of a family, and the texts that run in them."""

    def __init__(self, family: Family, pace: Pace, *, clock: Callable[[], float] = perf_counter) -> None:
        self._family, self._pace, self._clock = family, pace, clock
        self._lanes: dict[int, Lane] = {}
        self._texts: list[Text] = []
        self._reading: Reading | None = None

    def prefill(self, texts: Sequence[Text]) -> list[tuple[Text, list[Written]]]:
        """Let texts join: read their prompts and choose their first tokens; none for texts that come back."""
        lanes = self._rows_by_lane(texts).items()
        heard = [(lane, rows, lane.admit(rows).unsqueeze(1)) for lane, rows in lanes]
        if sum(len(row.ids) * lane.model.cache_bytes for lane, rows in lanes for row in rows) >= _MUCH:
            trim()
        self._texts += texts
        return self._open(texts, heard)

    def begin(self, text: Text) -> None:
        """Let one text with a long prompt join piece by piece: `read_on` until it has."""
        self._reading = Reading(text, self._lane)

    @property
    def rows(self) -> int:
        """Rows of all lanes."""
        return sum(len(lane.rows) for lane in list(self._lanes.values()))

    @property
    def is_writing(self) -> bool:
        """Whether there are texts to go on with."""
        return bool(self._texts)

    @property
    def is_reading(self) -> bool:
        """Whether a long prompt is under way."""
        return self._reading is not None

    def read_on(self) -> list[tuple[Text, list[Written]]]:
        """Read the next piece of a long prompt; the text's first token once it has joined."""
        reading = self._reading
        if reading is None or not reading.read_on():
            return []
        self._reading = None
        self._texts.append(reading.text)
        heard = [
            (self._lane(voice.part.model), [voice.row], voice.row.opening[None, None])
            for voice in reading.text.voices
            if voice.row.opening is not None
        ]
        return self._open([reading.text], heard)

    def decode(self) -> list[tuple[Text, list[Written]]]:
        """Give every running text one more token, or as many as were drafted rightly and one more."""
        began = self._clock()
        drafting = Drafting(self._texts, self._pace.choose(len(self._texts), self._spare()))
        heard = drafting.run([lane for lane in self._lanes.values() if lane.rows])
        drafts = drafting.drafts
        chosen = self._choose(self._texts, heard, drafts)
        kept = [
            self._judge(text, ahead, places, guessed=guessed)
            for text, ahead, places, guessed in zip(
                self._texts, drafts, chosen, drafting.guessed, strict=True
            )
        ]
        self._retract(drafting.count, kept)
        self._pace.note(drafting.count, len(self._texts), self._clock() - began)
        written = [places[: count + 1] for places, count in zip(chosen, kept, strict=True)]
        return list(zip(self._texts, written, strict=True))

    def drop(self, texts: Sequence[Text]) -> None:
        """Let texts leave; their rows are free at once."""
        leaving = {id(text) for text in texts}
        if self._reading and id(self._reading.text) in leaving:
            self._reading = None
        self._texts = [text for text in self._texts if id(text) not in leaving]
        staying = {id(voice.row) for text in self._texts for voice in text.voices}
        for lane in self._lanes.values():
            lane.keep([row for row in lane.rows if id(row) in staying])
        if self._reading is None:
            self._lanes = {key: lane for key, lane in self._lanes.items() if lane.rows}

    def reset(self) -> None:
        """Let everything go, after a failure."""
        self._texts, self._lanes, self._reading = [], {}, None

    def _rows_by_lane(self, texts: Sequence[Text]) -> dict[Lane, list[Row]]:
        grouped: dict[Lane, list[Row]] = {}
        for text in texts:
            for voice in text.voices:
                grouped.setdefault(self._lane(voice.part.model), []).append(voice.row)
        return grouped

    def _lane(self, model: Model) -> Lane:
        return self._lanes.setdefault(id(model), Lane(model))

    def _open(self, texts: Sequence[Text], heard: Sequence[Heard]) -> list[tuple[Text, list[Written]]]:
        chosen = self._choose(texts, heard, [[] for _ in texts])
        return [(text, [] if text.tokens else places) for text, places in zip(texts, chosen, strict=True)]

    def _spare(self) -> int:
        """How far all texts can be read ahead; a context that is nearly full holds all back."""
        rooms = [voice.room - len(text.tokens) - 1 for text in self._texts for voice in text.voices]
        return min(*rooms, max(text.spare for text in self._texts))

    def _choose(
        self, texts: Sequence[Text], heard: Sequence[Heard], drafts: Sequence[Sequence[int]]
    ) -> list[list[Written]]:
        """What each text is given at each place, if all drafts before it are right."""
        base, steered = mix(self._family, texts, heard)
        places = len(base) // len(texts)
        choosing = [
            text.choosing(ahead[:place])
            for text, ahead in zip(texts, drafts, strict=True)
            for place in range(places)
        ]
        tokens, near = choose(steered, choosing)
        told = _to_host(tokens, near, base, steered)
        return [told[start : start + places] for start in range(0, len(told), places)]

    def _judge(self, text: Text, drafts: Sequence[int], chosen: Sequence[Written], *, guessed: bool) -> int:
        """How many drafts are what steering chose; filling that is right by chance is kept, not counted."""
        right = [draft == written.token for draft, written in zip(drafts, chosen, strict=False)]
        kept = right.index(False) if False in right else len(right)
        if guessed:
            text.drafted += len(drafts)
            text.accepted += kept
            # Behind the first wrong one nothing was tried.
            self._pace.judge(min(kept + 1, len(drafts)), kept)
        return kept

    def _retract(self, count: int, kept: Sequence[int]) -> None:
        """Forget the drafts that were wrong, in every row that has read them."""
        wrong = {
            id(voice.row): count - right
            for text, right in zip(self._texts, kept, strict=True)
            for voice in text.voices
        }
        for lane in self._lanes.values():
            lane.retract([wrong[id(row)] for row in lane.rows])


def _to_host(tokens: Tensor, near: Tensor, base: Tensor, steered: Tensor) -> list[Written]:
    """One transfer for all rows and all that is told of them (float32 holds ids exactly up to 2^24)."""
    import torch

    log_p = torch.log_softmax(steered, dim=-1)
    log_q = log_p if base is steered else torch.log_softmax(base, dim=-1)
    # One logit that is no number makes all of its row's probabilities none.
    logprobs = log_p.gather(1, tokens.unsqueeze(1)).squeeze(1)
    moved, favourites = divergence(log_p, log_q), steered.argmax(-1)
    columns = (tokens, logprobs, moved, base.argmax(-1), favourites, near, logprobs.isnan())
    told = torch.stack([column.float() for column in columns], dim=1).tolist()
    return [
        Written(int(token), logprob, kl, int(base_top), int(steered_top), bool(tie), bool(nothing))
        for token, logprob, kl, base_top, steered_top, tie, nothing in told
    ]
