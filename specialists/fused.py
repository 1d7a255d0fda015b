"""A Llama-like decoder run with few calls: what a small model's step costs is calls, not bytes.

Query, key and value are one product, so are gate and up; the queries that share a key head are rows of one
attention, so that keys are not copied for each; rotations come from a table. Twelve calls a layer where
transformers' modules take forty. The weights are moved out of transformers' module, which is spent
afterwards; results are its own up to float32's order of additions. Knows the architectures of `KNOWN` and
nothing of steering; all others stay with transformers. Imported inside functions only: it loads torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional
from transformers.modeling_outputs import CausalLMOutputWithPast

from proxycouncil.specialists.adapters import Slot

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Cache, GenerationConfig, PreTrainedConfig, PreTrainedModel

KNOWN = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
_STATIC_ROTATIONS = ("default", "linear", "llama3", "yarn")
"""Of which position p is always turned by the same angles."""
_FEW = 16
"""New tokens for which masks are repeated for each query head, so that keys need not be."""
_TABLE = 512
"""Positions by which the table of rotations grows."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What all layers of one forward share."""

    cos: Tensor
    """`[rows, new, 1, size]`, of each new token's position."""
    sin: Tensor
    """The same, negative in its first half."""
    bias: Tensor | None
    """What is added to attention's scores, `[rows or 1, 1, queries, columns]`; None: every column is seen."""
    causal: bool
    """Instead of a bias: new token i sees the first i + 1 columns."""
    folds: bool
    """Query heads of one key head stand below each other in `bias`."""
    cache: Cache | None


