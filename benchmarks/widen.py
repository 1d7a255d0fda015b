"""Make a trained Llama larger without changing what it computes: real acceptance at a real size's cost.

New columns and layers hold random weights whose results are multiplied by zeros, so they cost what any
others do. The width grows fourfold, so that the norms' correction is a power of two and exact in bf16.
Knows weights by name; nothing of decoding.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

WIDER = 4

_AXES = {
    "embed_tokens": ("words", "hidden"),
    "q_proj": ("queries", "hidden"),
    "k_proj": ("keys", "hidden"),
    "v_proj": ("keys", "hidden"),
    "o_proj": ("hidden", "queries"),
    "gate_proj": ("inner", "hidden"),
    "up_proj": ("inner", "hidden"),
    "down_proj": ("hidden", "inner"),
}
"""What the rows and the columns of each kind of matrix stand for."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The larger model's layers, key-value heads and inner width."""

    layers: int
    kv_heads: int
    inner: int


@dataclass(frozen=True, slots=True)
class Widening:
    """From the settings of a model to those of the larger one, and where its numbers go."""

    small: dict[str, Any]
    shape: Shape

    @property
    def settings(self) -> dict[str, Any]:
        """The larger model's config."""
        return self.small | {
            "hidden_size": WIDER * self.small["hidden_size"],
            "num_attention_heads": WIDER * self.small["num_attention_heads"],
            "num_key_value_heads": self.shape.kv_heads,
            "intermediate_size": self.shape.inner,
            "num_hidden_layers": self.shape.layers,
            # mean(x²) shrinks by the width, so what is added to it must, too.
            "rms_norm_eps": self.small["rms_norm_eps"] / WIDER,
        }

    def places(self, name: str) -> tuple[Tensor, Tensor]:
        """Rows and columns of a larger matrix that hold the smaller one; `name` is that of its layer."""
        import torch

        head = torch.arange(self.small["head_dim"])
        along = {
            "words": torch.arange(self.small["vocab_size"]),
            "hidden": torch.arange(self.small["hidden_size"]),
            "inner": torch.arange(self.small["intermediate_size"]),
            "queries": (self._heads()[:, None] * len(head) + head).flatten(),
            "keys": torch.arange(self.small["num_key_value_heads"] * len(head)),
        }
        rows, columns = _AXES[name]
        return along[rows], along[columns]

    def size(self, name: str) -> tuple[int, int]:
        """Rows and columns of a larger matrix."""
        settings = self.settings
        along = {
            "words": settings["vocab_size"],
            "hidden": settings["hidden_size"],
            "inner": settings["intermediate_size"],
            "queries": settings["num_attention_heads"] * settings["head_dim"],
            "keys": settings["num_key_value_heads"] * settings["head_dim"],
        }
        rows, columns = _AXES[name]
        return along[rows], along[columns]

    def _heads(self) -> Tensor:
        """Query heads stay with their key-value head, of which each now serves more."""
        import torch

        heads, groups = self.small["num_attention_heads"], self.small["num_key_value_heads"]
        each, larger = heads // groups, WIDER * heads // self.shape.kv_heads
        return torch.tensor([head // each * larger + head % each for head in range(heads)])


def widen(source: Path, target: Path, shape: Shape) -> Path:
    """Write the larger twin of a Llama checkpoint; returns its folder."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.safetensors"), dirs_exist_ok=True)
    widening = Widening(json.loads((source / "config.json").read_text("utf-8")), shape)
    (target / "config.json").write_text(json.dumps(widening.settings), encoding="utf-8")
    small = load_file(source / "model.safetensors")
    draw = torch.Generator().manual_seed(0)
    large = {name: _widened(name, small, widening, draw) for name in _names(widening)}
    save_file(large, target / "model.safetensors", metadata={"format": "pt"})
    return target


def widen_adapter(source: Path, target: Path, *, over: Path, small: Path) -> Path:
    """The same for a LoRA adapter; `over` and `small` are the larger and the smaller model's folders."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.safetensors"), dirs_exist_ok=True)
    larger = json.loads((over / "config.json").read_text("utf-8"))
    shape = Shape(larger["num_hidden_layers"], larger["num_key_value_heads"], larger["intermediate_size"])
    widening = Widening(json.loads((small / "config.json").read_text("utf-8")), shape)
    wide = {}
    for name, weight in load_file(source / "adapter_model.safetensors").items():
        place = name.split(".")[-3]
        rows, columns = widening.places(place)
        wide[name] = _spread_lora(weight, name, rows, columns, widening.size(place))
    save_file(wide, target / "adapter_model.safetensors", metadata={"format": "pt"})
    return target


def _spread_lora(weight: Tensor, name: str, rows: Tensor, columns: Tensor, size: tuple[int, int]) -> Tensor:
    if "lora_A" in name:
        wide = weight.new_zeros(len(weight), size[1])
        wide[:, columns] = weight
        return wide
    wide = weight.new_zeros(size[0], weight.shape[1])
    wide[rows] = weight
    return wide


def _names(widening: Widening) -> list[str]:
    attention = [f"self_attn.{letter}_proj" for letter in "qkvo"]
    inner = [f"mlp.{name}_proj" for name in ("gate", "up", "down")]
    blocks = [*attention, *inner, "input_layernorm", "post_attention_layernorm"]
    layers = (f"model.layers.{at}.{block}.weight" for at in range(widening.shape.layers) for block in blocks)
    return ["model.embed_tokens.weight", *layers, "model.norm.weight"]


def _widened(name: str, small: dict[str, Tensor], widening: Widening, draw: Any) -> Tensor:  # noqa: ANN401
    import torch

    place = name.split(".")[-2]
    if "norm" in place:
        wide = torch.ones(widening.settings["hidden_size"], dtype=torch.bfloat16)
        if name in small:
            wide[: len(small[name])] = small[name] / WIDER**0.5
        return wide
    silent = place in {"embed_tokens", "o_proj", "down_proj"}
    size = widening.size(place)
    wide = torch.zeros(size, dtype=torch.bfloat16)
    if not silent:
        wide += torch.randn(size, generator=draw).mul_(0.02).to(torch.bfloat16)
    if name in small:
        rows, columns = widening.places(place)
        wide[rows[:, None], columns] = small[name].to(torch.bfloat16)
    return wide
