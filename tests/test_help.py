"""What `--help` says: one screen, nothing cut off, nothing that the README does not list."""

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from proxycouncil.council.cli.app import create_app, run
from proxycouncil.council.cli.running import Process

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
GROUP: Any = get_command(create_app())
COMMANDS = sorted(GROUP.commands)


def test_help_fits_one_screen(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["--help"], Process()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert not any(line.endswith("...") for line in lines if not line.startswith("Usage"))
    rows = [re.match(r"  ([a-z]+(?:, [a-z]+)*)  +[A-Z]", line) for line in lines]
    assert sorted(name for row in rows if row for name in row[1].split(", ")) == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_lists_every_command_with_options_that_exist(name, capsys):
    rows = [line for line in README.splitlines() if line.startswith("|") and f"`council {name}" in line]
    assert rows, f"README's table of commands lacks council {name}"
    run([name, "--help"], Process())
    shown = capsys.readouterr().out
    for option in re.findall(rf"`council {name}[^`|]*?(--[a-z-]+)", rows[0]):
        assert option in shown


def pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])


def said_commands() -> dict[tuple[str, str], set[str]]:
    """Every `council COMMAND … --option` in the docs' code: page and command → its options."""
    said: dict[tuple[str, str], set[str]] = {}
    for page in pages():
        text = page.read_text(encoding="utf-8")
        code = re.findall(r"^```.*?^```|`[^`\n]+`", text, re.MULTILINE | re.DOTALL)
        # To the end of the line, of the code, of the command: what is piped or commented is another's.
        for name, rest in re.findall(r"\bcouncil ([a-z]+)\b([^\n`|#&;]*)", "\n".join(code)):
            said.setdefault((page.name, name), set()).update(re.findall(r"(?<!\S)--[a-z][a-z-]*", rest))
    return said


def test_the_docs_name_no_command_and_no_option_that_is_not_there(capsys):
    said = said_commands()
    assert len(said) > 30
    assert {name for _, name in said} <= set(COMMANDS)
    for (page, name), options in said.items():
        run([name, "--help"], Process())
        shown = capsys.readouterr().out
        # A group's options are its commands'.
        for below in getattr(GROUP.commands[name], "commands", {}):
            run([name, below, "--help"], Process())
            shown += capsys.readouterr().out
        assert options <= set(re.findall(r"--[a-z][a-z-]*", shown)), (page, name)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name):
    command = GROUP.commands[name]
    for one in (command, *getattr(command, "commands", {}).values()):
        assert one.get_short_help_str(), name
        for option in one.params:
            assert getattr(option, "help", None) or option.hidden, (name, option.name)


def test_the_shell_completes_commands():
    environment = {"_COUNCIL_COMPLETE": "complete_bash", "COMP_WORDS": "council s", "COMP_CWORD": "1"}
    done = CliRunner().invoke(create_app(), prog_name="council", env=environment)
    assert "serve" in done.stdout.split()
