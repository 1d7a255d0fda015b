"""Make an expert: an adapter over the anti-expert, or a full copy of it, tuned to read and to decline.

Knows transformers' Trainer and PEFT. Takes cases ready-made: where questions and passages come from is
not its business, nor is anything about steering.
"""

from __future__ import annotations

import hashlib
import importlib.util
import random
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from proxycouncil.errors import FamilyError, UsageError
from proxycouncil.model_loading import ONE_AT_A_TIME
from proxycouncil.specialists.cases import Case, mix
from proxycouncil.specialists.checkpoint import open_checkpoint
from proxycouncil.specialists.expert_files import (
    portable_reference,
    replaced_directory,
    save_adapter,
    save_checkpoint,
    write_card,
)
from proxycouncil.specialists.trainer import create_trainer, progress_bar

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerState

    from proxycouncil.specialists.consistent import Frozen
    from proxycouncil.specialists.distilled import Teacher

    Model: TypeAlias = PreTrainedModel | PeftModel

MIN_CASES = 16
"""Fewer to learn from, and an expert is its questions learnt by heart."""
MOST_HELD_OUT = 384
_SMALL = 50_000_000
_SPLIT = "md5(domain + entry) mod 8: 0 test, 1 calibration, 2-6 learnt, 7 decides when to stop"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an expert is tuned; the defaults are those of the shipped experts."""

    full: bool = False
    """All weights of a copy rather than an adapter."""
    consistent: bool = False
    """Learn inside `base + alpha · (expert − antiexpert)` rather than alone; needs the base."""
    alpha: float = 1.0
    """The weight in that sum: decode with the same."""
    quantized: bool = False
    """QLoRA: the anti-expert is held in 4 bits while the adapter is tuned; on CUDA only."""
    teacher_weight: float = 0.5
    """Share of a teacher's opinion in the loss, where there is a teacher."""
    rank: int = 16
    lora_alpha: int = 32
    learning_rate: float | None = None
    """None: by method and size, see `learning_rate_for`."""
    batch_size: int = 32
    steps: int = 240
    """At most; the loss on held-out entries may stop it earlier."""
    evaluate_every: int = 30
    patience: int = 3
    """Evaluations without a better loss before it stops."""
    seed: int = 0
    device: Literal["auto", "cpu"] = "auto"


@dataclass(frozen=True, slots=True)
class Tuned:
    """An expert on disk. Losses are nats per answer token on held-out entries."""

    directory: Path
    loss_before: float
    loss: float
    steps: int
    """How many its weights have seen: those of the best evaluation."""
    seconds: float


def tune(
    cases: Sequence[Case],
    general: Sequence[Case],
    *,
    antiexpert: str | Path,
    out: Path,
    work: Path,
    recipe: Recipe | None = None,
    base: str | Path | None = None,
    start_from: str | Path | None = None,
    teacher: str | Path | None = None,
    progress: bool = False,
) -> Tuned:
    """Tune an expert on a domain's cases and as many general ones.

    Cases of held-out entries decide when to stop. An interrupted run goes on from its last checkpoint
    when called again with the same cases and settings.

    Args:
        cases: the domain's own, of the tuning part of the split only.
        general: general reading cases to mix in.
        antiexpert: path or hub id of the small model.
        out: directory of the expert; what is there is replaced once the new one is complete.
        work: where checkpoints are kept until the expert is complete.
        base: path or hub id of the large model, for consistent tuning only.
        start_from: an adapter to continue instead of a fresh one.
        teacher: path or hub id of a stronger model of the same vocabulary, to distil.

    Raises:
        UsageError: too few cases, settings that exclude each other, or `accelerate` is missing.
        FamilyError: the anti-expert or the adapter to start from can't be loaded.
    """
    recipe = recipe or Recipe()
    _check(cases, recipe, start_from, base, teacher)
    began = perf_counter()
    model, tokenizer = _load(str(antiexpert), recipe, start_from)
    checkpoints = work / _fingerprint(cases, general, recipe, antiexpert, start_from, base, teacher)
    learnt = mix([case for case in cases if not case.held_out], general, seed=recipe.seed)
    held_out = _some([case for case in cases if case.held_out], seed=recipe.seed)
    rate = learning_rate_for(model.num_parameters(), recipe, continued=bool(start_from))
    frozen = _load_frozen(base, antiexpert, recipe.alpha) if base and recipe.consistent else None
    trainer = create_trainer(
        model,
        tokenizer,
        learnt,
        held_out,
        recipe=recipe,
        rate=rate,
        output=checkpoints,
        frozen=frozen,
        teacher=_load_teacher(teacher, antiexpert, recipe) if teacher else None,
    )
    if progress:
        trainer.add_callback(progress_bar())
    trainer.train(resume_from_checkpoint=_last_checkpoint(checkpoints))
    result = _result(trainer.state, out, seconds=perf_counter() - began)
    card = _card(result, learnt, held_out, recipe) | {
        "antiexpert": portable_reference(str(antiexpert), out),
        "started_from": portable_reference(str(start_from or antiexpert), out),
        **({"base": portable_reference(str(base), out)} if frozen else {}),
        **({"teacher": portable_reference(str(teacher), out)} if teacher else {}),
        "data": {"cases": _fingerprint(cases), "general": _fingerprint(general)},
        "learning_rate": rate,
        "losses": _losses(trainer.state.log_history),
    }
    _save(model, tokenizer, card, out=out)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return result


