"""The first screen of help: every command, as a user meets them, on 24 lines of 80 columns.

A command alone in its row says what its own help says first; several in one are said together here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from typer.core import TyperGroup

if TYPE_CHECKING:
    # Typer carries click inside.
    from typer._click import Context, HelpFormatter

SECTIONS: Final[dict[str, dict[str, str]]] = {
    "Ask": {
        "ask": "",
        "chat": "",
        "read": "",
        "serve, mcp, deploy": "OpenAI's chat completions; MCP tools; replicas.",
    },
    "Make": {
        "new": "",
        "ingest": "",
        "questions, tune": "Make questions from documents; tune an expert.",
        "inspect, doctor, graph": "Show what is there; check it, with cures; draw it.",
    },
    "Trust": {
        "calibrate": "",
        "eval, regress, probe": "Measure; compare versions; notice changes.",
        "revote, report": "Decide saved votes again; report on them.",
        "versions, promote, rollback": "List versions; let another of them answer.",
    },
}
"""Heading → names of commands → what is said of them; "": what the command says itself."""


_COLUMNS: Final = 66
"""What is left of 80 beside the longest name of the first section."""


class Screen(TyperGroup):
    """The group of all commands."""

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """The commands by section; what options there are, each command's help tells."""
        for heading, rows in SECTIONS.items():
            with formatter.section(heading):
                said = [(names, text or self._said_by(ctx, names)) for names, text in rows.items()]
                formatter.write_dl(said)
        formatter.write_paragraph()
        formatter.write_text("council COMMAND --help says more, council --version which one this is.")

    def _said_by(self, ctx: Context, name: str) -> str:
        command = self.get_command(ctx, name)
        return command.get_short_help_str(limit=_COLUMNS) if command else ""
