"""The pictures in README.md and docs: real sessions with the starter, as rich writes SVG.

`python -m proxycouncil.council.cli.pictures docs/images`
"""

from __future__ import annotations

import re
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console

from proxycouncil.council.chat import Chat
from proxycouncil.council.council import Council
from proxycouncil.council.events import MemberTokenEvent
from proxycouncil.council.panes import Panes

QUESTION = "What is opportunity cost?"
_WIDTH = 104
_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class Lines:
    """Lines that were typed before."""

    def __init__(self, *lines: str) -> None:
        self._lines = iter(lines)

    def read(self) -> str:
        """The next one."""
        line = next(self._lines, None)
        if line is None:
            raise EOFError
        return line


def session(council: Council) -> str:
    """A question, its ballots, its decision, and `/why`."""
    console = _console()
    Chat(council, thread="picture", reader=Lines(QUESTION, "/why"), console=console).run()
    return _svg(console, "council chat")


def reading(council: Council) -> str:
    """The members as they write, about half-way."""
    events = list(council.stream(QUESTION))
    places = [place for place, event in enumerate(events) if isinstance(event, MemberTokenEvent)]
    panes = Panes()
    for event in events[: places[len(places) // 2] + 1] if places else events:
        panes.take(event)
    console = _console()
    console.print(panes)
    return _svg(console, "council chat, half-way")


def _console() -> Console:
    return Console(
        file=StringIO(), record=True, width=_WIDTH, height=40, force_terminal=False,
        markup=False, emoji=False, highlight=False,
    )  # fmt: skip


def _svg(console: Console, title: str) -> str:
    """Without the fonts that rich would have fetched from elsewhere."""
    return _FONT_FACE.sub("", console.export_svg(title=title, unique_id="council"))


def main() -> None:
    """Write all pictures into the folder that is named."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images")
    folder.mkdir(parents=True, exist_ok=True)
    with Council.starter() as council:
        for name, picture in (("chat", session), ("panes", reading)):
            (folder / f"{name}.svg").write_text(picture(council), encoding="utf-8")


if __name__ == "__main__":
    main()
