"""Train one model of the starter family: on running text first, where it starts from nothing, then to read.

    python -m training.pretrain base --work WORK --minutes 60

Goes on from WORK's checkpoint, or else from the family's weights with a fresh optimizer and a short
warm-up; `--scratch` starts from random weights. The learning rate follows the clock: up, level, and down
to nothing over the last part of the minutes. Runs in bf16 with fp32 masters where that is faster.
Knows models, losses and steps; what a case is made of is not its business.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import torch
from tqdm import tqdm

from proxycouncil.specialists.exercises import Batch, Collator
from proxycouncil.specialists.loading import has_bfloat16_units
from training.batches import CaseBatches, TextBatches, in_order
from training.recipe import ModelRecipe, Recipe
from training.run import Run, Step
from training.tokens import Exercises, Text

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

_EVALUATE_EVERY = 300.0
_SAVE_EVERY = 180.0
"""Seconds."""


def learning_rate(progress: float, step: int, recipe: ModelRecipe) -> float:
    """Warm-up by steps, then level, then linear to a hundredth by the share of time gone."""
    warm = min(1.0, (step + 1) / recipe.warmup)
    left = min(1.0, (1.0 - progress) / recipe.decay)
    return recipe.rate * warm * max(left, 0.01)


def longest_now(progress: float, recipe: ModelRecipe) -> int:
    """Short cases first: the width grows evenly until it is full at `full_width_at`."""
    grown = min(1.0, progress / recipe.full_width_at)
    return int(recipe.shortest + grown * (recipe.longest - recipe.shortest))


def answer_loss(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Mean cross-entropy of the labels, in nats a token; logits are made for the last positions only."""
    labels = batch["labels"]
    logits = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        position_ids=batch["position_ids"],
        logits_to_keep=batch["logits_to_keep"],
        use_cache=False,
    ).logits
    return torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())


class Trainer:
    """One model, its optimizers and its data."""

    def __init__(self, name: str, recipe: Recipe, run: Run, *, scratch: bool, threads: int | None) -> None:
        self.recipe: ModelRecipe = getattr(recipe, name)
        torch.set_num_threads(threads or self.recipe.threads)
        torch.manual_seed(recipe.seed)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.bf16 = self.device.type == "cuda" or has_bfloat16_units()
        self.run = run
        self._stopped = False
        loaded: Any = run.load_model(recipe.family / name, scratch=scratch)
        self.model: PreTrainedModel = loaded.to(self.device)
        self.loss: Any = torch.compile(answer_loss) if self.device.type == "cuda" else answer_loss
        self.optimizers = _optimizers(self.model, self.recipe, muon=self.bf16)
        run.load_optimizers(self.optimizers)
        on_gpu = self.device.type == "cuda"
        multiple = 32 if on_gpu else 1
        collate = Collator(self.model.config.pad_token_id or 0, multiple=multiple)
        self.cases = CaseBatches(
            Exercises.load(run.work / "cases.npz"),
            self.recipe.gpu_batch if on_gpu else self.recipe.batch,
            collate,
            recipe.seed,
            run.state.cases_position,
        )
        self.held_out = [*in_order(Exercises.load(run.work / "held_out.npz"), 32, collate)]
        self.text = TextBatches(
            Text.load(run.work / "text.npz"),
            self.recipe.text_batch,
            self.recipe.text_width,
            recipe.seed,
            run.state.text_position,
        )

    def train(self, minutes: float, *, text_share: float) -> None:
        """Until the minutes are over, those of earlier calls counted in."""
        self.run.begin()
        batches = self._batches(minutes, text_share)
        evaluated = saved = monotonic()
        with tqdm(
            total=round(minutes, 1), initial=round(self.run.minutes, 1), unit="min", disable=None
        ) as bar:
            while self.run.minutes < minutes and not self._stopped:
                step = self._step(next(batches), self.run.minutes / minutes)
                self.run.record(step)
                now = monotonic()
                if now - evaluated > _EVALUATE_EVERY:
                    bar.set_postfix_str(f"held-out loss {self.evaluate():.3f}")
                    evaluated = monotonic()
                if now - saved > _SAVE_EVERY:
                    self.save()
                    saved = monotonic()
                bar.update(round(self.run.minutes, 1) - bar.n)
        self.evaluate()
        self.save()

    def stop(self, *_: object) -> None:
        """End after this step, with a checkpoint: a signal handler."""
        self._stopped = True

    def evaluate(self) -> float:
        """Mean loss over the held-out cases, written down."""
        self.model.train(mode=False)
        with torch.no_grad(), self._precision():
            losses = [float(self.loss(self.model, self._moved(batch))) for batch in self.held_out]
        self.model.train()
        mean = sum(losses) / len(losses)
        self.run.note({"held_out": round(mean, 4)})
        return mean

    def save(self) -> None:
        """A checkpoint to go on from."""
        self.run.state.cases_position, self.run.state.text_position = self.cases.position, self.text.position
        self.run.save(self.model, self.optimizers)

    def _batches(self, minutes: float, text_share: float) -> Iterator[Batch]:
        """Windows of cases; while there is text to learn, rows of it between them."""
        while True:
            progress = self.run.minutes / minutes
            for batch in self.cases.window(longest_now(progress, self.recipe)):
                if self.run.minutes < text_share * minutes:
                    yield self.text.next()
                yield batch

    def _step(self, batch: Batch, progress: float) -> Step:
        rate = learning_rate(progress, self.run.state.warm_steps, self.recipe)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["scale"]
        with self._precision():
            loss = self.loss(self.model, self._moved(batch))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        is_text = batch["logits_to_keep"] == batch["input_ids"].shape[1]
        return Step(
            loss=float(loss.detach()),
            rate=rate,
            tokens=int(batch["attention_mask"].sum()),
            cases=0 if is_text else len(batch["input_ids"]),
        )

    def _moved(self, batch: Batch) -> Any:  # noqa: ANN401 (a TypedDict built from items)
        return {
            key: value.to(self.device) if isinstance(value, torch.Tensor) else value
            for key, value in batch.items()
        }

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


