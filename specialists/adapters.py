"""LoRA adapters of one model, each row of a batch with its own: what makes a steering pair one forward.

The adapters are PEFT's files and the arithmetic is PEFT's `adapter_names` (`y + B·A·x · scaling`), but the
layers stay plain linear ones: forward hooks add every row's product in two batched multiplications,
where PEFT's own mixed rows loop over the adapters in every layer (seven times slower with seven).
Knows linear layers and rows; nothing of requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

from proxycouncil.errors import FamilyError

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.utils.hooks import RemovableHandle

    from proxycouncil.specialists.checkpoint import Checkpoint

NO_ADAPTER = ""
"""Names the rows that no adapter touches."""

_UNSUPPORTED = ("use_dora", "use_qalora", "alora_invocation_tokens", "layer_replication", "arrow_config")


@dataclass(frozen=True, slots=True)
class _LowRank:
    down: Tensor
    """`[in, rank]`: A, transposed."""
    up: Tensor
    """`[rank, out]`: B, transposed, with the scaling in it."""


class AdapterRows:
    """The adapters of one module; `select` says which row of the next forwards uses which."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._adapters: dict[str, dict[str, _LowRank]] = {}
        self._layers: dict[str, _AdaptedLinear] = {}
        self._selected: tuple[str, ...] = ()

    def add(self, name: str, checkpoint: Checkpoint) -> None:
        """Read an adapter.

        Raises:
            FamilyError: not plain LoRA on linear layers, or made for another model.
        """
        self._adapters[name] = _read(checkpoint, self._module)
        for place in self._adapters[name].keys() - self._layers.keys():
            self._layers[place] = _AdaptedLinear(self._module.get_submodule(place))
        self._selected = ()

    def remove(self, name: str) -> None:
        """Forget an adapter; no row may be using it."""
        self._adapters.pop(name, None)

    def select(self, rows: Sequence[str]) -> None:
        """Name the adapter of each row of the forwards that follow."""
        rows = tuple(rows)
        if rows == self._selected:
            return
        self._selected = rows
        used = sorted({name for name in rows if name != NO_ADAPTER})
        which = [used.index(name) + 1 if name != NO_ADAPTER else 0 for name in rows]
        for place, layer in self._layers.items():
            layer.select([self._adapters[name].get(place) for name in used], which)


class _AdaptedLinear:
    """A linear layer whose output gets each row's low-rank product added."""

    def __init__(self, linear: Any) -> None:  # noqa: ANN401
        self._linear = linear
        self._down: Tensor | None = None
        self._up: Tensor | None = None
        self.handle: RemovableHandle = linear.register_forward_hook(self._add_rows)

    def select(self, used: Sequence[_LowRank | None], which: Sequence[int]) -> None:
        import torch

        if not any(used):
            self._down = self._up = None
            return
        weight = self._linear.weight
        rank = max(one.down.shape[1] for one in used if one is not None)
        down = weight.new_zeros(len(used) + 1, weight.shape[1], rank)
        up = weight.new_zeros(len(used) + 1, rank, weight.shape[0])
        for place, one in enumerate(used, start=1):
            if one is not None:
                down[place, :, : one.down.shape[1]] = one.down
                up[place, : one.up.shape[0]] = one.up
        index = torch.tensor(which, device=weight.device)
        self._down, self._up = down[index], up[index]

    def _add_rows(self, _: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if self._down is None or self._up is None:
            return output
        return output.baddbmm_(inputs[0].bmm(self._down), self._up)


def _read(checkpoint: Checkpoint, module: nn.Module) -> dict[str, _LowRank]:
    from safetensors.torch import load_file

    settings = json.loads((checkpoint.path / "adapter_config.json").read_text(encoding="utf-8"))
    _check_plain(checkpoint, settings)
    places = {_place(checkpoint, key) for key in checkpoint.tensors}
    tensors: dict[str, Tensor] = {}
    for file in checkpoint.weights:
        tensors.update(load_file(file))
    adapter = {}
    for place in sorted(places):
        linear = _linear(checkpoint, module, place)
        down, up = (tensors[f"base_model.model.{place}.lora_{side}.weight"] for side in "AB")
        _check_fit(checkpoint, place, linear, down, up)
        scaling = _scaling(settings, place, rank=len(down))
        like = linear.weight
        adapter[place] = _LowRank(down.to(like).T.contiguous(), (up.to(like) * scaling).T.contiguous())
    _check_complete(checkpoint, module, settings, places)
    return adapter


def _check_plain(checkpoint: Checkpoint, settings: dict[str, Any]) -> None:
    kind = settings.get("peft_type")
    odd = [name for name in _UNSUPPORTED if settings.get(name)]
    odd += [key for key in checkpoint.tensors if not key.endswith((".lora_A.weight", ".lora_B.weight"))][:1]
    if kind != "LORA" or odd:
        raise FamilyError(
            f"{checkpoint.path} is not a plain LoRA adapter: {', '.join(odd) or kind}",
            hint="merge it (PEFT's merge_and_unload) and name the merged checkpoint as the expert",
        )


def _place(checkpoint: Checkpoint, key: str) -> str:
    prefix = "base_model.model."
    if not key.startswith(prefix):
        raise _foreign(checkpoint, f"{key} does not begin with {prefix}")
    return key.removeprefix(prefix).rsplit(".lora_", 1)[0]


def _linear(checkpoint: Checkpoint, module: nn.Module, place: str) -> Any:  # noqa: ANN401
    from torch import nn

    try:
        layer = module.get_submodule(place)
    except AttributeError:
        raise _foreign(checkpoint, f"the anti-expert has no {place}") from None
    if not isinstance(layer, nn.Linear):
        raise _foreign(checkpoint, f"{place} is not a linear layer")
    return layer


def _check_fit(checkpoint: Checkpoint, place: str, linear: nn.Linear, down: Tensor, up: Tensor) -> None:
    found, wanted = (down.shape[1], up.shape[0]), (linear.in_features, linear.out_features)
    if found != wanted:
        raise _foreign(checkpoint, f"{place} reads and writes {found} where the anti-expert has {wanted}")


def _check_complete(
    checkpoint: Checkpoint, module: nn.Module, settings: dict[str, Any], places: set[str]
) -> None:
    """An adapter of a shallower model fits layer by layer; that it leaves some out gives it away."""
    if settings.get("layers_to_transform") is not None or not isinstance(
        settings.get("target_modules"), list
    ):
        return
    kinds = {place.rsplit(".", 1)[-1] for place in places}
    stacks = {place.split(".layers.", 1)[0] for place in places}
    expected = {
        name
        for name, _ in module.named_modules()
        if name.rsplit(".", 1)[-1] in kinds and name.split(".layers.", 1)[0] in stacks
    }
    missing = sorted(expected - places)
    if missing and not settings.get("exclude_modules"):
        raise _foreign(checkpoint, f"it leaves out {len(missing)} layers, first {missing[0]}")


def _scaling(settings: dict[str, Any], place: str, *, rank: int) -> float:
    """PEFT's scaling; the rank is the tensor's own, so `rank_pattern` needs no reading."""
    patterns = settings.get("alpha_pattern") or {}
    matching = (value for pattern, value in patterns.items() if re.match(rf"(.*\.)?({pattern})$", place))
    alpha = float(next(matching, settings["lora_alpha"]))
    return alpha / (sqrt(rank) if settings.get("use_rslora") else rank)


def _foreign(checkpoint: Checkpoint, what: str) -> FamilyError:
    return FamilyError(
        f"{checkpoint.path} was made for another model: {what}",
        hint="tune it over this family's anti-expert, or name the anti-expert it was tuned over",
    )
