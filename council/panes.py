"""What the members are writing, side by side: panes of a fixed height, or on a narrow terminal a line each.

Knows events and widths; nothing of refreshing. A frame never changes its height once the members are known,
because a frame that grows or shrinks flickers, and what has left the screen can't be erased.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from proxycouncil.council.events import BallotEvent, MemberStartEvent, MemberTokenEvent, RouteEvent
from proxycouncil.council.rendering import one_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

    from proxycouncil.council.events import CouncilEvent

WIDE: Final = 100
"""Columns from which on there is room for panes."""
LEAST_COLUMNS: Final = 24
"""Of one pane."""
LINES: Final = 4
"""Of text in one pane; the border is two more."""
_MARKS = {"answered": "✓", "abstained": "–"}


class Panes:
    """The readings of one turn, as rich shows them. May be shown by one thread while another adds to it."""

    def __init__(self) -> None:
        self._members: list[str] = []
        self._written: dict[tuple[str, str], str] = {}
        self._marks: dict[tuple[str, str], str] = {}

    def take(self, event: CouncilEvent) -> None:
        """One more event."""
        match event:
            case RouteEvent():
                self._written.clear()
                self._marks.clear()
                self._members = list(event.route["members"])
            case MemberStartEvent():
                self._written.setdefault((event.member, event.slate), "")
            case MemberTokenEvent():
                key = (event.member, event.slate)
                self._written[key] = self._written.get(key, "") + event.text
            case BallotEvent():
                ballot = event.ballot
                self._marks[ballot["member"], ballot["slate"]] = _MARKS.get(ballot["status"], "✗")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """The frame for this width; panes only where all of them fit on the screen."""
        members, width = list(self._members), options.max_width
        if not members:
            yield Text("reading …", style="dim")
            return
        columns = min(len(members), max(1, width // LEAST_COLUMNS))
        rows = -(-len(members) // columns)
        if width < WIDE or rows * (LINES + 2) > console.height - 2:
            for member in members:
                yield self._line(member, width)
            return
        grid = Table.grid(expand=True)
        for _ in range(columns):
            grid.add_column(ratio=1)
        inner = width // columns - 4
        for first in range(0, len(members), columns):
            row = members[first : first + columns]
            grid.add_row(*(self._pane(console, member, inner) for member in row))
        yield grid

    def _pane(self, console: Console, member: str, width: int) -> Panel:
        """The last lines of both readings of a member."""
        readings = self._readings(member)
        room = LINES // max(1, len(readings))
        shown = Text()
        for mark, text in readings:
            wrapped = list(Text(f"{mark} {one_line(text)}").wrap(console, width))[-room:]
            wrapped += [Text("")] * (room - len(wrapped))
            for line in wrapped:
                shown.append_text(line).append("\n")
        shown.rstrip()
        return Panel(shown, title=Text(member), title_align="left", height=LINES + 2, border_style="dim")

    def _line(self, member: str, width: int) -> Text:
        """The end of what a member wrote last, all in one line."""
        readings = self._readings(member)
        unfinished = [one for one in readings if one[0] == _UNFINISHED]
        mark, text = (unfinished or readings or [(_UNFINISHED, "")])[-1]
        name, written = f"{mark} {member}: ", one_line(text)
        room = max(1, width - cell_len(name) - 2)
        tail = written[-room:]
        while cell_len(tail) > room:
            tail = tail[1:]
        line = Text(name, style="dim", no_wrap=True)
        line.append("…" if len(tail) < len(written) else "").append(tail, style="default")
        line.truncate(width, overflow="ellipsis")
        return line

    def _readings(self, member: str) -> list[tuple[str, str]]:
        """Mark and text of each reading that has begun."""
        return [
            (self._marks.get(key, _UNFINISHED), text)
            for key, text in list(self._written.items())
            if key[0] == member
        ]


_UNFINISHED = "·"
