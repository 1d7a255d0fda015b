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
from transformers import Trainer

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


class ConsistentTrainer(Trainer):
    """A Trainer whose loss, in training and evaluation alike, is that of the steered base."""

    def __init__(self, *arguments: Any, frozen: Frozen, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **settings)
        self._frozen = frozen.to(self.args.device)

    def compute_loss(
        self,
        model: Any,  # noqa: ANN401 (whatever the Trainer has wrapped it in)
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:  # noqa: ANN401
        """Mean cross-entropy of the labels under the steered logits, in nats a token."""
        labels = inputs["labels"]
        given = {key: value for key, value in inputs.items() if key != "labels"}
        outputs = model(**given, use_cache=False)
        with torch.no_grad():
            base = self._frozen.base(**given, use_cache=False).logits
            antiexpert = self._frozen.antiexpert(**given, use_cache=False).logits
        flat = [logits.flatten(0, 1) for logits in (base, outputs.logits, antiexpert)]
        steered = steer(flat[0], flat[1], flat[2], self._frozen.alpha).view_as(base)
        total = cross_entropy(steered[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="sum")
        count = num_items_in_batch if num_items_in_batch is not None else (labels[:, 1:] != -100).sum()
        loss = total / count
        return (loss, outputs) if return_outputs else loss
