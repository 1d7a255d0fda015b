"""`council tune`: make an expert for a domain from questions about its documents."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxycouncil.council.cli.running import ConfigFile, Debug, process_of, use
from proxycouncil.errors import ConfigError, UnknownDomainError, UsageError

if TYPE_CHECKING:
    from proxycouncil.council.config import CouncilConfig, SpecialistConfig
    from proxycouncil.specialists.family import Family
    from proxycouncil.specialists.tuning import Recipe, Tuned

_LARGE = 3_000_000_000


def tune(
    ctx: typer.Context,
    domain: Annotated[
        str, typer.Argument(help="A specialist of council.toml with documents in the library.")
    ],
    *,
    questions: Annotated[
        Path | None,
        typer.Option("--questions", "-q", help="JSON Lines; by default questions/DOMAIN.jsonl."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Directory of the expert; by default experts/DOMAIN.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Tune all weights rather than an adapter.")] = False,
    consistent: Annotated[
        bool,
        typer.Option("--consistent", help="Learn inside the steered sum: slower, closer to the base tuned."),
    ] = False,
    alpha: Annotated[
        float | None, typer.Option("--alpha", help="Weight in that sum; by default the specialist's.")
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            "--start-from", help="An adapter to continue; by default the generalist's, where it is one."
        ),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin with a new adapter instead.")] = False,
    teacher: Annotated[
        str | None, typer.Option("--teacher", help="Learn from this stronger model's log-probabilities, too.")
    ] = None,
    teacher_weight: Annotated[
        float, typer.Option("--teacher-weight", min=0.0, max=1.0, help="Its share in the loss.")
    ] = 0.5,
    qlora: Annotated[
        bool, typer.Option("--qlora", help="Hold the anti-expert in 4 bits; CUDA only.")
    ] = False,
    measure: Annotated[
        bool | None,
        typer.Option(
            "--measure/--no-measure",
            help="Read held-out cases at every α for the run card; by default where the base is here and has "
            "under 3 B parameters.",
        ),
    ] = None,
    general: Annotated[
        Path | None, typer.Option("--general", help="General reading cases instead of the shipped ones.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="At most so many steps.")] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", min=0.0, help="By default what suits the way of tuning."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of everything that is drawn at random.")] = 0,
    use_it: Annotated[
        bool, typer.Option("--use", help="Write into council.toml that the specialist uses it.")
    ] = False,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Tune an expert for a domain.

    The loss on entries held out decides when to stop. An interrupted run goes on when it is repeated. Beside
    the expert stands its run card: card.md, and tuning.json for programs.
    """
    from proxycouncil.council.tune import GENERAL_CASES
    from proxycouncil.council.tune import tune as tune_expert
    from proxycouncil.specialists.tuning import Recipe

    if fresh and start_from:
        raise UsageError("--fresh begins with a new adapter", hint="leave --start-from or --fresh out")
    with process_of(ctx).open_draft(config) as council:
        settings = council.config
        specialist, antiexpert = _tunable(settings, domain)
        recipe = Recipe(
            full=full,
            consistent=consistent,
            alpha=specialist.alpha if alpha is None else alpha,
            quantized=qlora,
            teacher_weight=teacher_weight,
            learning_rate=learning_rate,
            seed=seed,
        )
        tuned = tune_expert(
            domain,
            questions or settings.directory / "questions" / f"{domain}.jsonl",
            library=council.library,
            antiexpert=antiexpert,
            out=out or settings.directory / "experts" / domain,
            form=settings.retrieval.slate,
            general=general or GENERAL_CASES,
            recipe=recipe if steps is None else _of_length(recipe, steps),
            base=settings.family.base if consistent else None,
            start_from=None if fresh or full else start_from or _reading(settings),
            teacher=teacher,
            measured_with=_readers(settings, measure),
            progress=sys.stderr.isatty(),
        )
    _say(tuned)
    if use_it:
        wrote = use(config, f"specialists.{domain}", "expert", tuned.directory)
        typer.echo(f"council.toml: {wrote}", err=True)
    else:
        typer.echo(f'next: [specialists.{domain}] expert = "{tuned.directory}"', err=True)


def _tunable(settings: CouncilConfig, domain: str) -> tuple[SpecialistConfig, str]:
    """The specialist that is to have an expert, and what that is tuned from."""
    if domain not in settings.specialists:
        raise UnknownDomainError(
            f"no specialist is called {domain!r}",
            hint=f"specialists are {', '.join(settings.specialists) or 'none yet'}",
        )
    if settings.family.antiexpert is None:
        raise ConfigError("an expert is tuned from the anti-expert", hint="set family.antiexpert")
    return settings.specialists[domain], settings.family.antiexpert


def _say(tuned: Tuned) -> None:
    typer.echo(
        f"{tuned.directory}: held-out loss {tuned.loss_before:.3f} → {tuned.loss:.3f} nats a token, "
        f"{tuned.steps} steps, {tuned.seconds:.0f} s"
    )
    typer.echo(f"run card: {tuned.directory / 'card.md'}", err=True)


def _of_length(recipe: Recipe, steps: int) -> Recipe:
    """At most so many steps, of which none is wasted: the last is one after which the loss is looked at."""
    looks = -(-steps // recipe.evaluate_every)
    every = steps // looks
    return replace(recipe, steps=every * looks, evaluate_every=every)


def _reading(settings: CouncilConfig) -> str | None:
    """The generalist's adapter over this anti-expert: whoever begins with it can read already."""
    from proxycouncil.specialists.checkpoint import open_checkpoint

    expert = settings.generalist.expert
    return expert if expert and open_checkpoint(expert).is_adapter else None


def _readers(settings: CouncilConfig, measure: bool | None) -> Family | None:
    """Base and anti-expert to measure with; None where that was not asked for, or would take long."""
    from proxycouncil.council.assembly import open_family
    from proxycouncil.specialists.checkpoint import open_checkpoint

    if measure is False or (settings.family.base_url and not measure):
        return None
    if settings.family.base_url:
        raise UsageError("the base is behind a server and can't be measured", hint="leave --measure out")
    if measure is None and open_checkpoint(settings.family.base).parameters > _LARGE:
        return None
    return open_family(settings)
