"""What goes wrong on a user's machine, from the command line: one clear line, a cure, the right exit code."""

import shutil
from pathlib import Path

import pytest

from proxycouncil.council.cli.app import run
from proxycouncil.council.starter import DIRECTORY

FAMILY = DIRECTORY / "family"


def council_toml(directory: Path, *, base: Path, antiexpert: Path = FAMILY / "antiexpert") -> Path:
    file = directory / "council.toml"
    file.write_text(
        f'[family]\nbase = "{base}"\nantiexpert = "{antiexpert}"\n\n'
        f'[specialists.law]\nexpert = "{FAMILY / "experts" / "general"}"\n',
        encoding="utf-8",
    )
    return file


def ask(config: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    code = run(["ask", "What is a contract?", "--config", str(config), *more])
    return code, capsys.readouterr().err


def test_missing_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, said = ask(council_toml(tmp_path, base=tmp_path / "nowhere"), capsys)
    assert code == 2
    assert "nowhere" in said
    assert "hint:" in said
    assert "Traceback" not in said


def test_truncated_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    shutil.copytree(FAMILY / "base", tmp_path / "base")
    weights = tmp_path / "base" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1_000_000])
    code, said = ask(council_toml(tmp_path, base=tmp_path / "base"), capsys)
    assert code == 2
    assert "model.safetensors" in said
    assert "Traceback" not in said


def test_a_foreign_vocabulary(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    shutil.copytree(FAMILY / "antiexpert", tmp_path / "twin")
    tokenizer = tmp_path / "twin" / "tokenizer.json"
    tokenizer.write_text(
        tokenizer.read_text(encoding="utf-8").replace('"Ġthe"', '"Ġzzz"', 1), encoding="utf-8"
    )
    config = council_toml(tmp_path, base=FAMILY / "base", antiexpert=tmp_path / "twin")
    code, said = ask(config, capsys)
    assert code == 2
    assert "hint:" in said


def test_an_unknown_member(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, said = ask(council_toml(tmp_path, base=FAMILY / "base"), capsys, "--members", "astrology")
    assert code == 2
    assert "astrology" in said
    assert "law" in said


@pytest.mark.parametrize("question", ["", "   ", "x" * 100_000])
def test_what_is_no_question(question: str, capsys: pytest.CaptureFixture[str]):
    assert run(["ask", question]) == 2
    assert "hint:" in capsys.readouterr().err


def test_a_misspelt_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = council_toml(tmp_path, base=FAMILY / "base")
    config.write_text(config.read_text().replace("antiexpert", "anti_expert"))
    code, said = ask(config, capsys)
    assert code == 2
    assert "antiexpert" in said


def test_a_library_that_is_empty_is_an_honest_abstention(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, _ = ask(council_toml(tmp_path, base=FAMILY / "base"), capsys)
    assert code == 0
