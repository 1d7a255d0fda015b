"""What steering did at each written token, as rows that people can read (Liu et al. 2024, §6).

Knows traces and how a tokenizer spells; nothing of models, nor of how rows are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from proxycouncil.specialists.request import Generation, SteeringTrace

_BEFORE = 8
"""Tokens that are decoded together with one: enough for its white space and for characters in pieces."""


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One written token. `text` and the favourites are as they would stand in the text at that place."""

    position: int
    text: str
    logprob: float
    """Natural log-probability under the steered logits, before temperature."""
    kl: float
    """KL(steered‖base) in nats."""
    base_top: str
    """What the base alone would have preferred here."""
    steered_top: str
    changed: bool
    """Steering has another favourite than the base."""


def token_rows(generation: Generation, tokenizer: PreTrainedTokenizerBase) -> list[TokenRow]:
    """A row for every written token, the end token included."""
    return rows_of(generation.token_ids, generation.logprobs, generation.trace, tokenizer=tokenizer)


def rows_of(
    token_ids: Sequence[int],
    logprobs: Sequence[float],
    trace: SteeringTrace,
    *,
    tokenizer: PreTrainedTokenizerBase,
) -> list[TokenRow]:
    """A row for every token of which all is known; a generator need not keep a trace."""
    told = zip(token_ids, logprobs, trace.kl, trace.base_top, trace.steered_top, strict=False)
    return [
        TokenRow(
            position=position,
            text=spell(token, token_ids[:position], tokenizer),
            logprob=logprob,
            kl=kl,
            base_top=spell(base, token_ids[:position], tokenizer),
            steered_top=spell(steered, token_ids[:position], tokenizer),
            changed=base != steered,
        )
        for position, (token, logprob, kl, base, steered) in enumerate(told)
    ]


def spell(token: int, before: Sequence[int], tokenizer: PreTrainedTokenizerBase) -> str:
    """What a token adds to the text before it; its name in the vocabulary if no whole character."""
    window = list(before[-_BEFORE:])
    known, longer = (_decode(ids, tokenizer) for ids in (window, [*window, token]))
    piece = longer[_shared(known, longer) :]
    if piece and "\ufffd" not in piece:
        return piece
    name = tokenizer.convert_ids_to_tokens(token)
    return name if isinstance(name, str) else f"<{token}>"


def _decode(ids: list[int], tokenizer: PreTrainedTokenizerBase) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _shared(known: str, longer: str) -> int:
    """How far both begin alike: an unfinished character at the end may be whole now."""
    pairs = enumerate(zip(known, longer, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(known), len(longer)))
