"""Linear layers laid out for a few rows at once: what verifying drafts and small batches need on a CPU.

For one row torch's plain product reads the weights once, at the memory's speed; for four it reads them twice
and for sixteen four times, since the library repacks them with every call. Packed once by oneDNN (the layout
that torch's own inductor uses when it freezes a model), sixteen rows take little more than one. Knows layers;
nothing of models or steering.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST = 2_000_000
"""Weights of a layer worth packing: smaller ones stay in a core's cache and gain nothing."""
_ROWS = 5
"""Rows that the layout is made for: four drafts and the token before them."""


class PackedLinear(nn.Module):
    """A linear layer that holds its weights packed, and only so."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.bias = linear.bias
        self._packed: Any = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _ROWS)  # noqa: SLF001

    def forward(self, inputs: Tensor) -> Tensor:
        """`inputs · weightᵀ + bias`."""
        product: Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001
            inputs, self._packed, self.bias, "none", [], ""
        )
        return product


def pack(module: nn.Module) -> int:
    """Pack the large linear layers of a float32 model on a CPU in place; how many were.

    None where torch was built without oneDNN. The plain weights are let go layer by layer.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return 0
    # Names, not layers: what is still named here would be held twice until the end.
    found = [
        (parent, name)
        for parent in module.modules()
        for name, child in parent.named_children()
        if type(child) is nn.Linear and _is_worth_it(child, module)
    ]
    for parent, name in found:
        setattr(parent, name, PackedLinear(getattr(parent, name)))
    return len(found)


def _is_worth_it(linear: nn.Linear, module: nn.Module) -> bool:
    weight = linear.weight
    # A head that is tied to the embeddings would be held twice.
    tied = any(weight is other.weight for other in module.modules() if isinstance(other, nn.Embedding))
    plain = weight.device.type == "cpu" and weight.dtype is torch.float32
    return plain and not tied and weight.numel() >= SMALLEST
