"""LoRA adapters of one model, each row of a batch with its own: what makes a steering pair one forward.

The adapters are PEFT's files and the arithmetic is PEFT's `adapter_names` (`y + B·A·x · scaling`), but the
layers stay plain linear ones: forward hooks add the products of all rows that have an adapter in two
multiplications, where PEFT's own mixed rows loop over the adapters in every layer (seven times slower with
seven). Layers that are one product here (query, key and value) have one low-rank product, too. Knows linear
layers and rows; nothing of requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
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
class Slot:
    """Where a linear layer of a checkpoint is: these outputs of a linear layer in memory."""

    linear: Any
    """With `in_features` and `out_features`."""
    start: int
    stop: int


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
        self._slots = _slots(module)
        self._adapters: dict[str, dict[str, _LowRank]] = {}
        self._layers: dict[int, _AdaptedLinear] = {}
        self._selected: tuple[str, ...] = ()

    def add(self, name: str, checkpoint: Checkpoint) -> None:
        """Read an adapter.

        Raises:
            FamilyError: not plain LoRA on linear layers, or made for another model.
        """
        self._adapters[name] = _read(checkpoint, self._slots, like=self._module)
        for place in self._adapters[name]:
            slot = self._slots[place]
            if id(slot.linear) not in self._layers:
                self._layers[id(slot.linear)] = _AdaptedLinear(slot.linear)
            self._layers[id(slot.linear)].places[place] = slot
        self._selected = ()

    def remove(self, name: str) -> None:
        """Forget an adapter; no row may be using it."""
        self._adapters.pop(name, None)

    @property
    def bytes(self) -> int:
        """What all adapters take."""
        found = [one for adapter in self._adapters.values() for one in adapter.values()]
        return sum(side.numel() * side.element_size() for one in found for side in (one.down, one.up))

    def select(self, rows: Sequence[str]) -> None:
        """Name the adapter of each row of the forwards that follow."""
        rows = tuple(rows)
        if rows == self._selected:
            return
        self._selected = rows
        used = sorted({name for name in rows if name != NO_ADAPTER})
        owners = {name: [row for row, own in enumerate(rows) if own == name] for name in used}
        for layer in self._layers.values():
            layer.select([(self._adapters[name], owners[name]) for name in used])


class _AdaptedLinear:
    """A linear layer whose output gets the low-rank products of some rows added."""

    def __init__(self, linear: Any) -> None:  # noqa: ANN401
        self._linear = linear
        self.places: dict[str, Slot] = {}
        self._rows: slice | Tensor = slice(0)
        self._down: Tensor | None = None
        """`[adapters, in, rank]`, each for as many rows, one after the other; `[in, rank]` of one alone."""
        self._up: Tensor | None = None
        self.handle: RemovableHandle = linear.register_forward_hook(self._add_rows)

    def select(self, used: Sequence[tuple[Mapping[str, _LowRank], Sequence[int]]]) -> None:
        """Adapters and the rows that have them."""
        import torch

        known = self.places.keys()
        joined = [(self._joined(adapter), list(rows)) for adapter, rows in used if adapter.keys() & known]
        if not joined:
            self._down = self._up = None
            return
        if len({len(rows) for _, rows in joined}) > 1:
            joined = sorted(((one, [row]) for one, rows in joined for row in rows), key=lambda own: own[1])
        rows = [row for _, rows in joined for row in rows]
        in_line = rows == list(range(rows[0], rows[0] + len(rows)))
        index = torch.tensor(rows, device=joined[0][0].down.device)
        self._rows = slice(rows[0], rows[0] + len(rows)) if in_line else index
        if len(joined) == 1:
            self._down, self._up = joined[0][0].down, joined[0][0].up
            return
        rank = max(one.down.shape[1] for one, _ in joined)
        self._down = torch.stack([_padded(one.down, 1, rank) for one, _ in joined])
        self._up = torch.stack([_padded(one.up, 0, rank) for one, _ in joined])

    def _joined(self, adapter: Mapping[str, _LowRank]) -> _LowRank:
        """One product for all places of this layer: each has columns of its own and its own outputs."""
        import torch

        found = [(adapter[place], slot) for place, slot in self.places.items() if place in adapter]
        down = torch.cat([one.down for one, _ in found], dim=1)
        up = down.new_zeros(down.shape[1], self._linear.out_features)
        begin = 0
        for one, slot in found:
            up[begin : begin + len(one.up), slot.start : slot.stop] = one.up
            begin += len(one.up)
        return _LowRank(down, up)

    def _add_rows(self, _: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        if self._down is None or self._up is None:
            return output
        given, part = inputs[0][self._rows], output[self._rows]
        if self._down.dim() == 3:
            count = len(self._down)
            low = given.reshape(count, -1, given.shape[-1]).bmm(self._down)
            part.view(count, -1, part.shape[-1]).baddbmm_(low, self._up)
        else:
            flat = part.view(-1, part.shape[-1])
            flat.addmm_(given.reshape(len(flat), -1).mm(self._down), self._up)
        if not isinstance(self._rows, slice):  # then the part is a copy
            output.index_copy_(0, self._rows, part)
        return output


def _slots(module: nn.Module) -> dict[str, Slot]:
    """A module that joins layers says itself where they are."""
    from torch import nn

    from proxycouncil.specialists.packing import HalfLinear, PackedLinear

    known: dict[str, Slot] | None = getattr(module, "slots", None)
    if known is not None:
        return known
    kinds = (nn.Linear, HalfLinear, PackedLinear)
    linears = ((name, one) for name, one in module.named_modules() if isinstance(one, kinds))
    return {name: Slot(linear, 0, linear.out_features) for name, linear in linears}


def _padded(matrix: Tensor, dim: int, size: int) -> Tensor:
    import torch

    missing = size - matrix.shape[dim]
    shape = [missing if at == dim else length for at, length in enumerate(matrix.shape)]
    return torch.cat([matrix, matrix.new_zeros(shape)], dim) if missing else matrix


def _read(checkpoint: Checkpoint, slots: Mapping[str, Slot], *, like: Any) -> dict[str, _LowRank]:  # noqa: ANN401
    from safetensors.torch import load_file

    settings = json.loads((checkpoint.path / "adapter_config.json").read_text(encoding="utf-8"))
    _check_plain(checkpoint, settings)
    places = {_place(checkpoint, key) for key in checkpoint.tensors}
    tensors: dict[str, Tensor] = {}
    for file in checkpoint.weights:
        tensors.update(load_file(file))
    adapter = {}
    for place in sorted(places):
        if place not in slots:
            raise _foreign(checkpoint, f"the anti-expert has no linear layer {place}")
        slot = slots[place]
        down, up = (tensors[f"base_model.model.{place}.lora_{side}.weight"] for side in "AB")
        _check_fit(checkpoint, place, slot, down, up)
        scaling = _scaling(settings, place, rank=len(down))
        down, up = (one.to(device=like.device, dtype=like.dtype).T.contiguous() for one in (down, up))
        adapter[place] = _LowRank(down, up * scaling)
    _check_complete(checkpoint, slots, settings, places)
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


def _check_fit(checkpoint: Checkpoint, place: str, slot: Slot, down: Tensor, up: Tensor) -> None:
    found, wanted = (down.shape[1], up.shape[0]), (slot.linear.in_features, slot.stop - slot.start)
    if found != wanted:
        raise _foreign(checkpoint, f"{place} reads and writes {found} where the anti-expert has {wanted}")


def _check_complete(
    checkpoint: Checkpoint, slots: Mapping[str, Slot], settings: dict[str, Any], places: set[str]
) -> None:
    """An adapter of a shallower model fits layer by layer; that it leaves some out gives it away."""
    if settings.get("layers_to_transform") is not None or not isinstance(
        settings.get("target_modules"), list
    ):
        return
    kinds = {place.rsplit(".", 1)[-1] for place in places}
    stacks = {place.split(".layers.", 1)[0] for place in places}
    expected = {
        name for name in slots if name.rsplit(".", 1)[-1] in kinds and name.split(".layers.", 1)[0] in stacks
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
