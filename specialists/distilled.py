"""Distillation: the expert learns what a stronger model finds likely, not only which token was right.

The loss is `(1 − w) · cross-entropy + w · KL(teacher‖expert)` at each token of the answer (Hinton et al.
2015, arXiv 1503.02531, at temperature 1; word by word as Kim & Rush 2016, arXiv 1606.07947). The teacher
reads the same prompt with the answer behind it, so its second choices are second choices for this very
slate. Knows the formula and transformers' Trainer; knows nothing of adapters or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax
from transformers import Trainer

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Teacher:
    """Whom the expert learns from, and how much of the loss that is."""

    model: PreTrainedModel
    weight: float


class DistilledTrainer(Trainer):
    """A Trainer whose training loss looks at the teacher; what is held out is judged by the answers alone."""

    def __init__(self, *arguments: Any, teacher: Teacher, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **settings)
        model: Any = teacher.model
        self._teacher = model.to(self.args.device).eval().requires_grad_(False)
        self._weight = teacher.weight

    def compute_loss(
        self,
        model: Any,  # noqa: ANN401 (whatever the Trainer has wrapped it in)
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:  # noqa: ANN401
        """Nats a token of the answers: so held-out losses of any two recipes can be compared."""
        labels = inputs["labels"]
        given = {key: value for key, value in inputs.items() if key != "labels"}
        outputs = model(**given, use_cache=False)
        places = labels[:, 1:] != -100
        logits, right = outputs.logits[:, :-1][places].float(), labels[:, 1:][places]
        total = cross_entropy(logits, right, reduction="sum")
        if model.training:
            total = (1 - self._weight) * total + self._weight * self._divergence(given, places, logits)
        count = num_items_in_batch if num_items_in_batch is not None else places.sum()
        loss = total / count
        return (loss, outputs) if return_outputs else loss

    def _divergence(self, given: dict[str, Any], places: Tensor, logits: Tensor) -> Tensor:
        """KL(teacher‖expert), summed over the answers' tokens."""
        with torch.no_grad():
            taught = self._teacher(**given, use_cache=False).logits[:, :-1][places].float()
        width = min(taught.shape[-1], logits.shape[-1])  # heads may be padded beyond the vocabulary
        return kl_div(
            log_softmax(logits[:, :width], dim=-1),
            log_softmax(taught[:, :width], dim=-1),
            reduction="sum",
            log_target=True,
        )
