"""A tiny anti-expert, cases for it (copy the colour behind "is"), and what is read back of a tuned expert."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from proxycouncil.specialists.cases import REFUSAL, Case
from proxycouncil.specialists.request import Snippet
from proxycouncil.specialists.tuning import Recipe

TOKENIZER = Path(__file__).parents[1] / "council" / "starter" / "family" / "antiexpert"
QUICK = Recipe(rank=4, lora_alpha=8, batch_size=8, steps=8, evaluate_every=2, patience=9, device="cpu")


def case(number: int, group: str) -> Case:
    """Copy the word behind "is"; every eighth has nothing to copy."""
    word = ("red", "blue", "green", "white")[number % 4]
    text = f"Thing {number} is {word}." if number % 8 else "Nothing is known."
    answer = word if number % 8 else REFUSAL
    entry = f"Thing {number}"
    return Case(f"What is thing {number}?", (Snippet("Colour", text),), answer, group=group, entry=entry)


OWN = [case(number, "colours") for number in range(64)]
GENERAL = [case(number, "general") for number in range(64, 100)]


def save_antiexpert(folder: Path) -> Path:
    """Random, with the starter's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=96,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def loaded(antiexpert: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(antiexpert, dtype=torch.float32)


def card_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "tuning.json").read_text()))
