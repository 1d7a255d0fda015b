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

from proxycouncil.specialists.answer_loss import AnswerTrainer

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Teacher:
    """Whom the expert learns from, and how much of the loss that is."""

    model: PreTrainedModel
    weight: float


class DistilledTrainer(AnswerTrainer):
    """A Trainer whose training loss looks at the teacher; what is held out is judged by the answers alone."""

    def __init__(self, *arguments: Any, teacher: Teacher, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **settings)
        model: Any = teacher.model
        self._teacher = model.to(self.args.device).eval().requires_grad_(False)
        self._weight = teacher.weight

    def total(self, logits: Tensor, labels: Tensor, given: dict[str, Any], *, training: bool) -> Tensor:
        """Of the answers alone in evaluation; in training partly of what the teacher thinks."""
        places = labels[:, 1:] != -100
        ours, right = logits[:, :-1][places].float(), labels[:, 1:][places]
        nats = cross_entropy(ours, right, reduction="sum")
        if not training:
            return nats
        return (1 - self._weight) * nats + self._weight * self._divergence(given, places, ours)

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
