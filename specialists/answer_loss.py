"""transformers' Trainer with a loss of one's own over the tokens of the answers.

Knows the shape of a batch and how losses are averaged; what is summed is its subclasses' business.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from transformers import Trainer

if TYPE_CHECKING:
    from torch import Tensor


class AnswerTrainer(Trainer):
    """A Trainer whose loss is `total` over the number of answer tokens."""

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
        total = self.total(outputs.logits, labels, given, training=model.training)
        count = num_items_in_batch if num_items_in_batch is not None else (labels[:, 1:] != -100).sum()
        loss = total / count
        return (loss, outputs) if return_outputs else loss

    @abstractmethod
    def total(self, logits: Tensor, labels: Tensor, given: dict[str, Any], *, training: bool) -> Tensor:
        """Nats summed over the answers' tokens.

        Args:
            logits: of the expert, `[cases, places, vocabulary]`; a place's logits are those of the next one.
            labels: `[cases, places]`, -100 where no answer stands.
            given: what the expert was given.
            training: not evaluation.
        """
