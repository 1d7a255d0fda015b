"""A base in one byte a weight, by torchao: half of what two bytes take, and no longer the same sums.

Knows linear layers; nothing of what the loss does to answers (`council eval starter` measures that).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from proxycouncil.errors import FamilyError

if TYPE_CHECKING:
    from torch import Tensor, nn

QuantizeName: TypeAlias = Literal["none", "int8"]


def check_installed() -> None:
    """Look for torchao before weights are read.

    Raises:
        FamilyError: it is not there.
    """
    try:
        import torchao.quantization  # noqa: F401
    except ImportError as error:
        raise FamilyError(
            'family.quantize = "int8" needs torchao, which is not installed',
            hint="pip install -c constraints.txt 'proxycouncil[int8]', or leave family.quantize out",
        ) from error


def to_int8(module: nn.Module) -> None:
    """Let the linear layers hold int8 weights with a scale for each output; rows keep their precision."""
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    quantize_(module, Int8WeightOnlyConfig())


def bytes_of(tensor: Tensor) -> int:
    """What a tensor holds; a quantised one is made of others."""
    if not hasattr(tensor, "__tensor_flatten__"):
        return tensor.numel() * tensor.element_size()
    names, _ = tensor.__tensor_flatten__()
    return sum(bytes_of(getattr(tensor, name)) for name in names)
