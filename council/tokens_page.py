"""What steering did, as one HTML page: no scripts, nothing fetched, every text escaped.

Every token is shaded by its KL; the strongest positions are marked, listed and linked; a token tells both
favourites when it is pointed at. Knows HTML; nothing of where readings come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from proxycouncil.council.rendering import visible
from proxycouncil.council.steered import SHADES, Steered, quoted, shade, shown
from proxycouncil.errors import UsageError

if TYPE_CHECKING:
    from proxycouncil.specialists.token_rows import TokenRow

_STYLE = """
:root { color-scheme: light dark; --text: #1c1c1e; --ground: #ffffff; --quiet: #5f6368; --line: #d8d8dc;
  --hue: 235, 95, 30; }
@media (prefers-color-scheme: dark) { :root { --text: #ececf0; --ground: #17181b; --quiet: #a2a6ad;
  --line: #3a3c42; --hue: 196, 74, 24; } }
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: var(--text); background: var(--ground);
  font: 1rem/1.6 system-ui, sans-serif; }
h2 { margin-bottom: 0; font-size: 1.15rem; }
.quiet { color: var(--quiet); font-size: .9rem; margin-top: .2rem; }
.tokens { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 1.1rem; line-height: 2; }
.tokens span { border-radius: .2em; padding: .1em 0; }
.changed { text-decoration: underline; text-decoration-thickness: 2px; text-underline-offset: .2em; }
.marked { outline: 2px solid rgb(var(--hue)); }
:target { outline-width: 4px; }
sup { font-size: .65em; }
table { border-collapse: collapse; font-size: .95rem; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--quiet); }
td { white-space: pre-wrap; }
a { color: inherit; }
"""
_DEPTHS = (0.0, 0.12, 0.26, 0.42, 0.6, 0.8)
_CELLS = ("", "token", "KL, nats", "log-probability", "the base preferred", "steering preferred")


def tokens_page(question: str, readings: Sequence[Steered]) -> str:
    """The page for one question."""
    title = escape(visible(question))
    sections = "\n".join(_section(number, reading) for number, reading in enumerate(readings, start=1))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Steering: {title}</title>
<style>{_STYLE}{_shades()}</style>
</head>
<body>
<h1>{title}</h1>
{_legend()}
{sections}
</body>
</html>
"""


def save_page(file: Path, page: str) -> None:
    """Write a new file.

    Raises:
        UsageError: it is there already, or can't be written.
    """
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(page)
    except FileExistsError as error:
        raise UsageError(f"{file} is there already", hint="name another file") from error
    except OSError as error:
        raise UsageError(f"can't write {file}: {error.strerror}", hint="name another file") from error


def _shades() -> str:
    rules = (f".k{depth} {{ background: rgba(var(--hue), {share}); }}" for depth, share in enumerate(_DEPTHS))
    return "\n".join(rules) + "\n"


def _legend() -> str:
    steps = " ".join(
        f'<span class="k{depth}">&nbsp;≥ {bound:g}&nbsp;</span>'
        for depth, bound in enumerate(SHADES, start=1)
    )
    return (
        f'<p class="quiet">KL(steered‖base) in nats: {steps} · <span class="changed">underlined</span>:'
        " steering has another favourite than the base · framed: the strongest positions ·"
        " point at a token for both favourites</p>"
    )


def _section(number: int, reading: Steered) -> str:
    strongest = {row.position: rank for rank, row in enumerate(reading.strongest, start=1)}
    tokens = "".join(_token(row, number, strongest.get(row.position)) for row in reading.rows)
    return (
        f"<section>\n<h2>{escape(visible(reading.member))}</h2>\n"
        f'<p class="quiet">{escape(visible(reading.summary))}</p>\n'
        f'<p class="tokens">{tokens}</p>\n{_table(reading, number)}</section>'
    )


def _token(row: TokenRow, number: int, rank: int | None) -> str:
    names = [f"k{shade(row.kl)}", *(["changed"] if row.changed else []), *(["marked"] if rank else [])]
    told = (
        f"{row.kl:.3f} nats, log-probability {row.logprob:.2f}\n"
        f"base: {quoted(row.base_top)}\nsteered: {quoted(row.steered_top)}"
    )
    mark = f"<sup>{rank}</sup>" if rank else ""
    return (
        f'<span id="{_anchor(row, number)}" class="{" ".join(names)}" title="{escape(told)}">'
        f"{escape(shown(row.text))}</span>{mark}"
    )


def _table(reading: Steered, number: int) -> str:
    if not reading.strongest:
        return '<p class="quiet">Steering left every token where the base had it.</p>\n'
    head = "".join(f'<th scope="col">{cell}</th>' for cell in _CELLS)
    rows = "\n".join(_row(row, number, rank) for rank, row in enumerate(reading.strongest, start=1))
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n"


def _row(row: TokenRow, number: int, rank: int) -> str:
    link = f'<a href="#{_anchor(row, number)}">{rank}</a>'
    numbers = f"{row.kl:.2f}", f"{row.logprob:.2f}"
    texts = [quoted(row.text), *numbers, quoted(row.base_top), quoted(row.steered_top)]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in (link, *map(escape, texts))) + "</tr>"


def _anchor(row: TokenRow, number: int) -> str:
    return f"t{number}-{row.position + 1}"
