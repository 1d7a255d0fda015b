"""What steering did, as coloured text: the deeper the shade, the further steering has moved the base.

Where there are no colours (a pipe, NO_COLOR) a changed token is written out as ‹what stands there ← what
the base preferred›. Knows rich's text; nothing of where readings come from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from proxycouncil.council.steered import SHADES, Steered, quoted, shade, shown

if TYPE_CHECKING:
    from rich.console import Console

    from proxycouncil.specialists.token_rows import TokenRow

_STYLES = ("", *(f"black on {colour}" for colour in ("#fff3c4", "#ffe08a", "#ffc266", "#ff9a5c", "#ff6b5e")))
_CHANGED = "underline"


def show_tokens(console: Console, readings: Sequence[Steered]) -> None:
    """Every reading with its strongest positions, and how to read it."""
    if not readings:
        console.print(
            Text("no reading was written to its end, so there are no tokens to show", style="yellow")
        )
        return
    coloured = console.color_system is not None and not console.no_color
    for reading in readings:
        for line in _lines(reading, coloured=coloured):
            console.print(line)
        console.print()
    console.print(legend(coloured=coloured))


def tokens_text(reading: Steered, *, coloured: bool) -> Text:
    """The tokens one after another."""
    text = Text()
    for row in reading.rows:
        if coloured:
            text.append(shown(row.text), style=_style(row))
        else:
            text.append(f"‹{shown(row.text)} ← {shown(row.base_top)}›" if row.changed else shown(row.text))
    return text


def legend(*, coloured: bool) -> Text:
    """What shades and marks mean."""
    if not coloured:
        return Text("‹written ← the base's favourite› where steering has another favourite than the base")
    text = Text("KL(steered‖base) in nats: ", style="dim")
    for depth, bound in enumerate(SHADES, start=1):
        text.append(f" ≥ {bound:g} ", style=_STYLES[depth]).append(" ")
    return text.append("underlined", style=_CHANGED).append(
        ": another favourite than the base's", style="dim"
    )


def _lines(reading: Steered, *, coloured: bool) -> Iterator[Text]:
    yield Text(shown(reading.summary), style="bold")
    yield tokens_text(reading, coloured=coloured)
    for row in reading.strongest:
        yield Text(f"  {_position(row)}", style="dim")


def _position(row: TokenRow) -> str:
    """`#3 “ value”: 1.20 nats, log-probability −0.10; the base preferred “ cost”`."""
    said = f"#{row.position + 1} {quoted(row.text)}: {row.kl:.2f} nats, log-probability {row.logprob:.2f}"
    if not row.changed:
        return f"{said}; the base preferred it too" if row.text == row.base_top else said
    written = "" if row.text == row.steered_top else f", steering preferred {quoted(row.steered_top)}"
    return f"{said}; the base preferred {quoted(row.base_top)}{written}"


def _style(row: TokenRow) -> str:
    return f"{_STYLES[shade(row.kl)]} {_CHANGED if row.changed else ''}".strip()
