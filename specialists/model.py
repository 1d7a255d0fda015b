"""One causal language model in memory: token ids in, float32 logits of the last positions out.

Knows its module, its LoRA adapters and its cache's shape; nothing of steering, requests or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxycouncil.specialists.adapters import AdapterRows

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import Cache, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from proxycouncil.specialists.prompts import PromptFormat


@dataclass(eq=False)
class Model:
    """A module with its tokenizer, on its device, in evaluation mode."""

    name: str
    module: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    adapters: AdapterRows = field(init=False)
    end_ids: frozenset[int] = field(init=False)
    """Every id that its settings name as an end of text."""
    known_width: int = field(init=False)
    """One more than the largest id that its tokenizer can decode."""

    def __post_init__(self) -> None:
        self.adapters = AdapterRows(self.module)
        self.known_width = max(self.tokenizer.get_vocab().values()) + 1
        self.end_ids = frozenset(_end_ids(self.module, self.tokenizer))

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.module.device

    @property
    def context(self) -> int:
        """Longest sequence it can read and write."""
        return int(self._text_config.max_position_embeddings)

    @property
    def head_width(self) -> int:
        """Logits that it computes, padding included."""
        return int(self._text_config.vocab_size)

    @property
    def cache_bytes(self) -> int:
        """What one token takes in its cache: keys and values of every layer."""
        config = self._text_config
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        return int(2 * config.num_hidden_layers * heads * size * self.module.dtype.itemsize)

    @property
    def weight_bytes(self) -> int:
        """What its weights and its adapters take: each once, packed ones as they are packed."""
        from proxycouncil.specialists.quantizing import bytes_of

        held = {id(one): one for one in (*self.module.parameters(), *self.module.buffers())}.values()
        packed = sum(getattr(one, "bytes", 0) for one in self.module.modules())
        return sum(map(bytes_of, held)) + packed + self.adapters.bytes

    @property
    def is_ordered(self) -> bool:
        """Whether its attention may depend on how far apart columns of its cache are (sliding windows)."""
        from proxycouncil.specialists.fused import FusedDecoder

        return not isinstance(self.module, FusedDecoder)

    @property
    def softcap(self) -> float | None:
        """Bound of its final soft-capping (Gemma 2), or none."""
        return getattr(self._text_config, "final_logit_softcapping", None)

    @property
    def _text_config(self) -> PreTrainedConfig:
        return self.module.config.get_text_config()

    def forward(
        self,
        ids: Tensor,
        *,
        mask: Tensor | None,
        positions: Tensor,
        cache: Cache,
        adapters: Sequence[str],
        heard: int = 1,
    ) -> Tensor:
        """Read `ids` `[rows, new]` after what the cache holds; logits `[rows, heard, vocab]` of its end.

        `heard` counts the last columns whose logits are wanted, `mask` `[rows, cached + new]` is False on
        padding (None: there is none), `positions` `[rows, new]` count each row's own tokens, `adapters` names
        one for each row.
        """
        self.adapters.select(adapters)
        output = self.module(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=heard,
        )
        logits: Tensor = output.logits[:, -heard:].float()
        return logits


@dataclass(frozen=True, slots=True)
class Part:
    """One of a family: the model that runs, its adapter, and how it wants to be asked."""

    name: str
    model: Model
    adapter: str
    format: PromptFormat


def _end_ids(module: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> set[int]:
    generation = getattr(module, "generation_config", None)
    text = module.config.get_text_config()  # of a model that also sees, the settings of its text part
    named = (getattr(generation, "eos_token_id", None), text.eos_token_id, tokenizer.eos_token_id)
    listed = (one if isinstance(one, list | tuple) else [one] for one in named)
    return {int(i) for ids in listed for i in ids if i is not None}