def learning_rate_for(parameters: int, recipe: Recipe, *, continued: bool) -> float:
    """The peak learning rate: a model of a few millions takes ten times that of half a billion.

    To continue takes far less than to begin: a second warm-up to the full rate undoes what was learnt.
    """
    if recipe.learning_rate is not None:
        return recipe.learning_rate
    small = parameters < _SMALL
    if recipe.full:
        return 5e-4 if small else 2e-5
    fresh = 3e-3 if small else 2e-4
    return fresh / 6 if continued else fresh


def _check(
    cases: Sequence[Case],
    recipe: Recipe,
    start_from: str | Path | None,
    base: str | Path | None,
    teacher: str | Path | None,
) -> None:
    if importlib.util.find_spec("accelerate") is None:
        raise UsageError("tuning needs accelerate", hint="pip install 'proxycouncil[train]'")
    if recipe.full and start_from:
        raise UsageError("a full expert can't start from an adapter", hint="leave one of the two out")
    if recipe.consistent and base is None:
        raise UsageError("consistent tuning needs the base", hint="name the large model")
    if recipe.consistent and teacher:
        raise UsageError("consistent tuning has no teacher", hint="leave one of the two out")
    if recipe.quantized:
        _check_quantized(recipe)
    held_out = sum(case.held_out for case in cases)
    if len(cases) - held_out < MIN_CASES or not held_out:
        raise UsageError(
            f"too few cases: {len(cases) - held_out} to learn from and {held_out} held out",
            hint="give questions about more entries",
        )


def _check_quantized(recipe: Recipe) -> None:
    """4 bits need a GPU of NVIDIA's and bitsandbytes; and there is no full tuning of them."""
    import torch

    if recipe.full:
        raise UsageError("weights in 4 bits can't be tuned themselves", hint="leave --full or --qlora out")
    if recipe.device == "cpu" or not torch.cuda.is_available():
        raise UsageError(
            "QLoRA needs CUDA, and there is none here",
            hint="tune without --qlora: an adapter over a small model needs little memory",
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UsageError("QLoRA needs bitsandbytes", hint="pip install 'proxycouncil[qlora]'")


def _load(
    antiexpert: str, recipe: Recipe, start_from: str | Path | None
) -> tuple[Model, PreTrainedTokenizerBase]:
    from transformers import AutoTokenizer, set_seed

    set_seed(recipe.seed)
    adapter = open_checkpoint(start_from).path if start_from else None
    with _named_failure("check antiexpert and start-from"):
        model = _load_quantized(antiexpert) if recipe.quantized else _load_weights(antiexpert)
        tokenizer = AutoTokenizer.from_pretrained(open_checkpoint(antiexpert).path)
        with warnings.catch_warnings():  # peft 0.21 asks transformers by a name that is going away
            warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
            return (model if recipe.full else _with_adapter(model, recipe, adapter)), tokenizer


def _load_frozen(base: str | Path, antiexpert: str | Path, alpha: float) -> Frozen:
    from proxycouncil.specialists.consistent import Frozen

    with _named_failure("check the family's base"):
        frozen = Frozen(_load_weights(base), _load_weights(antiexpert), alpha)
    sizes = frozen.base.config.vocab_size, frozen.antiexpert.config.vocab_size
    if sizes[0] != sizes[1]:
        raise FamilyError(
            f"base and anti-expert have {sizes[0]} and {sizes[1]} tokens",
            hint="consistent tuning needs models of one vocabulary: tune without --consistent",
        )
    return frozen


def _load_teacher(teacher: str | Path, antiexpert: str | Path, recipe: Recipe) -> Teacher:
    from transformers import AutoTokenizer

    from proxycouncil.specialists.distilled import Teacher
    from proxycouncil.specialists.vocabulary import check_same_vocabulary

    own, theirs = open_checkpoint(antiexpert), open_checkpoint(teacher)
    if theirs.is_adapter or not theirs.has_tokenizer:
        raise FamilyError(
            f"{theirs.path} is no model with a tokenizer", hint="a teacher is a whole model: name its folder"
        )
    with _named_failure("check the teacher"):
        check_same_vocabulary(*(AutoTokenizer.from_pretrained(one.path) for one in (own, theirs)))
        return Teacher(_load_weights(teacher), recipe.teacher_weight)


def _load_quantized(source: str) -> PreTrainedModel:
    """In 4 bits as QLoRA has it (Dettmers et al. 2023, arXiv 2305.14314): NF4, scales quantized, too."""
    import torch
    from peft import prepare_model_for_kbit_training
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    four_bits = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    with ONE_AT_A_TIME:
        model = AutoModelForCausalLM.from_pretrained(
            open_checkpoint(source).path,
            quantization_config=four_bits,
            device_map={"": 0},
            use_safetensors=True,
        )
    prepared: PreTrainedModel = prepare_model_for_kbit_training(model)  # type: ignore[no-untyped-call]
    return prepared


def _load_weights(source: str | Path) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM

    path = open_checkpoint(source).path
    with ONE_AT_A_TIME:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            path, dtype=torch.float32, use_safetensors=True
        )
    return model


