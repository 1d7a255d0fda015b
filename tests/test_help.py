"""What `--help` says: one screen, nothing cut off, nothing that the README does not list."""

import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from proxycouncil.council.cli.app import create_app, run
from proxycouncil.council.cli.running import Process

README = (Path(__file__).parents[1] / "README.md").read_text()
COMMANDS = sorted(get_command(create_app()).commands)  # type: ignore[attr-defined]


def test_help_fits_one_screen(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["--help"], Process()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 80
    assert not any(line.endswith("...") for line in lines if not line.startswith("Usage"))
    assert all(any(re.match(rf"  {name} ", line) for line in lines) for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_lists_every_command_with_options_that_exist(name, capsys):
    rows = [line for line in README.splitlines() if line.startswith("|") and f"`council {name}" in line]
    assert rows, f"README's table of commands lacks council {name}"
    run([name, "--help"], Process())
    shown = capsys.readouterr().out
    for option in re.findall(rf"`council {name}[^`|]*?(--[a-z-]+)", rows[0]):
        assert option in shown


def test_the_shell_completes_commands():
    environment = {"_COUNCIL_COMPLETE": "complete_bash", "COMP_WORDS": "council s", "COMP_CWORD": "1"}
    done = CliRunner().invoke(create_app(), prog_name="council", env=environment)
    assert "serve" in done.stdout.split()
