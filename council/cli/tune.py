"""`council tune`: make an expert for a domain from questions about its documents."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from proxycouncil.council.cli.running import ConfigFile, Debug, process_of
from proxycouncil.errors import ConfigError, UnknownDomainError


def tune(
    ctx: typer.Context,
    domain: Annotated[
        str, typer.Argument(help="A specialist of council.toml with documents in the library.")
    ],
    *,
    questions: Annotated[
        Path,
        typer.Option("--questions", "-q", help="JSON Lines: id, entry, kind, question, answer, accepted."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Directory of the expert; by default experts/DOMAIN.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Tune all weights rather than an adapter.")] = False,
    consistent: Annotated[
        bool,
        typer.Option("--consistent", help="Learn inside the steered sum: slower, closer to the base tuned."),
    ] = False,
    alpha: Annotated[float, typer.Option("--alpha", help="Weight in that sum.")] = 1.0,
    start_from: Annotated[
        str | None, typer.Option("--start-from", help="An adapter to continue instead of a fresh one.")
    ] = None,
    general: Annotated[
        Path | None, typer.Option("--general", help="General reading cases instead of the shipped ones.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="At most so many steps.")] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", min=0.0)] = None,
    seed: Annotated[int, typer.Option("--seed")] = 0,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Tune an expert for a domain.

    The loss on entries held out decides when to stop. An interrupted run goes on when it is repeated.
    """
    from proxycouncil.council.tune import GENERAL_CASES
    from proxycouncil.council.tune import tune as tune_expert
    from proxycouncil.specialists.tuning import Recipe

    recipe = Recipe(full=full, consistent=consistent, alpha=alpha, learning_rate=learning_rate, seed=seed)
    with process_of(ctx).open_draft(config) as council:
        settings = council.config
        if domain not in settings.specialists:
            raise UnknownDomainError(
                f"no specialist is called {domain!r}",
                hint=f"specialists are {', '.join(settings.specialists) or 'none yet'}",
            )
        if settings.family.antiexpert is None:
            raise ConfigError("an expert is tuned from the anti-expert", hint="set family.antiexpert")
        tuned = tune_expert(
            domain,
            questions,
            library=council.library,
            antiexpert=settings.family.antiexpert,
            out=out or settings.directory / "experts" / domain,
            form=settings.retrieval.slate,
            general=general or GENERAL_CASES,
            recipe=recipe if steps is None else replace(recipe, steps=steps),
            base=settings.family.base if consistent else None,
            start_from=start_from,
            progress=True,
        )
    typer.echo(
        f"{tuned.directory}: held-out loss {tuned.loss_before:.3f} → {tuned.loss:.3f} nats a token, "
        f"{tuned.steps} steps, {tuned.seconds:.0f} s"
    )
    typer.echo(f'next: [specialists.{domain}] expert = "{tuned.directory}"', err=True)
