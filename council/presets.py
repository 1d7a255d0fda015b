"""Families of models on the hub that a council can begin with. Knows names and sizes; loads nothing.

Each preset names a large base, its small untuned twin and the twin's instruct version as the expert, all
three with one vocabulary. None has been run on its real weights here: see docs/models.md.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """One family on the hub. Sizes are billions of parameters."""

    base: str
    antiexpert: str
    expert: str
    base_billions: float
    small_billions: float
    smaller_base: str
    """A base for less memory, with the same vocabulary."""
    terms: str
    """Licence, and whether the hub asks to accept it."""

    @property
    def gigabytes(self) -> float:
        """Weights of base, twin and expert in 16-bit floats; the KV cache comes on top."""
        return 2 * (self.base_billions + 2 * self.small_billions)


PRESETS = {
    "gemma3": Preset(
        base="google/gemma-3-12b-pt",
        antiexpert="google/gemma-3-1b-pt",
        expert="google/gemma-3-1b-it",
        base_billions=12.2,
        small_billions=1.0,
        smaller_base="google/gemma-3-4b-pt",
        terms="Gemma terms of use, to be accepted on the hub (then `hf auth login`)",
    ),
    "llama3": Preset(
        base="meta-llama/Llama-3.1-8B",
        antiexpert="meta-llama/Llama-3.2-1B",
        expert="meta-llama/Llama-3.2-1B-Instruct",
        base_billions=8.0,
        small_billions=1.24,
        smaller_base="meta-llama/Llama-3.2-3B",
        terms="Llama community licences, to be accepted on the hub (then `hf auth login`)",
    ),
    "olmo2": Preset(
        base="allenai/OLMo-2-1124-13B",
        antiexpert="allenai/OLMo-2-0425-1B",
        expert="allenai/OLMo-2-0425-1B-Instruct",
        base_billions=13.7,
        small_billions=1.48,
        smaller_base="allenai/OLMo-2-1124-7B",
        terms="Apache-2.0, training data published",
    ),
    "qwen3": Preset(
        base="Qwen/Qwen3-14B-Base",
        antiexpert="Qwen/Qwen3-0.6B-Base",
        expert="Qwen/Qwen3-0.6B",
        base_billions=14.8,
        small_billions=0.6,
        smaller_base="Qwen/Qwen3-4B-Base",
        terms="Apache-2.0",
    ),
    "smollm": Preset(
        base="HuggingFaceTB/SmolLM2-1.7B",
        antiexpert="HuggingFaceTB/SmolLM2-135M",
        expert="HuggingFaceTB/SmolLM2-135M-Instruct",
        base_billions=1.71,
        small_billions=0.135,
        smaller_base="HuggingFaceTB/SmolLM2-360M",
        terms="Apache-2.0",
    ),
}
