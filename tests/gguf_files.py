"""A Llama-shaped checkpoint as the GGUF file that llama.cpp reads, every weight in float32."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_PARTS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def write_gguf(folder: Path, out: Path) -> Path:
    """Weights, shape and vocabulary of the checkpoint in a folder; ids stay what they are."""
    import gguf

    config = json.loads((folder / "config.json").read_text("utf-8"))
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    _add_vocabulary(writer, folder, eos=config["eos_token_id"])
    for name, weight in _weights(folder, config):
        writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def _add_vocabulary(writer: Any, folder: Path, *, eos: int) -> None:
    import gguf

    spelled = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    special = {one["id"]: one["content"] for one in spelled["added_tokens"]}
    words = {index: word for word, index in spelled["model"]["vocab"].items()} | special
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([words[index] for index in range(len(words))])
    kinds = gguf.TokenType
    writer.add_token_types(
        [kinds.CONTROL if index in special else kinds.NORMAL for index in range(len(words))]
    )
    merges = spelled["model"]["merges"]
    writer.add_token_merges([one if isinstance(one, str) else " ".join(one) for one in merges])
    writer.add_eos_token_id(eos)
    writer.add_add_bos_token(False)


def _weights(folder: Path, config: dict[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    import torch
    from safetensors.torch import load_file

    for name, weight in load_file(folder / "model.safetensors").items():
        values = weight.to(torch.float32).numpy()
        if name.endswith("q_proj.weight"):
            values = _interleaved(values, config["num_attention_heads"])
        if name.endswith("k_proj.weight"):
            values = _interleaved(values, config["num_key_value_heads"])
        yield _name(name), np.ascontiguousarray(values)


def _name(name: str) -> str:
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    if name == "lm_head.weight":
        return "output.weight"
    _, _, layer, part = name.split(".", 3)
    return f"blk.{layer}.{_PARTS[part.removesuffix('.weight')]}.weight"


def _interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp rotates neighbouring rows of a head, transformers its first half with its second."""
    rows, columns = weight.shape
    halves = weight.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)
