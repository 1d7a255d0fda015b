"""The programs of examples/ run as they are. What a model answers is not their promise; what they show is."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHOWN = {
    "ask.py": r"\((consensus|plurality|abstain), \d\.\d\d\)[\s\S]+understood as: .+",
    "stream.py": r"asking .*medicine[\s\S]+(consensus|plurality|abstain): .+",
    "agent.py": r"the tool's artifact: \w+, [2-9] ballots\nI asked the council\. .+",
    "approval.py": r"draft: .+\nsent: Prices rise in general",
    "two_specialists/main.py": r"members: beekeeping, sailing, general\nWhat is a queen excluder\? .+",
    "openai_client.py": r"models: council, .*law[\s\S]+council: .+[\s\S]+law: .+",
}


CHEAP = ("ask.py", "stream.py", "agent.py", "approval.py")
"""Those that need no server and ingest nothing."""


def test_every_program_is_run_and_listed():
    programs = {str(path.relative_to(ROOT / "examples")) for path in (ROOT / "examples").rglob("*.py")}
    assert programs == set(SHOWN)
    page = (ROOT / "examples" / "README.md").read_text()
    assert all(f"]({name})" in page for name in programs)


@pytest.mark.parametrize("name", CHEAP)
def test_a_cheap_one_runs_in_this_process(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Where every library is imported already; `make test-slow` starts each as a user would."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGENT_MODEL", raising=False)
    runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
    shown = capsys.readouterr().out
    assert re.search(SHOWN[name], shown), shown


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SHOWN)
def test_it_runs(name: str, tmp_path: Path):
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / name)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(SHOWN[name], done.stdout), done.stdout
