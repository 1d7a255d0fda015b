"""Make the starter's experts: one that has read all handbooks, then one for each domain from it.

    python -m training.make_experts --family FAMILY --work WORK

Cases are what `council tune` makes of the starter's questions (tuning part only) and its library. Each
expert is tuned inside the steered sum (`--plain`: alone). `--direct` tunes the base itself on the same
cases, the ceiling that steering is compared with. Knows nothing of how the family came about.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from proxycouncil.council.council import Council
from proxycouncil.council.starter import DIRECTORY
from proxycouncil.council.tune import GENERAL_CASES, cases_for
from proxycouncil.specialists.cases import Case, read_cases, write_cases
from proxycouncil.specialists.tuning import Recipe as Tuning
from proxycouncil.specialists.tuning import Tuned, tune
from training.recipe import Recipe

GENERALIST = "general"
_EVALUATIONS = 2
"""Times the held-out loss is looked at: in a steered sum each takes as long as eight steps."""


def handbook_cases(work: Path) -> dict[str, list[Case]]:
    """Every domain's questions of the tuning part with slates of the library; kept in `work`."""
    kept = work / "handbook-cases"
    kept.mkdir(parents=True, exist_ok=True)
    with Council.starter() as council:
        domains = list(council.library.domains)
        for domain in domains:
            file = kept / f"{domain}.jsonl.gz"
            if not file.exists():
                questions = DIRECTORY / "questions" / f"{domain}.jsonl"
                write_cases(file, cases_for(domain, questions, council.library, progress=True))
    return {domain: read_cases(kept / f"{domain}.jsonl.gz") for domain in domains}


def make_expert(
    name: str,
    cases: Mapping[str, list[Case]],
    general: list[Case],
    *,
    family: Path,
    work: Path,
    tuning: Tuning,
    go_on: bool = False,
) -> Tuned:
    """The general expert from nothing, a domain's from the general one; `go_on`: from what it is now."""
    start = name if go_on else None if name == GENERALIST else GENERALIST
    own = [case for found in cases.values() for case in found] if name == GENERALIST else cases[name]
    return tune(
        own,
        general,
        antiexpert=family / "antiexpert",
        out=family / "experts" / name,
        work=work / "tuning" / name,
        recipe=tuning,
        base=family / "base" if tuning.consistent else None,
        start_from=family / "experts" / start if start else None,
        progress=True,
    )


def make_direct(
    cases: Mapping[str, list[Case]], general: list[Case], *, family: Path, work: Path, steps: int
) -> Tuned:
    """The base tuned on what the general expert is tuned on: not shipped, only compared with."""
    own = [case for found in cases.values() for case in found]
    tuning = Tuning(steps=steps, evaluate_every=steps // _EVALUATIONS)
    out = work / "direct"
    return tune(own, general, antiexpert=family / "base", out=out, work=work / "tuning/direct", recipe=tuning)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the experts that are asked for, the general one first."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", help="general, or domains; default: all")
    parser.add_argument("--family", type=Path, required=True, help="folder with base/ and antiexpert/")
    parser.add_argument("--work", type=Path, required=True, help="folder for cases and checkpoints")
    parser.add_argument("--continue", dest="go_on", action="store_true", help="tune them further")
    parser.add_argument("--plain", action="store_true", help="each expert learns alone")
    parser.add_argument("--direct", action="store_true", help="tune the base itself instead")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--recipe", type=Path, default=Recipe.path(), help="default: %(default)s")
    options = parser.parse_args(arguments)
    import torch

    torch.set_num_threads(options.threads)
    experts = Recipe.read(options.recipe).experts
    cases, general = handbook_cases(options.work), read_cases(GENERAL_CASES)
    if options.direct:
        steps = experts.general_steps
        made = make_direct(cases, general, family=options.family, work=options.work, steps=steps)
        _print("direct", made)
        return
    for name in options.names or (GENERALIST, *cases):
        steps = experts.general_steps if name == GENERALIST else experts.domain_steps
        steps = experts.further_steps if options.go_on else steps
        tuning = Tuning(
            consistent=not options.plain,
            alpha=experts.alpha,
            learning_rate=experts.further_rate if options.go_on else None,
            steps=steps,
            evaluate_every=steps // _EVALUATIONS,
        )
        made = make_expert(
            name,
            cases,
            general,
            family=options.family,
            work=options.work,
            tuning=tuning,
            go_on=options.go_on,
        )
        _print(name, made)


def _print(name: str, tuned: Tuned) -> None:
    change = f"held-out loss {tuned.loss_before:.3f} → {tuned.loss:.3f}"
    print(f"{name}: {change}, {tuned.steps} steps, {tuned.seconds:.0f} s")


if __name__ == "__main__":
    main()
