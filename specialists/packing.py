"""Linear layers laid out for what decoding is on a CPU: reading weights, for a few rows at once.

A step costs what its weights weigh. A checkpoint in bfloat16 or float16 loses nothing when it is kept in two
bytes: scaled by a power of two, all its numbers are float16's, and FBGEMM multiplies those with float32 rows
in float32: half the bytes of float32, the same sums. Where that library or such a checkpoint is not, oneDNN's
layout: for one row torch's plain product reads the weights once, for four twice, for sixteen four times,
since it repacks them with every call; packed once, sixteen rows take little more than one. Knows layers;
nothing of models or steering.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST, SMALLEST_HALF = 2_000_000, 20_000
"""Weights of a layer worth packing in four bytes, and in two: smaller ones stay in a core's cache."""
_ROWS = 5
"""Rows that oneDNN's layout is made for: four drafts and the token before them."""
_LARGEST = 15
"""Weights are scaled to lie below 2 to this: float16 ends at twice that."""
_EXACT = 2.0**-32
"""Of the largest weight, what may be lost: float32 sums lose more."""


class HalfLinear(nn.Module):
    """A linear layer that holds its weights in two bytes, and only so; rows are float32."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        weight = linear.weight.detach()
        largest = torch.stack(torch.aminmax(weight)).abs().max().float()
        exponent = _LARGEST - int(torch.frexp(largest).exponent)
        self._scale = 2.0**-exponent
        bias = None if linear.bias is None else linear.bias.detach().float()
        scaled = weight.to(torch.float32, copy=True).mul_(2.0**exponent)
        self._packed: Any = torch.ops.quantized.linear_prepack_fp16(scaled, bias)
        self.bytes = 2 * weight.numel()

    def forward(self, inputs: Tensor) -> Tensor:
        """`inputs · weightᵀ + bias`."""
        product: Tensor = torch.ops.quantized.linear_dynamic_fp16(inputs * self._scale, self._packed)
        return product


class PackedLinear(nn.Module):
    """A linear layer that holds its weights packed in four bytes, and only so."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.bias = linear.bias
        self._packed: Any = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _ROWS)  # noqa: SLF001
        self.bytes = 4 * linear.weight.numel()

    def forward(self, inputs: Tensor) -> Tensor:
        """`inputs · weightᵀ + bias`."""
        product: Tensor = torch.ops.mkldnn._linear_pointwise(  # noqa: SLF001
            inputs, self._packed, self.bias, "none", [], ""
        )
        return product


def pack(module: nn.Module) -> int:
    """Pack the linear layers of a model on a CPU in place, where it pays and loses nothing; how many were.

    None where torch was built without the libraries. As many at once as torch has threads; the plain weights
    are let go one by one.
    """
    # Names, not layers: what is still named here would be held twice until the end.
    found = [
        (parent, name)
        for parent in module.modules()
        for name, child in parent.named_children()
        if type(child) is nn.Linear
    ]
    # FBGEMM takes 30 ns for every weight, on one core.
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return sum(pool.map(lambda place: _replace(place[0], place[1], module), found))


def _replace(parent: nn.Module, name: str, module: nn.Module) -> bool:
    linear = getattr(parent, name)
    kind = _layout(linear, module)
    if kind is not None:
        setattr(parent, name, kind(linear))
    return kind is not None


def has_half_layout() -> bool:
    """Whether this build of torch multiplies float32 rows with float16 weights (x86 with FBGEMM)."""
    return torch.backends.quantized.engine in {"x86", "fbgemm"}


def _layout(linear: nn.Linear, module: nn.Module) -> type[HalfLinear | PackedLinear] | None:
    weight = linear.weight
    if weight.device.type != "cpu":
        return None
    # A head that is tied to the embeddings would be held twice, unless both are in two bytes.
    tied = any(weight is other.weight for other in module.modules() if isinstance(other, nn.Embedding))
    wide = weight.dtype is torch.float32
    if tied and wide:
        return None
    if has_half_layout() and weight.numel() >= SMALLEST_HALF and fits_half(weight):
        return HalfLinear
    onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return PackedLinear if wide and onednn and weight.numel() >= SMALLEST else None


def fits_half(weight: Tensor) -> bool:
    """Whether float16 holds these weights, scaled: what was stored in two bytes, whatever it is in now."""
    two_bytes = (torch.bfloat16, torch.float16)
    if weight.dtype in two_bytes:
        return True
    allowed = weight.abs().max() * _EXACT
    return any(bool(((weight.to(kind).float() - weight).abs() <= allowed).all()) for kind in two_bytes)