class FusedDecoder(nn.Module):
    """Takes what transformers' causal language models take, and gives logits."""

    def __init__(self, module: Any, each: Callable[[nn.Module], object]) -> None:  # noqa: ANN401
        """`module` is spent: its layers are taken out one by one, `each` does what it likes with the new one
        before the next is taken, and so no layer is held twice for long."""
        super().__init__()
        self.config: PreTrainedConfig = module.config
        self.generation_config: GenerationConfig | None = getattr(module, "generation_config", None)
        self._turn = module.model.rotary_emb
        self.embed_tokens, self.norm, self.lm_head = (
            module.model.embed_tokens,
            module.model.norm,
            module.lm_head,
        )
        self.layers = nn.ModuleList()
        while len(module.model.layers):
            self.layers.append(_FusedLayer(module.model.layers.pop(0), len(self.layers)))
            each(self.layers[-1])
        self.groups: int = module.config.num_attention_heads // module.config.num_key_value_heads
        """Query heads to a key head."""
        self._table = torch.empty(0)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        device: torch.device = self.norm.weight.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in; packed weights and embeddings may be stored in less."""
        dtype: torch.dtype = self.norm.weight.dtype
        return dtype

    @property
    def slots(self) -> dict[str, Slot]:
        """Its linear layers by the names that transformers' module had for them."""
        head = {"lm_head": Slot(self.lm_head, 0, self.lm_head.out_features)}
        layers = (layer.slots.items() for layer in self.layers)  # type: ignore[operator, union-attr]
        return head | {
            f"model.layers.{at}.{name}": slot for at, layer in enumerate(layers) for name, slot in layer
        }

    def forward(
        self,
        input_ids: Tensor,
        *,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool = True,  # noqa: ARG002 - as transformers' models are called
        logits_to_keep: int = 0,
    ) -> CausalLMOutputWithPast:
        """Logits `[rows, kept, vocab]` behind `input_ids` `[rows, new]`; 0 keeps all.

        `attention_mask` `[rows, cached + new]` is False (0) on padding.
        """
        cached = int(past_key_values.get_seq_length()) if past_key_values is not None else 0
        reading = self._reading(input_ids, cached, attention_mask, position_ids, past_key_values)
        hidden = self.embed_tokens(input_ids).to(self.dtype)
        for layer in self.layers:
            hidden = layer(hidden, reading)
        logits = self.lm_head(_normed(hidden[:, -logits_to_keep:], self.norm))
        return CausalLMOutputWithPast(logits=logits, past_key_values=past_key_values)

    def compute_in(self, dtype: torch.dtype) -> FusedDecoder:
        """Widen what is not packed; embeddings that are only looked up stay as they are stored.

        All are copies, so that the checkpoint's file, which its tensors are views of, is let go.
        """
        looked_up = self.embed_tokens.weight
        tied = getattr(self.lm_head, "weight", None) is looked_up
        for parameter in self.parameters():
            kept = parameter is looked_up and not tied
            parameter.data = parameter.data.to(parameter.dtype if kept else dtype, copy=True)
        return self

    def _reading(
        self, ids: Tensor, cached: int, mask: Tensor | None, positions: Tensor | None, cache: Cache | None
    ) -> _Reading:
        new = ids.shape[1]
        if positions is None:
            positions = torch.arange(cached, cached + new, device=ids.device).unsqueeze(0)
        turns = functional.embedding(positions, self._rotations(cached + new)).unsqueeze(2)
        cos, sin = turns.chunk(2, dim=-1)
        causal = mask is None and cached == 0 and new > 1
        folds = new <= _FEW and not causal
        bias = None if causal else _bias(mask, new, cached + new, self.dtype, ids.device)
        if bias is not None and folds:
            bias = bias.repeat(1, 1, self.groups, 1)
        return _Reading(cos, sin, bias, causal, folds, cache)

    def _rotations(self, positions: int) -> Tensor:
        """Cosines and sines `[positions or more, 2 · size]`; no token's position exceeds its column."""
        if positions > len(self._table):
            like = self.norm.weight
            known = torch.arange(-(-positions // _TABLE) * _TABLE, device=like.device).unsqueeze(0)
            cos, sin = self._turn(like.new_empty(0), known)
            first, second = sin[0].chunk(2, dim=-1)
            self._table = torch.cat([cos[0], -first, second], dim=-1)
        return self._table


class _FusedLayer(nn.Module):
    def __init__(self, layer: Any, number: int) -> None:  # noqa: ANN401
        super().__init__()
        attention, inner = layer.self_attn, layer.mlp
        self.number = number
        self.size: int = attention.head_dim
        self.groups: int = attention.num_key_value_groups
        self.scaling: float = attention.scaling
        projections = (attention.q_proj, attention.k_proj, attention.v_proj)
        self.widths = [one.out_features for one in projections]
        self.before, self.between = layer.input_layernorm, layer.post_attention_layernorm
        self.head_norm, self.epsilon = _head_norm(attention, self.widths, self.size)
        self.qkv, self.out = _joined(*projections), attention.o_proj
        del attention.q_proj, attention.k_proj, attention.v_proj, projections
        self.gate_up, self.down, self.activation = (
            _joined(inner.gate_proj, inner.up_proj),
            inner.down_proj,
            inner.act_fn,
        )

    @property
    def slots(self) -> dict[str, Slot]:
        query, key, value = self.widths
        half = self.gate_up.out_features // 2
        return {
            "self_attn.q_proj": Slot(self.qkv, 0, query),
            "self_attn.k_proj": Slot(self.qkv, query, query + key),
            "self_attn.v_proj": Slot(self.qkv, query + key, query + key + value),
            "self_attn.o_proj": Slot(self.out, 0, self.out.out_features),
            "mlp.gate_proj": Slot(self.gate_up, 0, half),
            "mlp.up_proj": Slot(self.gate_up, half, 2 * half),
            "mlp.down_proj": Slot(self.down, 0, self.down.out_features),
        }

    def forward(self, hidden: Tensor, reading: _Reading) -> Tensor:
        hidden = hidden + self.out(self._attend(self.qkv(_normed(hidden, self.before)), reading))
        gate, up = self.gate_up(_normed(hidden, self.between)).chunk(2, dim=-1)
        grown: Tensor = hidden + self.down(self.activation(gate).mul_(up))
        return grown

    def _attend(self, qkv: Tensor, reading: _Reading) -> Tensor:
        rows, new, _ = qkv.shape
        query, key, _ = self.widths
        turned = qkv[..., : query + key].view(rows, new, -1, self.size)
        if self.head_norm is not None:
            turned = functional.rms_norm(turned, (self.size,), None, self.epsilon) * self.head_norm
        first, second = turned.chunk(2, dim=-1)
        turned = torch.addcmul(turned * reading.cos, torch.cat([second, first], dim=-1), reading.sin)
        turned = turned.transpose(1, 2)
        queries, keys = turned[:, : query // self.size], turned[:, query // self.size :]
        values = qkv[..., query + key :].view(rows, new, -1, self.size).transpose(1, 2)
        if reading.cache is not None:
            keys, values = reading.cache.update(keys, values, self.number)
        said = self._look(queries, keys, values, reading)
        return said.transpose(1, 2).reshape(rows, new, query)

    def _look(self, queries: Tensor, keys: Tensor, values: Tensor, reading: _Reading) -> Tensor:
        shape = queries.shape
        if reading.folds:
            queries = queries.reshape(shape[0], keys.shape[1], -1, self.size)
        said: Tensor = functional.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=reading.bias,
            is_causal=reading.causal,
            scale=self.scaling,
            enable_gqa=not reading.folds and self.groups > 1,
        )
        return said.view(shape) if reading.folds else said


def fuse(module: PreTrainedModel, each: Callable[[nn.Module], object] = id) -> PreTrainedModel | FusedDecoder:
    """The same model with few calls, where its architecture is known; else the module as it is.

    `each` is called with every layer as soon as it is made.
    """
    return FusedDecoder(module, each) if is_known(module) else module


def is_known(module: PreTrainedModel) -> bool:
    """Whether its layers are those that are written out here: none slides a window or turns as it grows."""
    config: Any = module.config
    rotation = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    types = set(getattr(config, "layer_types", None) or ())
    slides = getattr(config, "sliding_window", None) is not None and getattr(
        config, "use_sliding_window", True
    )
    if types:
        slides = types != {"full_attention"}
    return type(module).__name__ in KNOWN and not slides and rotation in _STATIC_ROTATIONS


def _joined(*linears: nn.Linear) -> nn.Linear:
    """One layer whose outputs are those of all, one behind the other."""
    weight = torch.cat([one.weight.detach() for one in linears])
    biases = [one.bias.detach() for one in linears if one.bias is not None]
    joined = nn.Linear(weight.shape[1], len(weight), bias=False, device="meta")
    joined.weight = nn.Parameter(weight, requires_grad=False)
    if biases:
        joined.bias = nn.Parameter(torch.cat(biases), requires_grad=False)
    return joined


def _head_norm(attention: Any, widths: list[int], size: int) -> tuple[Tensor | None, float]:  # noqa: ANN401
    """Qwen3 norms every query and key head: weights `[heads, size]`, and what is added under the root."""
    if not hasattr(attention, "q_norm"):
        return None, 0.0
    norms = [(attention.q_norm, widths[0] // size), (attention.k_norm, widths[1] // size)]
    weights = [norm.weight.detach().expand(heads, size) for norm, heads in norms]
    return torch.cat(weights), attention.q_norm.variance_epsilon


def _normed(hidden: Tensor, norm: Any) -> Tensor:  # noqa: ANN401
    return functional.rms_norm(hidden, (hidden.shape[-1],), norm.weight, norm.variance_epsilon)


def _bias(
    mask: Tensor | None, new: int, columns: int, dtype: torch.dtype, device: torch.device
) -> Tensor | None:
    """0 where a new token sees a column, −∞ elsewhere: its own and those before it that are no padding."""
    if mask is None and new == 1:
        return None
    own = torch.arange(columns - new, columns, device=device).unsqueeze(1)
    column = torch.arange(columns, device=device)
    seen = (column <= own).unsqueeze(0)
    if mask is not None:
        # Padding sees itself: of nothing, attention would make NaN.
        seen = (seen & mask.bool().unsqueeze(1)) | (column == own)
    bias = torch.zeros(seen.shape, dtype=dtype, device=device).masked_fill_(~seen, float("-inf"))
    return bias.unsqueeze(1)