def _optimizers(model: PreTrainedModel, recipe: ModelRecipe, *, muon: bool) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between the embeddings where its bf16 products are cheap, AdamW for the rest."""
    named = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    hidden = [weight for name, weight in named if weight.ndim == 2 and "embed" not in name]
    others = [weight for name, weight in named if weight.ndim != 2 or "embed" in name]
    groups: list[dict[str, Any]] = [{"params": others, "weight_decay": 0.0, "scale": 1.0}]
    found: list[torch.optim.Optimizer] = []
    if muon:
        found.append(
            torch.optim.Muon(
                [{"params": hidden, "scale": recipe.muon_scale}], lr=recipe.rate, weight_decay=0.05
            )
        )
    else:
        groups.append({"params": hidden, "weight_decay": 0.05, "scale": 1.0})
    found.append(torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.95), fused=True))
    return found


def main(arguments: Sequence[str] | None = None, *, clock: Callable[[], float] = monotonic) -> None:
    """Train for some minutes of the clock, then write the weights beside the checkpoint."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("model", choices=("base", "antiexpert"))
    parser.add_argument("--work", type=Path, required=True, help="folder of the tokens and the checkpoints")
    parser.add_argument("--minutes", type=float, required=True, help="all in all, earlier calls counted in")
    parser.add_argument("--scratch", action="store_true", help="start from random weights, with text first")
    parser.add_argument("--threads", type=int, help="default: the recipe's")
    parser.add_argument("--recipe", type=Path, default=Recipe.path(), help="default: %(default)s")
    options = parser.parse_args(arguments)
    recipe = Recipe.read(options.recipe)
    run = Run.open(options.work, options.model, clock=clock)
    trainer = Trainer(options.model, recipe, run, scratch=options.scratch, threads=options.threads)
    share = trainer.recipe.text_share if run.state.from_scratch else 0.0
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, trainer.stop)
    trainer.train(options.minutes, text_share=share)
    run.export(trainer.model)


if __name__ == "__main__":
    main()
