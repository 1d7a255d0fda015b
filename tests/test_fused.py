"""The decoder with few calls against transformers' own modules, and weights in two bytes against four."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tiny import STARTER, save_adapter, save_model
from torch import nn
from transformers import AutoModelForCausalLM, DynamicCache

from proxycouncil.specialists import Family, packing
from proxycouncil.specialists.adapters import AdapterRows
from proxycouncil.specialists.checkpoint import open_checkpoint
from proxycouncil.specialists.fused import FusedDecoder, fuse
from proxycouncil.specialists.packing import HalfLinear, fits_half, has_half_layout

SHAPE: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 48,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 1024,
    "initializer_range": 0.3,
    "pad_token_id": 0,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
KNOWN = {
    "llama": transformers.LlamaConfig(**SHAPE),
    "llama, biased, tied": transformers.LlamaConfig(
        **SHAPE, attention_bias=True, mlp_bias=True, tie_word_embeddings=True
    ),
    "llama3 rotations": transformers.LlamaConfig(**SHAPE, rope_parameters=LLAMA3),
    "mistral": transformers.MistralConfig(**SHAPE, sliding_window=None),
    "qwen2": transformers.Qwen2Config(**{name: SHAPE[name] for name in SHAPE if name != "head_dim"}),
    "qwen3": transformers.Qwen3Config(**SHAPE),
}
UNKNOWN = {
    "a window": transformers.MistralConfig(**SHAPE, sliding_window=8),
    "a growing rotation": transformers.LlamaConfig(
        **SHAPE, rope_parameters={"rope_type": "dynamic", "rope_theta": 500.0, "factor": 2.0}
    ),
    "another": transformers.Gemma2Config(**SHAPE),
}
half = pytest.mark.skipif(not has_half_layout(), reason="torch without FBGEMM")


def made(config: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
        for name, weight in model.named_parameters():
            if "norm" in name or "bias" in name:
                weight.normal_(1.0, 0.3)
    return model


@pytest.mark.parametrize("name", KNOWN)
def test_a_fused_model_says_what_transformers_says(name: str) -> None:
    """Rows of two lengths: read at once, then one token more, then several."""
    reference = made(KNOWN[name])
    fused: Any = fuse(copy.deepcopy(reference))
    assert isinstance(fused, FusedDecoder)
    ids = torch.randint(1, 300, (2, 40), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[0, :11] = 0
    positions = (mask.cumsum(1) - 1).clamp_min(0)
    caches = [DynamicCache(), DynamicCache()]
    with torch.inference_mode():
        assert torch.allclose(fused(ids).logits, reference(ids).logits, atol=1e-4)
        for begin, end in ((0, 20), (20, 21), (21, 24), (24, 40)):
            said = [
                model(
                    input_ids=ids[:, begin:end],
                    attention_mask=mask[:, :end],
                    position_ids=positions[:, begin:end],
                    past_key_values=cache,
                    use_cache=True,
                ).logits[mask[:, begin:end].bool()]
                for model, cache in zip((fused, reference), caches, strict=True)
            ]
            assert torch.allclose(*said, atol=1e-4)
        cache = DynamicCache()
        pieces = [fused(ids[:1, at : at + 7], past_key_values=cache).logits for at in range(0, 35, 7)]
        assert torch.allclose(torch.cat(pieces, 1), reference(ids[:1, :35]).logits, atol=1e-4)
        last = fused(ids[:, :9], logits_to_keep=2).logits
        assert torch.allclose(last, reference(ids[:, :9]).logits[:, -2:], atol=1e-4)
        far = ids.repeat(1, 20)  # beyond the first table of rotations
        assert torch.allclose(fused(far).logits, reference(far).logits, atol=1e-3)


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_stays_with_transformers(name: str) -> None:
    module = made(UNKNOWN[name])
    assert fuse(module) is module


def test_adapters_of_joined_layers_are_pefts(tmp_path: Path) -> None:
    from peft import PeftModel

    over = save_model(tmp_path / "small")
    places = ["q_proj", "k_proj", "v_proj", "gate_proj", "up_proj", "down_proj"]
    one = save_adapter(tmp_path / "one", over, seed=1, target_modules=places)
    two = save_adapter(tmp_path / "two", over, seed=2, r=6, target_modules=["v_proj", "o_proj"])
    reference = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(over), one, "one").eval()
    reference.load_adapter(two, "two")
    fused: Any = fuse(AutoModelForCausalLM.from_pretrained(over).eval())
    rows = AdapterRows(fused)
    for name, folder in (("one", one), ("two", two)):
        rows.add(name, open_checkpoint(folder))
    ids = torch.arange(40).reshape(5, 8) + 7
    with torch.inference_mode():
        for named in (
            ["one", "", "two", "one", ""],
            ["", "one", "one", "", ""],
            ["two", "", "", "", "two"],
            ["one"] * 5,
            ["", "two", "one", "", ""],
        ):
            rows.select(named)
            expected = reference(ids, adapter_names=[name or "__base__" for name in named]).logits
            assert torch.allclose(fused(ids).logits, expected, atol=1e-4)


@half
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_two_bytes_lose_nothing(kind: torch.dtype, size: float) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(50, 33).to(kind).requires_grad_(False)
    linear.weight.mul_(size)
    linear.weight[0] *= 1e-5  # far below the largest
    wide = copy.deepcopy(linear).float()
    assert fits_half(linear.weight)
    assert fits_half(wide.weight)
    inputs = torch.randn(3, 7, 50)
    for layer in (linear, wide):
        assert torch.allclose(HalfLinear(layer)(inputs), wide(inputs), rtol=1e-5, atol=1e-5 * size)


def test_weights_that_need_four_bytes_keep_them() -> None:
    assert not fits_half(torch.randn(20, 20))


@half
def test_a_checkpoint_in_two_bytes_is_held_in_two_bytes(tmp_path: Path) -> None:
    model: Any = Family(STARTER / "base", device="cpu").part("base").model.module
    kinds = {type(layer) for layer in model.modules() if "Linear" in type(layer).__name__}
    assert kinds == {HalfLinear}
    assert (model.dtype, model.embed_tokens.weight.dtype) == (torch.float32, torch.bfloat16)
    wide: Any = Family(save_model(tmp_path, hidden_size=64), device="cpu").part("base").model.module
    assert not [layer for layer in wide.modules() if isinstance(layer, HalfLinear)]


@half
def test_an_unknown_model_is_packed_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "SMALLEST_HALF", 100)
    source = save_model(tmp_path / "wide", "gemma2")
    plain: Any = AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16)
    plain.save_pretrained(tmp_path / "narrow")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "narrow" / name).write_bytes((source / name).read_bytes())
    model: Any = Family(tmp_path / "narrow", device="cpu", dtype="float32").part("base").model.module
    assert any(isinstance(layer, HalfLinear) for layer in model.modules())
    ids = torch.arange(5, 25).view(2, 10)
    with torch.inference_mode():
        assert torch.allclose(model(ids).logits, plain.float()(ids).logits, atol=1e-3)
