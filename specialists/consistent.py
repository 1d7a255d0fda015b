"""Consistent tuning: the expert learns inside the sum that will be decoded from.

The loss is that of `base + α · (expert − antiexpert)` with base and anti-expert frozen (He et al. 2024,
"CPT: Consistent Proxy Tuning for Black-box Optimization", arXiv 2407.01155), so the expert learns what
the base lacks rather than what would be right alone. Knows the formula and transformers' Trainer; knows
nothing of adapters or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy

from proxycouncil.specialists.answer_loss import AnswerTrainer
from proxycouncil.specialists.steering import steer

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Frozen:
    """What stands still in the sum."""

    base: PreTrainedModel
    antiexpert: PreTrainedModel
    alpha: float

    def to(self, device: torch.device) -> Frozen:
        """Both models there, in evaluation mode and without gradients."""
        moved: list[Any] = [self.base, self.antiexpert]
        base, antiexpert = (model.to(device).eval().requires_grad_(False) for model in moved)
        return Frozen(base, antiexpert, self.alpha)


class ConsistentTrainer(AnswerTrainer):
    """A Trainer whose loss, in training and evaluation alike, is that of the steered base."""

    def __init__(self, *arguments: Any, frozen: Frozen, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **settings)
        self._frozen = frozen.to(self.args.device)

    def total(self, logits: Tensor, labels: Tensor, given: dict[str, Any], *, training: bool) -> Tensor:  # noqa: ARG002
        """Cross-entropy of the labels under the steered logits."""
        with torch.no_grad():
            base = self._frozen.base(**given, use_cache=False).logits
            antiexpert = self._frozen.antiexpert(**given, use_cache=False).logits
        flat = [one.flatten(0, 1) for one in (base, logits, antiexpert)]
        steered = steer(flat[0], flat[1], flat[2], self._frozen.alpha).view_as(base)
        return cross_entropy(steered[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="sum")
