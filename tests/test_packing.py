"""Packed layers compute what plain ones do, and are used where they may be; int8 where it was asked for."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from tiny import STARTER, save_model
from torch import nn

from proxycouncil.errors import FamilyError
from proxycouncil.specialists import Family, packing
from proxycouncil.specialists.loading import choose_dtype, has_bfloat16_units
from proxycouncil.specialists.packing import PackedLinear, pack

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch without oneDNN")


@pytest.mark.parametrize("shape", [(1, 40), (5, 40), (2, 3, 40), (64, 40)])
@pytest.mark.parametrize("bias", [False, True])
def test_a_packed_layer_is_the_layer(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(40, 24, bias=bias)
    inputs = torch.randn(shape)
    with torch.inference_mode():
        assert torch.allclose(PackedLinear(linear)(inputs), linear(inputs), atol=1e-5)


def test_only_large_layers_in_float32_are_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "SMALLEST", 100)
    plain = nn.Sequential(nn.Linear(40, 24), nn.Linear(24, 2))
    assert pack(plain) == 1
    assert isinstance(plain[0], PackedLinear)
    assert type(plain[1]) is nn.Linear
    assert pack(nn.Sequential(nn.Linear(40, 24)).to(torch.bfloat16)) == 0


def test_a_head_tied_to_the_embeddings_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "SMALLEST", 100)
    tied = nn.ModuleDict({"embed": nn.Embedding(24, 40), "head": nn.Linear(40, 24, bias=False)})
    tied["head"].weight = tied["embed"].weight
    assert pack(tied) == 0


def test_a_packed_base_reads_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_model(tmp_path, "llama", hidden_size=64, intermediate_size=96)
    ids = torch.arange(5, 25).view(2, 10)
    with torch.inference_mode():
        plain = Family(folder, device="cpu", dtype="float32").part("base").model.module(ids).logits
        monkeypatch.setattr(packing, "SMALLEST", 1000)
        model = Family(folder, device="cpu", dtype="float32").part("base").model
        assert any(isinstance(layer, PackedLinear) for layer in model.module.modules())
        assert torch.allclose(model.module(ids).logits, plain, atol=1e-4)


def test_bfloat16_is_chosen_where_the_processor_has_it() -> None:
    chosen = choose_dtype("auto", torch.device("cpu"), 10**9)
    assert chosen is (torch.bfloat16 if has_bfloat16_units() else torch.float32)
    assert choose_dtype("auto", torch.device("cpu"), 10**6) is torch.float32


@pytest.mark.skipif(importlib.util.find_spec("torchao") is not None, reason="torchao is installed")
def test_int8_without_torchao_says_what_to_install() -> None:
    with pytest.raises(FamilyError, match="needs torchao") as error:
        Family(STARTER / "base", quantize="int8").load()
    assert "proxycouncil[int8]" in error.value.hint


def test_a_base_in_int8_weighs_less_and_says_nearly_the_same() -> None:
    pytest.importorskip("torchao")
    ids = torch.arange(5, 25).view(2, 10)
    with torch.inference_mode():
        exact = Family(STARTER / "base", device="cpu").part("base").model
        small = Family(STARTER / "base", device="cpu", dtype="float32", quantize="int8").part("base").model
        apart = (exact.module(ids).logits - small.module(ids).logits).abs().max()
        assert 0 < apart < 1
    layer = small.module.layers[0].down.weight
    assert small.weight_bytes < 0.65 * exact.weight_bytes
    assert layer.qdata.dtype is torch.int8


def test_int8_makes_another_family() -> None:
    plain, quantized = Family(STARTER / "base"), Family(STARTER / "base", quantize="int8")
    assert plain.fingerprint != quantized.fingerprint
