"""One step of decoding: new prompts are read or every running text gets a token; all rows together.

Per step one base forward, one forward for all rows of the small model (M− and every M+ that is an
adapter), one for each expert that is a full checkpoint. Then steer → processors → temperature →
truncation → token, and one transfer to the host for all rows. Knows rows and logits; nothing of queues,
text or time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from proxycouncil.specialists.copybook import Copying
from proxycouncil.specialists.lane import Lane, Row
from proxycouncil.specialists.request import Sampling
from proxycouncil.specialists.sampler import Choosing, choose
from proxycouncil.specialists.steering import cap, divergence, keep_plausible, steer, uncap

if TYPE_CHECKING:
    from torch import Tensor

    from proxycouncil.specialists.family import Family
    from proxycouncil.specialists.model import Model, Part


@dataclass(frozen=True, slots=True)
class Voice:
    """A part of the family in one text, with its row in its model."""

    part: Part
    row: Row


@dataclass(frozen=True, slots=True)
class SteeringVoice:
    """One pair in one text."""

    expert: Voice
    antiexpert: Voice
    alpha: float


@dataclass(eq=False, slots=True)
class Text:
    """One sequence: who speaks in it, how its tokens are chosen, what has been written."""

    main: Voice
    steering: tuple[SteeringVoice, ...]
    sampling: Sampling
    plausibility: float = 0.0
    copying: Copying | None = None
    """What it may say, where it is verbatim."""
    tokens: list[int] = field(default_factory=list)

    def choosing(self) -> Choosing:
        """What the choice of the next token depends on."""
        penalised = self.sampling.repetition_penalty != 1.0
        history = (*self.main.row.prompt, *self.tokens) if penalised else ()
        allowed = self.copying.allowed(self.tokens) if self.copying else None
        return Choosing(self.sampling, len(self.tokens), history, allowed)

    @property
    def voices(self) -> list[Voice]:
        """Every row of this text once; its pairs share the anti-expert's."""
        voices = [self.main]
        voices += [voice for pair in self.steering for voice in (pair.expert, pair.antiexpert)]
        return list({id(voice.row): voice for voice in voices}.values())


@dataclass(frozen=True, slots=True)
class Written:
    """What one step gave one text."""

    token: int
    logprob: float
    kl: float
    base_top: int
    steered_top: int
    near_tie: bool


Heard: TypeAlias = tuple[Lane, Sequence[Row], "Tensor"]
"""What a lane said in a step: logits `[rows, vocab]` for these of its rows."""


class Runner:
    """The lanes of a family, and the texts that run in them."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._lanes: dict[int, Lane] = {}
        self._texts: list[Text] = []

    def prefill(self, texts: Sequence[Text]) -> list[Written]:
        """Let texts join: read their prompts and choose their first tokens."""
        heard = [(lane, rows, lane.admit(rows)) for lane, rows in self._rows_by_lane(texts).items()]
        self._texts += texts
        return self._choose(texts, heard)

    def decode(self) -> list[tuple[Text, Written]]:
        """Give every running text one more token."""
        import torch

        last = {id(voice.row): text.tokens[-1] for text in self._texts for voice in text.voices}
        heard: list[Heard] = []
        for lane in self._lanes.values():
            tokens = torch.tensor([last[id(row)] for row in lane.rows], device=lane.model.device)
            heard.append((lane, lane.rows, lane.advance(tokens)))
        return list(zip(self._texts, self._choose(self._texts, heard), strict=True))

    def drop(self, texts: Sequence[Text]) -> None:
        """Let texts leave; their rows are free at once."""
        leaving = {id(text) for text in texts}
        self._texts = [text for text in self._texts if id(text) not in leaving]
        staying = {id(voice.row) for text in self._texts for voice in text.voices}
        for lane in self._lanes.values():
            lane.keep([row for row in lane.rows if id(row) in staying])
        self._lanes = {key: lane for key, lane in self._lanes.items() if lane.rows}

    def reset(self) -> None:
        """Let everything go, after a failure."""
        self._texts, self._lanes = [], {}

    def _rows_by_lane(self, texts: Sequence[Text]) -> dict[Lane, list[Row]]:
        grouped: dict[Lane, list[Row]] = {}
        for text in texts:
            for voice in text.voices:
                model = voice.part.model
                lane = self._lanes.setdefault(id(model), Lane(model))
                grouped.setdefault(lane, []).append(voice.row)
        return grouped

    def _choose(self, texts: Sequence[Text], heard: Sequence[Heard]) -> list[Written]:
        base, steered = self._steered(texts, heard)
        tokens, near = choose(steered, [text.choosing() for text in texts])
        return _to_host(tokens, near, base, steered)

    def _steered(self, texts: Sequence[Text], heard: Sequence[Heard]) -> tuple[Tensor, Tensor]:
        """Logits `[texts, vocab]` of the texts' main voices, before and after steering."""
        import torch

        width = self._family.width
        place = {id(row): at for at, row in enumerate(row for _, rows, _ in heard for row in rows)}
        logits = torch.cat([part[:, :width] for _, _, part in heard])
        base = steered = logits[[place[id(text.main.row)] for text in texts]]
        if any(text.steering for text in texts):
            if self._family.softcaps_differ:
                free = torch.cat([_uncapped(lane.model, part[:, :width]) for lane, _, part in heard])
                steered = _recapped(texts, base, _add_pairs(texts, free, place))
            else:
                steered = _add_pairs(texts, logits, place)
        if any(text.plausibility for text in texts):
            beta = torch.tensor([text.plausibility for text in texts], device=base.device)
            steered = keep_plausible(steered, base, beta)
        return base, steered


def _add_pairs(texts: Sequence[Text], logits: Tensor, place: Mapping[int, int]) -> Tensor:
    import torch

    pairs = [(at, pair) for at, text in enumerate(texts) for pair in text.steering]
    return steer(
        logits[[place[id(text.main.row)] for text in texts]],
        logits[[place[id(pair.expert.row)] for _, pair in pairs]],
        logits[[place[id(pair.antiexpert.row)] for _, pair in pairs]],
        torch.tensor([pair.alpha for _, pair in pairs], device=logits.device),
        rows=torch.tensor([at for at, _ in pairs], device=logits.device),
    )


def _uncapped(model: Model, logits: Tensor) -> Tensor:
    return logits if model.softcap is None else uncap(logits, model.softcap)


def _recapped(texts: Sequence[Text], base: Tensor, free: Tensor) -> Tensor:
    """Bound steered rows as their base bounds its own, so that α → 0 tends to the base; leave the others."""
    import torch

    rows = [_bounded(text, free[at]) if text.steering else base[at] for at, text in enumerate(texts)]
    return torch.stack(rows)


def _bounded(text: Text, logits: Tensor) -> Tensor:
    bound = text.main.part.model.softcap
    return logits if bound is None else cap(logits, bound)


def _to_host(tokens: Tensor, near: Tensor, base: Tensor, steered: Tensor) -> list[Written]:
    """One transfer for all rows and all that is told of them (float32 holds ids exactly up to 2^24)."""
    import torch

    logprobs = torch.log_softmax(steered, dim=-1).gather(1, tokens.unsqueeze(1)).squeeze(1)
    columns = (tokens, logprobs, divergence(steered, base), base.argmax(-1), steered.argmax(-1), near)
    told = torch.stack([column.float() for column in columns], dim=1).tolist()
    return [
        Written(int(token), logprob, kl, int(base_top), int(steered_top), bool(tie))
        for token, logprob, kl, base_top, steered_top, tie in told
    ]
