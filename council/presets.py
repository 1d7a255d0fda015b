"""A council.toml to begin with, for families of models on the hub. Knows names and sizes; loads nothing.

Each preset names a large base, its small untuned twin and the twin's instruct version as the expert, all
three with one vocabulary. None has been run on its real weights here: see docs/models.md.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from string import Template

from proxycouncil.errors import UsageError


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

_TOML = Template(
    """\
# A council on $name. $terms.
#
# Memory: about $gigabytes GB for the weights in 16-bit floats (base $base_billions billion parameters,
# twin and expert $small_billions billion each), and more for every row decoded together.
# With less, take $smaller_base as the base: its vocabulary is the same.
# Append @REVISION to a name to pin it.

[family]
base = "$base"
antiexpert = "$antiexpert"
device = "auto"
dtype = "auto"                           # 16-bit floats on an accelerator

[specialists.handbook]                   # one such table for each domain; the name is yours to choose
title = "Handbook"
description = "What the documents are about, in a sentence."
examples = ["a question as people type it"]
documents = ["./documents"]              # then: council ingest handbook
expert = "$expert"
# expert = "./experts/handbook"          # your own: council tune handbook --questions questions.jsonl

[generalist]                             # reads from every domain
expert = "$expert"

[retrieval]
path = "./library"
slate = "passages"                       # a base of this size reads whole passages
"""
)


def preset_toml(family: str) -> str:
    """The text of a council.toml for a family: gemma3, llama3, olmo2, qwen3 or smollm."""
    try:
        preset = PRESETS[family]
    except KeyError:
        raise UsageError(f"no preset {family!r}", hint=f"choose one of {', '.join(PRESETS)}") from None
    return _TOML.substitute(asdict(preset), name=family, gigabytes=round(preset.gigabytes))
