"""Make the whole starter family: tokens, the two models, the experts; what `make starter` runs.

    python -m training.starter --corpus CORPUS --work WORK --minutes 120 [--resume] [--scratch]

Each step is a program of its own and is left out where its result is there. On a processor both models are
trained side by side, one thread each; on a GPU one after the other. The minutes
are those of the models' training. Knows the order of the steps, nothing of what they do.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from training.curves import draw
from training.recipe import Recipe

ANTIEXPERT_SHARE = 0.6
"""Of the minutes: the small model needs less time for as many cases."""
MODELS = ("base", "antiexpert")


def start(program: str, *arguments: object) -> subprocess.Popen[bytes]:
    """A program of this package, beside this one."""
    return subprocess.Popen([sys.executable, "-m", f"training.{program}", *map(str, arguments)])


def finish(*programs: subprocess.Popen[bytes]) -> None:
    """Wait for all; the first failure ends the others and this program."""
    for running in programs:
        if running.wait():
            for other in programs:
                other.terminate()
            raise SystemExit(running.returncode)


def train(work: Path, minutes: float, *, scratch: bool) -> None:
    """Both models."""
    settings = ["--work", work, *(["--scratch"] if scratch else [])]
    shares = {"antiexpert": minutes * ANTIEXPERT_SHARE, "base": minutes}
    running = []
    for name, share in shares.items():
        running.append(start("pretrain", name, "--minutes", share, *settings))
        if torch.cuda.is_available():
            finish(running.pop())
    finish(*running)


def ship(work: Path, family: Path) -> None:
    """The trained weights in place of the family's."""
    for name in MODELS:
        trained = work / f"{name}-bf16"
        shutil.copy(trained / "model.safetensors", family / name)
        shutil.copy(trained / "config.json", family / name)


def main(arguments: Sequence[str] | None = None) -> None:
    """All steps, in order."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--corpus", type=Path, help="folder of the corpus; not needed with a packed WORK")
    parser.add_argument("--work", type=Path, required=True, help="folder for tokens and checkpoints")
    parser.add_argument("--minutes", type=float, default=120.0, help="of training, both models side by side")
    parser.add_argument("--resume", action="store_true", help="go on with the run in WORK")
    parser.add_argument("--scratch", action="store_true", help="from random weights, with plain text first")
    options = parser.parse_args(arguments)
    begun = [name for name in MODELS if (options.work / name / "state.json").exists()]
    if begun and not options.resume:
        parser.error(f"{options.work} has a run of {', '.join(begun)}: --resume goes on with it")
    if not (options.work / "cases.npz").exists():
        if options.corpus is None:
            parser.error(f"{options.work} has no cases.npz: name the --corpus")
        finish(start("build_corpus", "--corpus", options.corpus, "--out", options.work))
    train(options.work, options.minutes, scratch=options.scratch)
    family = Recipe.read(Recipe.path()).family
    ship(options.work, family)
    finish(start("make_experts", "--family", family, "--work", options.work))
    draw("losses", options.work, options.work / "losses.svg")


if __name__ == "__main__":
    main()
