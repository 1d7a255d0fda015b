"""`council init` and `council graph`: the file to begin with, and the machine it describes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from proxycouncil.council.cli.running import DEFAULT_FILE, Debug
from proxycouncil.errors import UsageError


def init(
    directory: Annotated[Path, typer.Argument(help="Where to write council.toml.")] = Path(),
    *,
    family: Annotated[str, typer.Option("--family", help="qwen3, llama3, olmo2, gemma3 or smollm.")],
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Write a council.toml for models on the hub."""
    from proxycouncil.council.presets import preset_toml

    text = preset_toml(family)
    file = directory / DEFAULT_FILE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError as error:
        raise UsageError(f"{file} is there already", hint="name another directory") from error
    except OSError as error:
        raise UsageError(f"can't write {file}: {error.strerror}", hint="name another directory") from error
    typer.echo(f"wrote {file}; next: put documents and experts where it says, then `council doctor`")


def graph(
    *,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Print the state machine as Mermaid."""
    from proxycouncil.graphs.council_graph import create_council_graph

    typer.echo(create_council_graph().compile().get_graph().draw_mermaid(), nl=False)
