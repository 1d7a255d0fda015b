"""Members side by side: frames of one height and no greater width, whatever is written."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from councils import ANSWER, QUESTION, council_of
from rich.cells import cell_len
from rich.console import Console

from proxycouncil.council.chat import Chat
from proxycouncil.council.events import as_event
from proxycouncil.council.panes import LINES, Panes

MEMBERS = ["economics", "law", "general"]
LONG = "the value of the best alternative that was given up 細胞 " * 5


def _events(text: str = LONG) -> list[dict[str, Any]]:
    route = {
        "members": MEMBERS,
        "probabilities": {},
        "out_of_scope": 0.0,
        "declined": False,
        "calibrated": False,
    }
    found: list[dict[str, Any]] = [{"type": "route", "standalone": QUESTION, "route": route}]
    for slate in ("shared", "own"):
        found += [{"type": "member.start", "member": name, "slate": slate} for name in MEMBERS]
        found += [
            {"type": "member.token", "member": name, "slate": slate, "text": f"{word} "}
            for word in text.split(" ")
            for name in MEMBERS
        ]
    return found


def _frame(panes: Panes, width: int, height: int = 40, **settings: Any) -> list[str]:
    console = Console(file=StringIO(), width=width, height=height, markup=False, **settings)
    with console.capture() as caught:
        console.print(panes)
    return caught.get().splitlines()


@pytest.mark.parametrize(("width", "lines"), [(200, LINES + 2), (100, LINES + 2), (80, 3), (40, 3)])
def test_a_frame_keeps_its_height_and_its_width(width: int, lines: int) -> None:
    panes = Panes()
    assert len(_frame(panes, width)) == 1
    for number, event in enumerate(_events()):
        panes.take(as_event(event))
        if number % 25 == 0:
            frame = _frame(panes, width)
            assert len(frame) == lines
            assert all(cell_len(line) <= width for line in frame)
    frame = _frame(panes, width)
    assert all(any(name in line for line in frame) for name in MEMBERS)
    assert "given up" in "".join(frame)


def test_a_low_screen_gets_lines_as_a_narrow_one_does() -> None:
    panes = Panes()
    for event in _events():
        panes.take(as_event(event))
    assert len(_frame(panes, 200, height=LINES + 2)) == len(MEMBERS)


def test_what_members_write_is_neither_markup_nor_obeyed_and_colour_may_be_left_out() -> None:
    panes = Panes()
    for event in _events("[bold]x[/bold] \x1b[2J \u202eof"):
        panes.take(as_event(event))
    for width in (80, 120):
        shown = "".join(_frame(panes, width))
        assert "[bold]x[/bold]" in shown
        assert not {"\x1b", "\u202e"} & set(shown)
        plain = "".join(_frame(panes, width, force_terminal=True, no_color=True))
        assert "\x1b[3" not in plain


@pytest.mark.parametrize("width", [80, 200])
def test_at_a_terminal_the_frame_is_gone_when_the_decision_is_there(width: int) -> None:
    shown = StringIO()
    console = Console(file=shown, force_terminal=True, width=width, height=40, markup=False)
    with council_of() as council:
        chat = Chat(council, thread="t", reader=_Once(QUESTION), console=console)
        chat.run()
    text = shown.getvalue()
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1  # the cursor comes back
    assert "\x1b[2K" in text
    assert text.rindex("\x1b[2K") < text.rindex(f"{ANSWER} ")
    assert "─" not in text[text.rindex("\x1b[2K") :]


class _Once:
    def __init__(self, *lines: str) -> None:
        self._lines = list(lines)

    def read(self) -> str:
        if not self._lines:
            raise EOFError
        return self._lines.pop(0)
