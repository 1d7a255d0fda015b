"""Presets: each is a valid council.toml, and each architecture steers as the formula says.

No real weights: tiny random models of the architecture's own configuration class stand for them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.new_council import NewSpecialist, council_toml, preset_models
from proxycouncil.council.presets import PRESETS
from proxycouncil.errors import UsageError
from proxycouncil.specialists.engine import Engine
from proxycouncil.specialists.family import Family
from proxycouncil.specialists.request import Pair, Prompt, Request, Sampling, Snippet

TOKENIZER = Path(__file__).parents[1] / "council" / "starter" / "family" / "antiexpert"
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PROMPT = Prompt("What is opportunity cost?", (Snippet("Cost", "It is the value of what is given up."),))
PADDING = 64
"""Columns of a base's head beyond the tokenizer, as the hub's models have them."""


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_valid_council(name: str):
    text = council_toml(preset_models(name), [NewSpecialist("handbook", "./documents")])
    config = CouncilConfig.from_mapping(tomllib.loads(text))
    preset = PRESETS[name]
    assert config.family.base == preset.base
    assert config.family.antiexpert == preset.antiexpert
    assert [member.expert for member in config.specialists.values()] == [preset.expert]
    assert f"{round(preset.gigabytes)} GB" in text


def test_an_unknown_family_names_the_known():
    with pytest.raises(UsageError) as caught:
        preset_models("gpt5")
    assert "qwen3" in caught.value.hint


def _llama(**sizes: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    rope = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 64}  # fmt: skip
    return LlamaForCausalLM(LlamaConfig(rope_parameters=rope, **sizes))


def _smollm(**sizes: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(tie_word_embeddings=True, **sizes))


def _olmo2(**sizes: Any) -> Any:
    from transformers import Olmo2Config, Olmo2ForCausalLM

    return Olmo2ForCausalLM(Olmo2Config(**sizes))


def _qwen3(**sizes: Any) -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    return Qwen3ForCausalLM(Qwen3Config(tie_word_embeddings=True, **sizes))


def _gemma3_small(**sizes: Any) -> Any:
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    return Gemma3ForCausalLM(Gemma3TextConfig(sliding_window=16, **sizes))


def _gemma3_base(**sizes: Any) -> Any:
    """From 4 B on Gemma 3 also sees: its text model is one part of it."""
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    text = {"sliding_window": 16, **sizes}
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
              "image_size": 28, "patch_size": 14}  # fmt: skip
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)
    return Gemma3ForConditionalGeneration(config)


@dataclass(frozen=True)
class Architecture:
    small: Callable[..., Any]
    base: Callable[..., Any]
    settings: dict[str, Any] = field(default_factory=dict)


ARCHITECTURES = {
    "gemma3": Architecture(_gemma3_small, _gemma3_base),
    "gemma3 soft-capped": Architecture(_gemma3_small, _gemma3_small, {"final_logit_softcapping": 30.0}),
    "llama3": Architecture(_llama, _llama),
    "olmo2": Architecture(_olmo2, _olmo2),
    "qwen3": Architecture(_qwen3, _qwen3),
    "smollm": Architecture(_smollm, _smollm),
}


def test_every_preset_has_its_architecture_tried():
    assert {name.split()[0] for name in ARCHITECTURES} == set(PRESETS)


def _tokenizer(*, chat: bool) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    if chat:
        tokenizer.eos_token = "<|im_end|>"
        tokenizer.chat_template = TEMPLATE
    return tokenizer


def _save(
    build: Callable[..., Any], folder: Path, *, padding: int, chat: bool, seed: int, **settings: Any
) -> Any:
    import torch

    torch.manual_seed(seed)
    tokenizer = _tokenizer(chat=chat)
    model = build(
        vocab_size=len(tokenizer) + padding,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=256,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        initializer_range=0.5,
        **settings,
    ).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def _logits(model: Any, ids: list[int]) -> Any:
    import torch

    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits[0, -1].float()


def _uncapped(logits: Any, cap: float | None) -> Any:
    import torch

    return logits if cap is None else cap * torch.atanh((logits / cap).clamp(-1 + 1e-6, 1 - 1e-6))


@pytest.mark.parametrize("name", ARCHITECTURES)
async def test_an_architecture_steers_as_the_formula_says(name: str, tmp_path: Path):
    one = ARCHITECTURES[name]
    base = _save(one.base, tmp_path / "base", padding=PADDING, chat=False, seed=1, **one.settings)
    anti = _save(one.small, tmp_path / "anti", padding=0, chat=False, seed=2)
    expert = _save(one.small, tmp_path / "expert", padding=0, chat=True, seed=3)
    family = Family(
        tmp_path / "base",
        tmp_path / "anti",
        experts={"law": tmp_path / "expert"},
        device="cpu",
        dtype="float32",
    )
    request = Request(PROMPT, pairs=(Pair("law", 0.7),), sampling=Sampling(max_new_tokens=6))
    async with Engine(family, threads=1) as engine:
        generation = await engine.complete(request)
    assert generation.error is None

    plain, chat = (family.part(part).format.encode(PROMPT) for part in ("base", "law"))
    assert plain != chat
    written: list[int] = []
    width, cap = len(_tokenizer(chat=False)), one.settings.get("final_logit_softcapping")
    for _ in generation.token_ids:
        steered = _uncapped(_logits(base, plain + written)[:width], cap) + 0.7 * (
            _logits(expert, chat + written)[:width] - _logits(anti, plain + written)[:width]
        )
        written.append(int(steered.argmax()))
    assert written == list(generation.token_ids)
