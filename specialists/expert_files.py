"""An expert on disk: a LoRA adapter or a full checkpoint, bf16 safetensors, that can be moved about.

Knows what PEFT and transformers read back; knows nothing of how the weights came about.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

CARD = "tuning.json"


@contextmanager
def replaced_directory(target: Path) -> Iterator[Path]:
    """An empty directory that takes the target's place if the block succeeds."""
    fresh = target.with_name(f".{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        yield fresh
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def save_adapter(model: PeftModel, directory: Path, *, antiexpert: str) -> None:
    """The adapter's weights, and only those settings of its own that differ from PEFT's defaults."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    weights = get_peft_model_state_dict(model)
    small = {name: weight.to("cpu", torch.bfloat16).contiguous() for name, weight in weights.items()}
    save_file(small, directory / "adapter_model.safetensors")
    config = _portable(cast("LoraConfig", model.peft_config["default"]), antiexpert)
    _write_json(directory / "adapter_config.json", config)


def save_checkpoint(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, directory: Path) -> None:
    """A full expert, with the tokenizer that the family's vocabulary check reads."""
    import torch

    torch.nn.Module.to(model, torch.bfloat16)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def write_card(directory: Path, card: dict[str, Any]) -> None:
    """How the expert was made."""
    _write_json(directory / CARD, card)


def portable_reference(model: str, directory: Path) -> str:
    """A hub id as it is; a path relative to the directory, so that a family can be moved as a whole."""
    return os.path.relpath(model, directory) if Path(model).exists() else model


def _portable(config: LoraConfig, antiexpert: str) -> dict[str, Any]:
    defaults = asdict(type(config)())
    chosen = {key: value for key, value in asdict(config).items() if value != defaults[key]}
    always = {"peft_type": config.peft_type, "r": config.r, "lora_alpha": config.lora_alpha}
    settings = chosen | always | {"base_model_name_or_path": antiexpert, "inference_mode": True}
    settings["target_modules"] = sorted(config.target_modules or ())
    return settings


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True, default=str) + "\n", encoding="utf-8")
