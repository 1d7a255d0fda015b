"""Tiny random families with the starter's tokenizer, saved as a user would save real ones."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

STARTER = Path(__file__).parents[1] / "council" / "starter" / "family"
VOCABULARY = 8192

_SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": 1,
    "tie_word_embeddings": True,
}
_WINDOW = {"sliding_window": 8, "query_pre_attn_scalar": 8}
KINDS = ("llama", "qwen3", "gemma2", "gemma3")


def save_model(folder: Path, kind: str = "llama", *, seed: int = 0, **settings: Any) -> Path:
    """A random model of that architecture; `settings` go into its config."""
    import torch
    import transformers

    classes = {
        "llama": transformers.LlamaConfig,
        "qwen3": transformers.Qwen3Config,
        "gemma2": transformers.Gemma2Config,
        "gemma3": transformers.Gemma3TextConfig,
    }
    window = _WINDOW if kind.startswith("gemma") else {}
    config = classes[kind](**{"vocab_size": VOCABULARY, **_SHAPE, **window, **settings})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(STARTER / "base" / name, folder / name)
    return folder


def save_adapter(folder: Path, over: Path, *, seed: int, **settings: Any) -> Path:
    """A random LoRA adapter, made and saved by PEFT; its B is not zero."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    config = LoraConfig(
        task_type="CAUSAL_LM",
        **{"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "o_proj", "down_proj"], **settings},
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(over), config)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(folder)
    return folder


def save_family(folder: Path, kind: str = "llama", **settings: Any) -> dict[str, Path]:
    """base, antiexpert, two adapters ("law", "physics") and a full checkpoint ("full")."""
    small = {"hidden_size": 16, "num_hidden_layers": 2, **settings}
    antiexpert = save_model(folder / "antiexpert", kind, seed=2, **small)
    return {
        "base": save_model(folder / "base", kind, seed=1, **settings),
        "antiexpert": antiexpert,
        "law": save_adapter(folder / "law", antiexpert, seed=3),
        "physics": save_adapter(
            folder / "physics", antiexpert, seed=4, r=8, target_modules=["v_proj", "up_proj"]
        ),
        "full": save_model(folder / "full", kind, seed=5, **small),
    }
