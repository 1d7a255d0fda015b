"""Three causal language models of transformers that speak as one: the formula without an engine.

They read the same ids and share one width of logits. Knows modules and what they said; nothing of
tokenizers (a `Family` compares those), of requests, or of how a token is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxycouncil.errors import VocabularyError
from proxycouncil.specialists.steering import cap, keep_plausible, steer, uncap

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Cache, PreTrainedModel

PADDING = 1024
"""Heads of one vocabulary differ by what pads them for the hardware; by more, there are two vocabularies."""


@dataclass(frozen=True, slots=True)
class Trio:
    """A large model, a small tuned one and its untuned twin; `plausibility` is contrastive decoding's β."""

    base: PreTrainedModel
    expert: PreTrainedModel
    antiexpert: PreTrainedModel
    plausibility: float | None = None

    def __post_init__(self) -> None:
        """Compare the heads.

        Raises:
            VocabularyError: their widths differ by more than padding.
        """
        widths = [head_width(module) for module in self.modules]
        if max(widths) - min(widths) > PADDING:
            raise VocabularyError(
                f"the base computes {widths[0]} logits, the expert {widths[1]}, the anti-expert {widths[2]}",
                hint="steering adds logits id by id: take three models with one tokenizer",
            )

    @property
    def modules(self) -> tuple[PreTrainedModel, PreTrainedModel, PreTrainedModel]:
        """Base, expert, anti-expert: the order of everything that comes in threes here."""
        return self.base, self.expert, self.antiexpert

    @property
    def width(self) -> int:
        """Logits that all three compute."""
        return min(head_width(module) for module in self.modules)

    def combine(self, said: Sequence[Tensor], alpha: float) -> Tensor:
        """Steered logits `[rows, places, width]` in float32, of what each said on its own device.

        Where final soft-caps differ they are undone before adding, and the base's is put on again: as the
        engine does it.
        """
        base, *pair = (logits[..., : self.width].to(said[0].device).float() for logits in said)
        steered = base if alpha == 0 else self._add((base, *pair), alpha)
        if self.plausibility is None:
            return steered
        shape = base.shape
        return keep_plausible(steered.flatten(0, 1), base.flatten(0, 1), self.plausibility).view(shape)

    def _add(self, said: Sequence[Tensor], alpha: float) -> Tensor:
        bounds = [softcap(module) for module in self.modules]
        uncaps = len(set(bounds)) > 1
        base, expert, antiexpert = (
            uncap(logits.flatten(0, 1), bound) if uncaps and bound is not None else logits.flatten(0, 1)
            for logits, bound in zip(said, bounds, strict=True)
        )
        steered = steer(base, expert, antiexpert, alpha).view(said[0].shape)
        return cap(steered, bounds[0]) if uncaps and bounds[0] is not None else steered


def read(
    module: PreTrainedModel,
    ids: Tensor,
    *,
    mask: Tensor | None,
    positions: Tensor | None,
    cache: Cache | None,
    heard: int | Tensor = 1,
) -> Tensor:
    """Logits of one model for the end of `ids` `[rows, new]`, computed where its weights are."""
    logits: Tensor = module(
        input_ids=ids.to(module.device),
        attention_mask=None if mask is None else mask.to(module.device),
        position_ids=None if positions is None else positions.to(module.device),
        past_key_values=cache,
        use_cache=cache is not None,
        logits_to_keep=heard,
    ).logits
    return logits


def head_width(module: PreTrainedModel) -> int:
    """Logits that a model computes, padding included."""
    return int(module.config.get_text_config().vocab_size)


def softcap(module: PreTrainedModel) -> float | None:
    """Bound of a model's final soft-capping, or none."""
    return getattr(module.config.get_text_config(), "final_logit_softcapping", None)
