"""The recipe of the starter family, as `recipe.toml` says it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataRecipe(_Table):
    """What is read, and how often."""

    longest: int
    held_out: int
    reworded: float = Field(ge=0, le=1)
    shuffled: float = Field(ge=0, le=1)
    glossary_rounds: int
    dictionary: int
    sheets: int
    repeats: Mapping[str, float]


class ModelRecipe(_Table):
    """How one model is trained."""

    threads: int
    batch: int
    gpu_batch: int
    rate: float
    muon_scale: float
    warmup: int
    decay: float = Field(gt=0, le=1)
    shortest: int
    longest: int
    full_width_at: float = Field(gt=0, le=1)
    text_share: float = Field(ge=0, le=1)
    text_batch: int
    text_width: int


class ExpertRecipe(_Table):
    """How experts are tuned."""

    alpha: float
    general_steps: int
    domain_steps: int
    further_steps: int
    further_rate: float


class Recipe(_Table):
    """All of it."""

    seed: int
    family: Path
    data: DataRecipe
    base: ModelRecipe
    antiexpert: ModelRecipe
    experts: ExpertRecipe

    @staticmethod
    def path() -> Path:
        """The recipe of the shipped family."""
        return Path(__file__).with_name("recipe.toml")

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """The recipe in a file; the error names the setting that is off."""
        return cls.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
