"""`council chat`: a session with a name, kept in the user's state directory."""

from __future__ import annotations

import sys
from datetime import datetime
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxycouncil.council.chat_input import private_file
from proxycouncil.council.cli.running import ConfigFile, Debug, User, locator, process_of, user_of
from proxycouncil.errors import UsageError

if TYPE_CHECKING:
    from proxycouncil.council.council import Council

LAST = "last"
FEEDBACK = "feedback.jsonl"


def chat(
    ctx: typer.Context,
    *,
    session: Annotated[
        str | None, typer.Option("--session", "-s", help="Resume by name; `last` is the one before.")
    ] = None,
    no_history: Annotated[
        bool, typer.Option("--no-history", help="Keep neither what was typed nor the session.")
    ] = False,
    user: User = None,
    config: ConfigFile = None,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Talk with the council; /help lists what it understands."""
    from proxycouncil.council.chat import Chat
    from proxycouncil.council.chat_commands import phrases
    from proxycouncil.council.chat_input import open_reader
    from proxycouncil.council.feedback import Feedback
    from proxycouncil.council.rendering import console_for

    state = None if no_history else state_directory()
    name = _session_name(session, state)
    with process_of(ctx).open(config) as council:
        _keep_sessions(council, state)
        history = state / "history" if state else None
        reader = open_reader(history=history, phrases=phrases(council.members))
        console = console_for(sys.stdout)
        talk = Chat(
            council,
            thread=name,
            reader=reader,
            console=console,
            locate=locator(council),
            feedback=Feedback(state / FEEDBACK) if state else None,
            user=user_of(user, council, otherwise=getuser()),
        )
        if sys.stdout.isatty():
            talk.say(f"session {name}: ask, or /help", style="dim")
        talk.run()
    if state and sys.stdout.isatty():
        typer.echo(f"resume with: council chat --session {name}")


def state_directory() -> Path:
    """Where sessions and typed lines are kept, for the user alone."""
    from platformdirs import user_state_path

    directory = user_state_path("proxycouncil", appauthor=False)
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(
            f"can't keep sessions in {directory}: {error.strerror}", hint="--no-history keeps nothing"
        ) from error
    return directory


def _session_name(asked: str | None, state: Path | None) -> str:
    """The name to go on with, which becomes the `last` one; a new one says when it began."""
    note = state / LAST if state else None
    if asked == LAST:
        if note is None or not note.is_file():
            raise UsageError("there is no last session", hint="council chat --session NAME begins one")
        return note.read_text(encoding="utf-8").strip()
    name = asked or f"{datetime.now():%Y-%m-%d-%H%M%S}"
    if note is not None:
        private_file(note).write_text(name, encoding="utf-8")
    return name


def _keep_sessions(council: Council, state: Path | None) -> None:
    """Conversations go into the state directory unless council.toml names another place."""
    if state is None or council.config.council.checkpoints is not None:
        return
    file = private_file(state / "sessions.db")
    council.config = council.config.remembering(f"sqlite:///{file}")
