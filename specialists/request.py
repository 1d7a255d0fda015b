"""What goes into the engine and what comes out: plain frozen dataclasses, no tensors, no I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from uuid import uuid4

FinishReason: TypeAlias = Literal["stop", "length", "cancelled", "deadline", "error"]


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of text to read, behind its title."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Shot:
    """A question with its answer, shown before the one that is asked."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question and what to read before answering it; each model's own format turns it into tokens.

    Everything in it is data: special tokens written inside a question or a snippet are encoded as
    ordinary text.
    """

    question: str
    snippets: tuple[Snippet, ...] = ()
    instruction: str = ""
    """Persona or task, for formats that have a place for it (chat templates); others leave it out."""
    shots: tuple[Shot, ...] = ()
    """Examples, for formats that have a place for them, as for the instruction."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One steering pair: `alpha · (expert − antiexpert)` is added to the base's logits."""

    expert: str
    alpha: float = 1.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a token is chosen from the steered logits; temperature 0 is greedy."""

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float = 1.0
    max_new_tokens: int = 64
    stop: tuple[str, ...] = ()
    seed: int = 0
    verbatim: bool = False
    """Write only what stands in the prompt's snippets, or that it does not (see `copybook`)."""
    grammar: str | None = None
    """Write only what this allows: a JSON Schema as JSON text, or a Lark grammar (see `grammar`)."""
    may_decline: bool = False
    """Under a grammar say that the snippets do not hold it, where that is what the models would say first."""


@dataclass(frozen=True, slots=True)
class Request:
    """One text to write.

    `pairs` empty: the base alone. `solo`: a control, one small model alone without the base (an
    expert's name, or "antiexpert"). `plausibility` β masks tokens with base probability below
    β · max (Li et al. 2023, contrastive decoding). `deadline_s` counts from submission.
    """

    prompt: Prompt | str
    pairs: tuple[Pair, ...] = ()
    sampling: Sampling = Sampling()
    solo: str | None = None
    plausibility: float | None = None
    deadline_s: float | None = None
    id: str = field(default_factory=lambda: uuid4().hex)


@dataclass(frozen=True, slots=True)
class SteeringTrace:
    """What steering did at each written token (Liu et al. 2024, §6)."""

    kl: tuple[float, ...] = ()
    """KL(steered‖base) in nats."""
    base_top: tuple[int, ...] = ()
    """The token the base alone would have preferred."""
    steered_top: tuple[int, ...] = ()
    certified: tuple[bool, ...] = ()
    """Of a base that is seen in part only (`remote`): the token is for certain what steering its whole
    vocabulary would have chosen. Empty where the base is seen whole."""
    unseen: tuple[float, ...] = ()
    """… and the most that the distribution can differ from the whole one, in total variation."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds: waiting for a place, reading the prompt, writing."""

    queued_s: float = 0.0
    prefill_s: float = 0.0
    decode_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Generation:
    """A finished text. `error` is set exactly when `finish_reason` is "error"."""

    request_id: str
    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Natural log-probability of each token under the steered logits, before temperature."""
    finish_reason: FinishReason
    trace: SteeringTrace = SteeringTrace()
    timings: Timings = Timings()
    prompt_tokens: int = 0
    near_ties: int = 0
    """Positions where the choice hung on less than 1e-4 (batch shape may decide those)."""
    drafted: int = 0
    """Tokens that were guessed ahead by an expert or found in the prompt …"""
    accepted: int = 0
    """… and how many of them were what steering chose."""
    error: str | None = None
    alone: str | None = None
    """Why the expert wrote by itself, from some token on: the base's server was gone. What the base would
    have said is unknown there: no KL is counted and its favourite is given as the token written."""

    @property
    def mean_logprob(self) -> float:
        """Length-normalised log-probability; 0.0 for an empty text."""
        return sum(self.logprobs) / len(self.logprobs) if self.logprobs else 0.0


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely the steered models would have written a given text, token for token."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Natural log-probability of each token under the steered logits, as in `Generation`."""

    @property
    def total(self) -> float:
        """Log-probability of the whole text."""
        return math.fsum(self.logprobs)

    @property
    def mean_logprob(self) -> float:
        """Length-normalised log-probability; 0.0 for an empty text."""
        return self.total / len(self.logprobs) if self.logprobs else 0.0


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Newly written text; never ends inside a character."""

    request_id: str
    text: str


Event: TypeAlias = TextDelta | Generation
"""A stream is any number of `TextDelta`s and exactly one `Generation`, last."""


def steered_by(experts: Sequence[str], alpha: float = 1.0) -> tuple[Pair, ...]:
    """Pairs of equal weight for the named experts."""
    return tuple(Pair(name, alpha) for name in experts)