@contextmanager
def _named_failure(hint: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        raise FamilyError(f"can't load what to tune: {error}", hint=hint) from error


def _with_adapter(model: PreTrainedModel, recipe: Recipe, adapter: Path | None) -> PeftModel:
    from peft import LoraConfig, PeftModel, get_peft_model

    if adapter:
        continued = PeftModel.from_pretrained(model, adapter, is_trainable=True)
        # Relative in the file; with each checkpoint PEFT would look for it on the hub.
        continued.peft_config["default"].base_model_name_or_path = model.name_or_path
        return continued
    config = LoraConfig(
        task_type="CAUSAL_LM", r=recipe.rank, lora_alpha=recipe.lora_alpha, target_modules="all-linear"
    )
    return get_peft_model(model, config)


def _fingerprint(*parts: object) -> str:
    """Names a run, so that only the same one goes on from its checkpoints."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _last_checkpoint(checkpoints: Path) -> str | None:
    from transformers.trainer_utils import get_last_checkpoint

    last: str | None = get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None  # type: ignore[no-untyped-call]
    return last


def _losses(history: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    names = {"loss": "learnt", "eval_loss": "held_out"}
    rows = ((row["step"], names[key], row[key]) for row in history for key in names if key in row)
    return [{"step": step, name: round(loss, 4)} for step, name, loss in rows]


def _some(cases: Sequence[Case], *, seed: int) -> list[Case]:
    """All, or a seeded choice of so many: reading them takes as long as learning from a third as many."""
    return list(cases) if len(cases) <= MOST_HELD_OUT else random.Random(seed).sample(cases, MOST_HELD_OUT)


def _result(state: TrainerState, out: Path, *, seconds: float) -> Tuned:
    held_out = {row["step"]: row["eval_loss"] for row in state.log_history if "eval_loss" in row}
    before = held_out.pop(0)  # of what it started from, which is no checkpoint to go back to
    best = min(held_out, key=lambda step: held_out[step])
    return Tuned(
        directory=out,
        loss_before=before,
        loss=held_out[best],
        steps=int(best),
        seconds=round(seconds, 1),
    )


def _card(result: Tuned, learnt: Sequence[Case], held_out: Sequence[Case], recipe: Recipe) -> dict[str, Any]:
    method = "full" if recipe.full else "qlora" if recipe.quantized else "lora"
    return {
        "method": method + (", consistent" if recipe.consistent else ""),
        "recipe": asdict(recipe),
        "split": _SPLIT,
        "learnt": _counts(learnt),
        "held_out": _counts(held_out),
        "loss_before": round(result.loss_before, 4),
        "loss": round(result.loss, 4),
        "steps": result.steps,
        "seconds": result.seconds,
    }


def _counts(cases: Sequence[Case]) -> dict[str, int]:
    groups = Counter(case.group for case in cases)
    return {**groups, "refusals": sum(case.is_refusal for case in cases), "cases": len(cases)}


def _save(model: Model, tokenizer: PreTrainedTokenizerBase, card: dict[str, Any], *, out: Path) -> None:
    from peft import PeftModel

    with replaced_directory(out) as directory:
        if isinstance(model, PeftModel):
            save_adapter(model, directory, antiexpert=card["antiexpert"])
        else:
            save_checkpoint(model, tokenizer, directory)
        write_card(directory, card)
