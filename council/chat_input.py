"""Where a chat's lines come from: prompt_toolkit at a terminal, plain lines anywhere else.

Both raise `EOFError` at the end and `KeyboardInterrupt` on Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings

PROMPT = "council> "


class LineReader(Protocol):
    """Hands out what the user types."""

    def read(self) -> str:
        """The next line."""
        ...


class PlainLines:
    """Lines of a pipe or a dumb terminal; the prompt is shown only to somebody who can see it."""

    def __init__(self, lines: TextIO, *, prompt: TextIO | None = None) -> None:
        self._lines = lines
        self._prompt = prompt

    def read(self) -> str:
        """The next line without its end."""
        if self._prompt is not None:
            self._prompt.write(PROMPT)
            self._prompt.flush()
        line = self._lines.readline()
        if not line:
            raise EOFError
        return line.rstrip("\r\n")


class PromptLines:
    """Line editing, history and completion; Alt-Enter begins a new line."""

    def __init__(self, *, history: Path | None, phrases: Iterable[str]) -> None:
        self._session = _session(history, tuple(phrases))

    def read(self) -> str:
        """The next line or lines."""
        return self._session.prompt(PROMPT)


def open_reader(*, history: Path | None, phrases: Iterable[str]) -> LineReader:
    """The reader that fits stdin and stdout."""
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if terminal and os.environ.get("TERM") != "dumb":
        return PromptLines(history=history, phrases=phrases)
    return PlainLines(sys.stdin, prompt=sys.stdout if terminal else None)


def private_file(file: Path) -> Path:
    """The file, there and readable by its owner alone: what was asked is nobody else's business."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.touch(mode=0o600)
    file.chmod(0o600)
    return file


def _session(history: Path | None, phrases: tuple[str, ...]) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    return PromptSession(
        history=InMemoryHistory() if history is None else FileHistory(str(private_file(history))),
        completer=WordCompleter(phrases, sentence=True),
        complete_while_typing=False,
        key_bindings=_keys(),
    )


def _keys() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    keys = KeyBindings()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys
