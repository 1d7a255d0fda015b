"""Tune one reader on the tuning part of all domains' questions: the generalist, and where specialists start.

    python training/reader.py --out council/starter/family/experts/general

Then each specialist: `council tune DOMAIN --questions … --start-from …/experts/general --steps 60`.

Knows the starter's folders; how cases are made and learnt is the package's business.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

from proxycouncil.council.starter import DIRECTORY, open_library
from proxycouncil.council.tune import GENERAL_CASES, cases_for
from proxycouncil.specialists.cases import Case, read_cases
from proxycouncil.specialists.tuning import Recipe, tune

HELD_OUT = 256
"""Cases that decide when to stop: a sample, since reading all of six domains' takes longer than learning."""


def all_cases(seed: int) -> list[Case]:
    """Cases of every domain, those of held-out entries thinned out."""
    with open_library() as library:
        made = [
            case
            for domain in library.domains
            for case in cases_for(domain, DIRECTORY / "questions" / f"{domain}.jsonl", library, progress=True)
        ]
    held_out = [case for case in made if case.held_out]
    learnt = [case for case in made if not case.held_out]
    return learnt + random.Random(seed).sample(held_out, min(HELD_OUT, len(held_out)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the cases, tune, say what came of it."""
    family = DIRECTORY / "family"
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="directory of the adapter")
    parser.add_argument("--start-from", type=Path, default=family / "experts/general")
    parser.add_argument("--work", type=Path, default=Path("checkpoints/reader"), help="checkpoints")
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    tuned = tune(
        all_cases(options.seed),
        read_cases(GENERAL_CASES),
        antiexpert=family / "antiexpert",
        out=options.out,
        work=options.work,
        recipe=Recipe(steps=options.steps, evaluate_every=40, seed=options.seed, device="cpu"),
        start_from=options.start_from,
        progress=True,
    )
    print(f"held-out loss {tuned.loss_before:.3f} → {tuned.loss:.3f} after {tuned.steps} steps")


if __name__ == "__main__":
    main()
