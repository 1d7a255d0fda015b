"""Cases as tensors: encoded prompts with only the answer's tokens as labels, padded on the left.

Knows a prompt format and what a causal language model takes; knows nothing of LoRA, steps or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from proxycouncil.specialists.cases import Case
from proxycouncil.specialists.request import Prompt

if TYPE_CHECKING:
    from torch import Tensor

    from proxycouncil.specialists.prompts import PromptFormat

_IGNORED = -100
"""The label that cross-entropy leaves out (torch's default `ignore_index`)."""


class Exercise(TypedDict):
    """One case in tokens; the answer is the last `answer_length` of them."""

    input_ids: list[int]
    answer_length: int


class Batch(TypedDict):
    """What the model is called with; labels and logits cover the last `logits_to_keep` positions only."""

    input_ids: Tensor
    attention_mask: Tensor
    position_ids: Tensor
    labels: Tensor
    logits_to_keep: int


def encode_cases(cases: Sequence[Case], form: PromptFormat, *, longest: int) -> list[Exercise]:
    """Tokens of every case that fits into the context."""
    encoded = (_encode(case, form) for case in cases)
    return [exercise for exercise in encoded if len(exercise["input_ids"]) <= longest]


def _encode(case: Case, form: PromptFormat) -> Exercise:
    prompt = form.encode(Prompt(case.question, case.snippets))
    answer = form.target_ids(case.answer)
    return {"input_ids": prompt + answer, "answer_length": len(answer)}


@dataclass(frozen=True, slots=True)
class Collator:
    """Pads on the left, so that all answers end together and logits are needed for the last positions only.

    For a short answer behind a long slate that saves most of a small model's time: its vocabulary is
    the largest of its matrices.
    """

    pad_id: int
    multiple: int = 1
    """Widths are rounded up to it: a compiled model wants few shapes."""

    def __call__(self, exercises: Sequence[Exercise]) -> Batch:
        """One batch; position ids count from the first real token."""
        import torch

        width = self._rounded(max(len(exercise["input_ids"]) for exercise in exercises))
        # One more than the longest answer: the prompt's last token predicts the answer's first.
        kept = self._rounded(1 + max(exercise["answer_length"] for exercise in exercises))
        ids = torch.full((len(exercises), width), self.pad_id)
        mask = torch.zeros_like(ids)
        labels = torch.full((len(exercises), kept), _IGNORED)
        for row, exercise in enumerate(exercises):
            tokens = torch.tensor(exercise["input_ids"])
            ids[row, -len(tokens) :] = tokens
            mask[row, -len(tokens) :] = 1
            labels[row, -exercise["answer_length"] :] = tokens[-exercise["answer_length"] :]
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": positions,
            "labels": labels,
            "logits_to_keep": kept,
        }

    def _rounded(self, count: int) -> int:
        return -(-count // self.multiple) * self.multiple
