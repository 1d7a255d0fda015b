"""transformers' Trainer as tuning wants it: quiet, batches of like lengths, stopped by the held-out loss.

Knows encoded cases and hyperparameters; knows nothing of adapters, domains or where an expert is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from proxycouncil.specialists.cases import Case
from proxycouncil.specialists.exercises import Collator, Exercise, encode_cases
from proxycouncil.specialists.prompts import choose_format

if TYPE_CHECKING:
    from transformers import (
        PreTrainedTokenizerBase,
        Trainer,
        TrainerCallback,
        TrainerControl,
        TrainerState,
        TrainingArguments,
    )

    from proxycouncil.specialists.consistent import Frozen
    from proxycouncil.specialists.distilled import Teacher
    from proxycouncil.specialists.tuning import Model, Recipe


def create_trainer(
    model: Model,
    tokenizer: PreTrainedTokenizerBase,
    learnt: Sequence[Case],
    held_out: Sequence[Case],
    *,
    recipe: Recipe,
    rate: float,
    output: Path,
    frozen: Frozen | None = None,
    teacher: Teacher | None = None,
) -> Trainer:
    """A Trainer whose best checkpoint by held-out loss is loaded at the end.

    `frozen`: the rest of the sum in which the expert learns; None where it learns alone. `teacher`: whom it
    learns from besides the answers; None: nobody.
    """
    from transformers import EarlyStoppingCallback, PrinterCallback, Trainer

    form, longest = choose_format(tokenizer), model.config.max_position_embeddings
    create: Callable[..., Trainer] = Trainer
    if frozen:
        from proxycouncil.specialists.consistent import ConsistentTrainer

        create = partial(ConsistentTrainer, frozen=frozen)
    if teacher:
        from proxycouncil.specialists.distilled import DistilledTrainer

        create = partial(DistilledTrainer, teacher=teacher)
    trainer = create(
        model=model,
        args=_arguments(recipe, output, rate),
        data_collator=cast(Any, Collator(tokenizer.pad_token_id or 0)),
        train_dataset=encode_cases(learnt, form, longest=longest),
        eval_dataset=sorted(encode_cases(held_out, form, longest=longest), key=_length),
        callbacks=[EarlyStoppingCallback(recipe.patience)],
    )
    # Standard output belongs to what a command answers.
    trainer.remove_callback(PrinterCallback)
    return trainer


def progress_bar() -> TrainerCallback:
    """A bar on standard error that shows the held-out loss."""
    from transformers import ProgressCallback

    class Bar(ProgressCallback):
        def on_log(self, *_: object, **__: object) -> None:
            """Nothing: the parent prints each record to standard output."""

        def on_evaluate(
            self,
            args: TrainingArguments,
            state: TrainerState,
            control: TrainerControl,
            **context: Any,  # noqa: ANN401
        ) -> None:
            """Show the loss beside the bar, once there is one."""
            super().on_evaluate(args, state, control, **context)  # type: ignore[no-untyped-call]
            bar: Any = self.training_bar
            if bar:
                bar.set_postfix_str(f"held-out loss {context['metrics']['eval_loss']:.3f}")

    return Bar()


def _length(exercise: Exercise) -> int:
    return len(exercise["input_ids"])


def _arguments(recipe: Recipe, checkpoints: Path, rate: float) -> TrainingArguments:
    import torch
    from transformers import TrainingArguments

    on_gpu = recipe.device == "auto" and torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(checkpoints),
        max_steps=recipe.steps,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=recipe.batch_size,
        learning_rate=rate,
        warmup_steps=0.05,
        train_sampling_strategy="group_by_length",
        eval_strategy="steps",
        eval_steps=recipe.evaluate_every,
        eval_on_start=True,
        save_strategy="steps",
        save_steps=recipe.evaluate_every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        restore_callback_states_from_checkpoint=True,
        logging_steps=max(1, recipe.evaluate_every // 3),
        seed=recipe.seed,
        use_cpu=recipe.device == "cpu",
        bf16=on_gpu,
        dataloader_pin_memory=on_gpu,
        remove_unused_columns=False,
        label_names=["labels"],
        report_to=[],
        disable_tqdm=True,
    )
