"""`council new`: what it writes is a council that loads, and it overwrites nothing."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest

from proxycouncil.council import starter
from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import use
from proxycouncil.council.config import CouncilConfig
from proxycouncil.errors import ConfigError, UsageError


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "hive.md").write_text("# Hive\n\nA hive holds one queen.\n", encoding="utf-8")
    return folder


def test_a_folder_of_notes_becomes_a_council_on_the_shipped_family(tmp_path, notes, capsys):
    assert run(["new", str(tmp_path / "mine"), "--specialist", f"beekeeping={notes}"]) == 0
    assert "council ingest" in capsys.readouterr().err
    config = CouncilConfig.load(tmp_path / "mine" / "council.toml")
    assert config.specialists["beekeeping"].documents == (notes,)
    for weights in (config.family.base, config.family.antiexpert, config.generalist.expert):
        assert Path(str(weights)).is_dir()
    assert '"../notes"' in (tmp_path / "mine" / "council.toml").read_text()


def test_on_the_shipped_family_members_read_as_the_starter_s_do(tmp_path):
    assert run(["new", str(tmp_path / "mine"), "-s", "law"]) == 0
    own = CouncilConfig.load(tmp_path / "mine" / "council.toml")
    shipped = CouncilConfig.load(starter.DIRECTORY / "council.toml")
    assert own.specialists["law"].alpha == own.generalist.alpha == shipped.generalist.alpha
    for section, names in {
        "retrieval": ("slate", "excerpts", "own_order"),
        "council": ("target_risk", "verbatim", "unsure_below", "max_new_tokens"),
    }.items():
        for name in names:
            assert getattr(getattr(own, section), name) == getattr(getattr(shipped, section), name), name


def test_what_was_made_is_written_into_the_settings_and_nothing_else_changes(tmp_path):
    assert run(["new", str(tmp_path), "-s", "law", "-s", "tax"]) == 0
    file = tmp_path / "council.toml"
    before = file.read_text().splitlines()
    assert use(file, "specialists.law", "expert", tmp_path / "experts" / "law").endswith('"./experts/law"')
    use(file, "council", "calibration", tmp_path / "calibration.json")
    after = file.read_text().splitlines()
    assert [line for line in after if line not in before] == [
        'expert = "./experts/law"',
        'calibration = "./calibration.json"',
    ]
    assert [line for line in before if line not in after] == []
    config = CouncilConfig.load(file)
    assert config.specialists["law"].expert == str(tmp_path / "experts" / "law")
    assert config.specialists["tax"].expert == config.generalist.expert
    assert config.council.calibration == tmp_path / "calibration.json"


def test_settings_that_can_not_be_written_stay_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="there is none"):
        use(None, "council", "calibration", tmp_path / "calibration.json")
    assert run(["new", ".", "-s", "law"]) == 0
    before = Path("council.toml").read_bytes()
    with pytest.raises(ConfigError, match="planner"):
        use(None, "council", "planner", tmp_path / "plans")
    assert Path("council.toml").read_bytes() == before
    Path("council.toml").write_text("[family\n")
    with pytest.raises(ConfigError, match="can't be changed"):
        use(None, "council", "calibration", tmp_path / "calibration.json")


def test_a_specialist_without_documents_gets_a_folder_for_them(tmp_path):
    assert run(["new", str(tmp_path / "mine"), "-s", "law", "-s", "tax"]) == 0
    config = CouncilConfig.load(tmp_path / "mine" / "council.toml")
    assert [one.documents[0].is_dir() for one in config.specialists.values()] == [True, True]


def test_models_of_the_hub_and_of_ones_own(tmp_path, notes):
    assert run(["new", str(tmp_path / "hub"), "--family", "qwen3", "-s", f"law={notes}"]) == 0
    assert CouncilConfig.load(tmp_path / "hub" / "council.toml").retrieval.slate == "passages"
    own = ["--base", "big/model", "--antiexpert", "small/model", "--expert", str(notes)]
    assert run(["new", str(tmp_path / "own"), *own, "-s", f"law={notes}"]) == 0
    config = CouncilConfig.load(tmp_path / "own" / "council.toml")
    assert (config.family.base, config.specialists["law"].expert) == ("big/model", str(notes))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--family", "abacus", "-s", "law"], "no preset 'abacus'"),
        (["--antiexpert", "small", "-s", "law"], "need a --base"),
        (["--base", "big", "--family", "qwen3", "-s", "law"], "names a base already"),
        (["-s", "law=nowhere"], "the documents of law are not there"),
        (["-s", "general"], "can't be called 'general'"),
        (["-s", "tax law"], "must be a word"),
        ([], "no specialist is named"),
    ],
)
def test_what_can_not_be_made_is_said_before_anything_is_written(
    arguments, said, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("sys.stdin", StringIO())
    assert run(["new", str(tmp_path / "mine"), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()


def test_nothing_is_overwritten(tmp_path, capsys):
    assert run(["new", str(tmp_path), "-s", "law"]) == 0
    before = (tmp_path / "council.toml").read_bytes()
    assert run(["new", str(tmp_path), "-s", "tax"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "council.toml").read_bytes() == before


def test_a_shipped_model_that_is_none_is_named():
    with pytest.raises(ConfigError, match="ships no 'experts/astrology'"):
        CouncilConfig.from_mapping({"family": {"base": "starter:experts/astrology"}})
