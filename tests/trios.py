"""Three tiny models as a user of transformers would hold them, and the plain loop over them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from proxycouncil.specialists import ProxyTunedForCausalLM

NEW = 10
TEXTS = ("What is the value of it?", "Why?", "Who pays for what was bought and never used by anybody?")


@dataclass
class Models:
    """The three, loaded as a user would, and the files they came from."""

    base: Any
    expert: Any
    antiexpert: Any
    tokenizer: Any
    paths: dict[str, Path]
    written: dict[tuple[str, float, int], list[int]] = field(default_factory=dict)
    """What the plain loop wrote, so that it runs once a text."""

    @property
    def pair(self) -> tuple[Any, Any]:
        return self.expert, self.antiexpert

    def composite(self, **settings: Any) -> ProxyTunedForCausalLM:
        return ProxyTunedForCausalLM(self.base, *self.pair, **settings)

    def batch(self, texts: tuple[str, ...] = TEXTS) -> dict[str, torch.Tensor]:
        """Ids and mask, left-padded."""
        self.tokenizer.padding_side = "left"
        return dict(self.tokenizer(list(texts), return_tensors="pt", padding=True))


def load(paths: dict[str, Path], expert: str) -> Models:
    from transformers import AutoTokenizer

    names = ("base", expert, "antiexpert")
    tokenizer = AutoTokenizer.from_pretrained(paths["base"])
    return Models(*(load_one(paths, name) for name in names), tokenizer, {**paths, "expert": paths[expert]})


def load_one(paths: dict[str, Path], name: str) -> Any:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    if not (paths[name] / "adapter_config.json").is_file():
        return AutoModelForCausalLM.from_pretrained(paths[name], dtype=torch.float32).eval()
    return PeftModel.from_pretrained(load_one(paths, "antiexpert"), paths[name]).eval()


def plain_logits(models: Models, ids: list[int], alpha: float) -> torch.Tensor:
    """The formula on a whole text, without caches, masks or batches."""
    with torch.inference_mode():
        base, expert, antiexpert = (
            one(torch.tensor([ids])).logits[0, -1].float() for one in (models.base, *models.pair)
        )
    return base + alpha * (expert - antiexpert)


def plain(models: Models, text: str, alpha: float = 1.0, *, new: int = NEW) -> list[int]:
    """What the paper's own loop writes, greedily; the end token included."""
    if (text, alpha, new) not in models.written:
        ids = list(models.tokenizer(text)["input_ids"])
        start = len(ids)
        while len(ids) - start < new and (len(ids) == start or ids[-1] != 1):
            ids.append(int(plain_logits(models, ids, alpha).argmax()))
        models.written[text, alpha, new] = ids[start:]
    return list(models.written[text, alpha, new])


def written(rows: torch.Tensor, prompt: int) -> list[list[int]]:
    """What each row wrote, up to its first end token."""
    return [row[: row.index(1) + 1] if 1 in row else row for row in rows[:, prompt:].tolist()]
