"""A training run on disk: its state, its checkpoint, its log of losses.

Knows files. Knows nothing of what is trained on, or how.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_NOTE_EVERY = 20
"""Steps whose losses are averaged into one line of the log."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did. The loss is in nats a token."""

    loss: float
    rate: float
    tokens: int
    cases: int


@dataclass(slots=True)
class State:
    """How far a run has come."""

    minutes: float = 0.0
    """Of earlier calls."""
    steps: int = 0
    warm_steps: int = 0
    """Steps since the optimizer was new."""
    tokens: int = 0
    cases: int = 0
    cases_position: int = 0
    text_position: int = 0
    from_scratch: bool = False


@dataclass(slots=True)
class Run:
    """One model's run in a folder: `<name>/` has the checkpoint, `<name>.jsonl` the log."""

    work: Path
    name: str
    state: State
    clock: Callable[[], float] = monotonic
    """Seconds."""
    _began: float | None = None
    _recent: list[float] = field(default_factory=list)

    @classmethod
    def open(cls, work: Path, name: str, *, clock: Callable[[], float] = monotonic) -> Run:
        """Go on with the run that is there, or begin one."""
        kept = work / name / "state.json"
        state = State(**json.loads(kept.read_text("utf-8"))) if kept.exists() else State()
        return cls(work, name, state, clock)

    def begin(self) -> None:
        """Minutes count from here: loading is not training."""
        self._began = self.clock()

    @property
    def folder(self) -> Path:
        """Where the checkpoint lies."""
        return self.work / self.name

    @property
    def minutes(self) -> float:
        """Trained so far, earlier calls counted in."""
        since = 0.0 if self._began is None else self.clock() - self._began
        return self.state.minutes + since / 60

    def load_model(self, shipped: Path, *, scratch: bool) -> PreTrainedModel:
        """From the checkpoint, else the shipped weights or, on request, random ones of the same shape."""
        from transformers import AutoConfig, AutoModelForCausalLM

        if (self.folder / "state.json").exists():
            return AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32)
        self.state.from_scratch = scratch
        if scratch:
            make: Any = AutoModelForCausalLM.from_config
            model: PreTrainedModel = make(AutoConfig.from_pretrained(shipped), dtype=torch.float32)
            return model
        return AutoModelForCausalLM.from_pretrained(shipped, dtype=torch.float32)

    def load_optimizers(self, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """Their moments as they were; where they are gone the warm-up begins anew."""
        kept = self.folder / "optimizers.pt"
        if not kept.exists():
            self.state.warm_steps = 0
            return
        for optimizer, state in zip(optimizers, torch.load(kept, weights_only=True), strict=True):
            optimizer.load_state_dict(state)

    def record(self, step: Step) -> None:
        """Count a step; every few of them make a line of the log."""
        self.state.steps += 1
        self.state.warm_steps += 1
        self.state.tokens += step.tokens
        self.state.cases += step.cases
        self._recent.append(step.loss)
        if len(self._recent) == _NOTE_EVERY:
            self.note({"loss": round(sum(self._recent) / _NOTE_EVERY, 4), "rate": round(step.rate, 7)})
            self._recent.clear()

    def note(self, figures: dict[str, float]) -> None:
        """Add a line to the log."""
        counts = {"steps": self.state.steps, "tokens": self.state.tokens, "cases": self.state.cases}
        line = {**counts, "minutes": round(self.minutes, 2), "device": device_name(), **figures}
        self.work.mkdir(parents=True, exist_ok=True)
        with (self.work / f"{self.name}.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")

    def save(self, model: PreTrainedModel, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        """Write a checkpoint: the state last, so that a cut-off write is never taken for one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(self.folder)
        torch.save([optimizer.state_dict() for optimizer in optimizers], self.folder / "optimizers.pt")
        state = asdict(self.state) | {"minutes": self.minutes}
        partial = self.folder / "state.json.part"
        partial.write_text(json.dumps(state), encoding="utf-8")
        partial.replace(self.folder / "state.json")

    def export(self, model: PreTrainedModel) -> None:
        """Write the weights as they ship, in bf16, to `<name>-bf16/`."""
        target = self.work / f"{self.name}-bf16"
        whole: Any = model
        whole.to(torch.bfloat16).save_pretrained(target)


def device_name() -> str:
    """The accelerator's name, or the processor's kind and its threads."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU {platform.machine()}, {torch.get_num_threads()} thread(s)"
