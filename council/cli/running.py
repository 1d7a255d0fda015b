"""What every command shares: how a council is opened, how errors are told, how the process ends."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from proxycouncil.errors import CouncilError, UsageError

if TYPE_CHECKING:
    from proxycouncil.council.council import Council
    from proxycouncil.graphs.state import Citation

DEFAULT_FILE = Path("council.toml")
_FALLEN = {
    "stands": "",
    "changed": " (the document has changed since it was read: council ingest)",
    "missing": " (the document is not there any more: council ingest)",
    "gone": " (the library does not hold this passage any more)",
}
STARTER = Path("starter")
"""Names the embedded council where a council.toml could be named."""
INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


def open_council(file: Path | None) -> Council:
    """The council of that file, of `./council.toml` where there is one, else the embedded starter."""
    from proxycouncil.council.council import Council

    file = named_file(file)
    return Council.starter() if file is None else Council.from_file(file)


def named_file(file: Path | None) -> Path | None:
    """The file, or `./council.toml` where there is one; None: the starter, which can also be named so."""
    if file is None and DEFAULT_FILE.is_file():
        return DEFAULT_FILE
    return None if file == STARTER else file


@dataclass
class Process:
    """One run of the command. Tests give it another opener."""

    opener: Callable[[Path | None], Council] = open_council
    debug: bool = False
    started: float = 0.0

    def open(self, file: Path | None) -> Council:
        """Open the council that `--config` names, in the version that was promoted."""
        return self.opener(file)

    def open_draft(self, file: Path | None) -> Council:
        """Open it as its file is written, for work on what may be promoted next."""
        from proxycouncil.council.versions.opening import drafted

        file = named_file(file)
        return self.opener(None if file is None else drafted(file))


def use(config: Path | None, section: str, name: str, path: Path) -> str:
    """Write into council.toml that it uses what was made; what was written, for people.

    Raises:
        UsageError: there is no file of one's own to write to.
    """
    from proxycouncil.council.settings_file import as_written, write_setting
    from proxycouncil.council.versions.opening import split_reference

    file = named_file(config)
    if file is None:
        raise UsageError("--use writes into a council.toml, and there is none", hint="council new DIR")
    file, _ = split_reference(file)
    value = as_written(path, file.parent)
    write_setting(file, section, name, value)
    return f'[{section}] {name} = "{value}"'


def locator(council: Council) -> Callable[[Citation], str]:
    """How a citation is looked up: the library knows where its documents lie, and what became of them."""
    from proxycouncil.council.rendering import place_of

    def locate(citation: Citation) -> str:
        library: Any = council.library
        place = place_of(citation, find=getattr(library, "resolve", Path))
        return f"{place}{fallen(library, citation)}"

    return locate


def fallen(library: object, citation: Citation) -> str:
    """What became of a passage after it was cited; "" where it stands, or the library can't say."""
    if not hasattr(library, "standing"):
        return ""
    with suppress(CouncilError):
        return _FALLEN[library.standing(citation["passage_id"], domain=citation["domain"])]
    return ""


def process_of(ctx: typer.Context) -> Process:
    """The run that a command belongs to."""
    found = ctx.find_object(Process)
    if found is None:
        raise TypeError("commands run through proxycouncil.council.cli.app.run()")
    return found


def _remember_debug(ctx: typer.Context, value: bool) -> bool:
    process = process_of(ctx)
    process.debug = process.debug or value
    return value


ConfigFile: TypeAlias = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="A council.toml; by default ./council.toml, else the starter."),
]
Debug: TypeAlias = Annotated[
    bool, typer.Option("--debug", callback=_remember_debug, help="Show a traceback with an error.")
]


User: TypeAlias = Annotated[
    str | None, typer.Option("--user", help="Whose memories are read; see [memory] in council.toml.")
]


def user_of(asked: str | None, council: Council, *, otherwise: str | None = None) -> str | None:
    """Whose memories a command reads; nobody's where the council remembers nothing.

    Raises:
        UsageError: somebody's were asked for there.
    """
    from proxycouncil.council.memories import nothing_remembered

    if council.config.memory.store is not None:
        return asked or otherwise
    if asked is not None:
        raise nothing_remembered()
    return None


def guarded(work: Callable[[], int], process: Process) -> int:
    """Run the command; every ending becomes an exit code, every error two lines on stderr."""
    process.started = perf_counter()
    try:
        code = work()
        sys.stdout.flush()
    except CouncilError as error:
        return _tell(error, hint=error.hint, code=error.exit_code, debug=process.debug)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return 1
    except Exception as error:  # noqa: BLE001 (the last line of defence: a sentence instead of a traceback)
        hint = "a fault of this program: run again with --debug and report what it prints"
        return _tell(error, hint=hint, code=1, debug=process.debug)
    return code


def _tell(error: Exception, *, hint: str, code: int, debug: bool) -> int:
    from proxycouncil.council.rendering import one_line

    if debug:
        traceback.print_exception(error)
    print(f"error: {one_line(str(error)) or type(error).__name__}", file=sys.stderr)  # noqa: T201
    if hint:
        print(f"hint: {one_line(hint)}", file=sys.stderr)  # noqa: T201
    return code


def _silence_stdout() -> None:
    """Nobody reads any more: let the interpreter's last flush go nowhere instead of raising once more."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
