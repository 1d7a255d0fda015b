"""`council new` and `council graph`: the files to begin with, and the machine they describe."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxycouncil.council.cli.running import DEFAULT_FILE, Debug
from proxycouncil.errors import UsageError

if TYPE_CHECKING:
    from proxycouncil.council.new_council import Models, NewSpecialist


def new(
    directory: Annotated[Path, typer.Argument(help="Where to make it; made when missing.")] = Path(),
    *,
    specialist: Annotated[
        list[str] | None,
        typer.Option(
            "--specialist", "-s", metavar="NAME[=PATH]", help="A member and its documents; repeat it."
        ),
    ] = None,
    family: Annotated[
        str | None, typer.Option("--family", help="Hub models: qwen3, llama3, olmo2, gemma3 or smollm.")
    ] = None,
    base: Annotated[str | None, typer.Option("--base", help="The large model: a path or a hub id.")] = None,
    antiexpert: Annotated[
        str | None, typer.Option("--antiexpert", help="Its small untuned twin, of the same vocabulary.")
    ] = None,
    expert: Annotated[
        str | None, typer.Option("--expert", help="The twin tuned, for every member to begin with.")
    ] = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Make your own council: council.toml and folders.

    Without --family or --base it runs on the shipped starter family: at once, offline. Without --specialist
    it asks for one where there is a terminal.
    """
    from proxycouncil.council.new_council import council_toml

    models = _models(family, base, antiexpert, expert)
    wanted = specialist or _asked_for()
    members = [_specialist(one, directory) for one in wanted]
    text = council_toml(models, members)
    file = directory / DEFAULT_FILE
    _check(text, directory)
    _write(file, text, [directory / one.documents for one in members])
    typer.echo(f"wrote {file}")
    for one in members:
        typer.echo(f"{one.name}: documents in {os.path.normpath(directory / one.documents)}", err=True)
    step = "" if directory.resolve() == Path.cwd() else f"cd {directory} && "
    typer.echo(f'next: {step}council ingest && council ask "…"', err=True)


def _models(family: str | None, base: str | None, antiexpert: str | None, expert: str | None) -> Models:
    from proxycouncil.council.new_council import STARTER_MODELS, Models, preset_models

    if base is None and (antiexpert or expert):
        raise UsageError(
            "--antiexpert and --expert need a --base", hint="leave all three out for the starter"
        )
    if base and family:
        raise UsageError("--family names a base already", hint="give --family or --base")
    if base:
        twin, tuned = (one and _model_path(one) for one in (antiexpert, expert))
        return Models(_model_path(base), twin, tuned)
    return preset_models(family) if family else STARTER_MODELS


def _model_path(name: str) -> str:
    """A folder that is there is named absolutely: council.toml lies elsewhere than the caller."""
    return str(Path(name).expanduser().resolve()) if Path(name).expanduser().exists() else name


def _asked_for() -> list[str]:
    if not sys.stdin.isatty():
        raise UsageError(
            "no specialist is named", hint="council new DIR --specialist beekeeping=./notes/beekeeping"
        )
    name = typer.prompt("What should the first specialist be called? (one word, a-z)").strip().lower()
    place = typer.prompt("Where are its documents?", default=f"documents/{name} in the new folder")
    return [name if place.endswith(" in the new folder") else f"{name}={place}"]


def _specialist(wanted: str, directory: Path) -> NewSpecialist:
    from proxycouncil.council.new_council import NewSpecialist

    name, _, place = wanted.partition("=")
    if not place:
        return NewSpecialist(name.strip(), f"./documents/{name.strip()}")
    path = Path(place).expanduser()
    if not path.exists():
        raise UsageError(
            f"the documents of {name} are not there: {place}",
            hint=f"--specialist {name} alone makes an empty folder for them",
        )
    return NewSpecialist(name.strip(), _as_seen_from(directory, path))


def _as_seen_from(directory: Path, path: Path) -> str:
    """Relative where it stays so when both are moved together: below the folder that holds the council's."""
    target, home = path.resolve(), directory.resolve()
    if target.is_relative_to(home.parent):
        shown = Path(os.path.relpath(target, home)).as_posix()
        return shown if shown.startswith("../") else f"./{shown}"
    return str(target)


def _check(text: str, directory: Path) -> None:
    """Refuse before writing what would be refused when it is read, a member's name for example."""
    import tomllib

    from proxycouncil.council.config import CouncilConfig

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            "a specialist's name must be a word of a-z, 0-9, _ and -", hint="--specialist NAME=PATH"
        ) from error
    CouncilConfig.from_mapping(data, directory=directory.resolve())


def _write(file: Path, text: str, folders: Sequence[Path]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
        for folder in folders:
            if not folder.exists():
                folder.mkdir(parents=True)
    except FileExistsError as error:
        raise UsageError(f"{file} is there already", hint="name another directory") from error
    except OSError as error:
        raise UsageError(f"can't write {file}: {error.strerror}", hint="name another directory") from error


def graph(
    *,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Print the state machine as Mermaid."""
    from proxycouncil.graphs.council_graph import create_council_graph
    from proxycouncil.graphs.drawing import mermaid

    typer.echo(mermaid(create_council_graph()), nl=False)
