"""council.toml: what is read, what is refused, and in which words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from proxycouncil.council.assembly import settings
from proxycouncil.council.cli.configuration_page import describe_defaults
from proxycouncil.council.config import CouncilConfig
from proxycouncil.errors import ConfigError

ROOT = Path(__file__).parents[1]
WHOLE = """
[family]
base = "Qwen/Qwen3-14B-Base"
antiexpert = "./small"
device = "cpu"

[specialists.law]
title = "Law and government"
expert = "./experts/law"
alpha = 2
description = "Law, government, contracts and courts."
examples = ["can a landlord enter without asking"]
documents = ["handbooks/law", "/srv/law.md"]

[generalist]
expert = "./experts/general"

[retrieval]
path = "./shelf"
slate = "passages"

[council]
ask_at_most = 2
calibration = "calibration.json"
checkpoints = "sqlite:///council.db"
"""
LEAST = '[family]\nbase = "a/b"\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "council.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refused(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        CouncilConfig.load(written(folder, text))
    return caught.value


def test_everything_that_is_said_is_read(tmp_path):
    config = CouncilConfig.load(written(tmp_path, WHOLE))
    law = config.specialists["law"]
    assert config.family.base == "Qwen/Qwen3-14B-Base"
    assert (law.title, law.alpha) == ("Law and government", 2.0)
    assert law.examples == ("can a landlord enter without asking",)
    assert config.council.ask_at_most == 2
    assert config.retrieval.slate == "passages"


def test_relative_paths_start_at_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    config = CouncilConfig.load(written(tmp_path, WHOLE))
    assert config.directory == tmp_path
    assert config.family.antiexpert == str(tmp_path / "small")
    assert config.specialists["law"].expert == str(tmp_path / "experts" / "law")
    assert config.specialists["law"].documents == (tmp_path / "handbooks" / "law", Path("/srv/law.md"))
    assert config.retrieval.path == tmp_path / "shelf"
    assert config.council.calibration == tmp_path / "calibration.json"
    assert config.council.checkpoints == f"sqlite:///{tmp_path / 'council.db'}"


def test_a_name_that_is_there_is_a_path_and_not_a_hub_id(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").mkdir()
    assert CouncilConfig.load(written(tmp_path, LEAST)).family.base == str(tmp_path / "a" / "b")


def test_defaults_are_the_documented_ones(tmp_path):
    config = CouncilConfig.load(written(tmp_path, LEAST))
    council, retrieval = config.council, config.retrieval
    assert (council.ask_at_most, council.mass, council.ballots) == (3, 0.9, 2)
    assert (council.deadline_s, council.quorum, council.target_risk) == (60.0, 2, 0.05)
    assert (council.checkpoints, council.calibration, council.unsure_below) == (None, None, None)
    assert (council.max_new_tokens, council.verbatim) == (48, False)
    assert (retrieval.path, retrieval.slate, retrieval.excerpts) == (tmp_path / "library", "sentences", 4)


@pytest.mark.parametrize("verbatim", [False, True])
def test_how_members_write_reaches_the_graph(tmp_path, verbatim):
    text = LEAST + f"[council]\nmax_new_tokens = 7\nverbatim = {str(verbatim).lower()}\n"
    graph = settings(CouncilConfig.load(written(tmp_path, text)))
    assert (graph.max_new_tokens, graph.verbatim) == (7, verbatim)


def test_settings_are_frozen(tmp_path):
    config = CouncilConfig.load(written(tmp_path, LEAST))
    with pytest.raises(ValidationError):
        config.council.quorum = 1


def test_remembering_changes_only_where_conversations_are_kept(tmp_path):
    config = CouncilConfig.load(written(tmp_path, LEAST))
    kept = config.remembering("sqlite:////x.db")
    assert kept.council.checkpoints == "sqlite:////x.db"
    assert kept.directory == config.directory
    assert config.council.checkpoints is None


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[famly]\n" + LEAST, "unknown key famly", "did you mean family?"),
        (LEAST + "antiexprt = 'x'\n", "unknown key family.antiexprt", "did you mean antiexpert?"),
        (LEAST + "[specialists.law]\nalhpa = 2\n", "unknown key specialists.law.alhpa", "mean alpha?"),
        (LEAST + "[retrieval]\nzzz = 2\n", "unknown key retrieval.zzz", "known here: path, url, embedder"),
        ("", "family is missing", "docs/configuration.md"),
        ("[family]\n", "family.base is missing", ""),
        (LEAST + "device = 'tpu'\n", "family.device = 'tpu': must be 'auto', 'cpu', 'cuda' or 'mps'", ""),
        (LEAST + "[council]\nquorum = '2'\n", "council.quorum = '2': must be a valid integer", ""),
        (LEAST + "[council]\nquorum = true\n", "council.quorum = True: must be a valid integer", ""),
        (LEAST + "[council]\nmass = 3\n", "council.mass = 3: must be less than or equal to 1", ""),
        (LEAST + "[council]\ncheckpoints = 'x'\n", "council.checkpoints = 'x': must be sqlite:///FILE", ""),
        (LEAST + "[specialists.law]\nalpha = nan\n", "specialists.law.alpha = nan: must be a finite", ""),
        (LEAST + "[specialists.general]\n", "can't be called 'general'", ""),
        (LEAST + "[specialists.Law]\n", "can't be called 'Law'", ""),
        (LEAST + "[specialists]\nlaw = 3\n", "specialists.law = 3: must be a table", ""),
        (LEAST + "[specialists.law]\nexpert = 'x/y'\n", "family.antiexpert is missing", ""),
        (LEAST + "[retrieval]\npath = 'x'\nurl = 'http://h:1'\n", "path and url exclude each other", ""),
        (LEAST + "[retrieval]\nurl = 'h:1'\n", "retrieval.url = 'h:1'", ""),
        ("[family\n", "at line 1", "mend that line"),
        (LEAST + "base = 'again'\n", "at line 3", ""),
    ],
)
def test_errors_name_key_value_and_what_is_allowed(tmp_path, text, message, hint):
    error = refused(tmp_path, text)
    assert str(tmp_path / "council.toml") in str(error)
    assert message in str(error)
    assert hint in error.hint
    assert error.exit_code == 2


def test_all_faults_are_told_at_once(tmp_path):
    error = refused(tmp_path, LEAST + "[council]\nquorum = 0\nmass = -1\n")
    assert "council.quorum" in str(error)
    assert "council.mass" in str(error)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        CouncilConfig.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        CouncilConfig.load(tmp_path / "bad.toml")


NONSENSE: st.SearchStrategy[object] = (
    st.integers(-9, 0) | st.sampled_from(["", "?", "general"]) | st.just([None]) | st.just({"x": {}})
)


@given(st.sampled_from(["specialists", "generalist", "retrieval", "council", "x"]), NONSENSE, NONSENSE)
def test_nonsense_is_a_config_error_and_nothing_else(section, key, value):
    with pytest.raises(ConfigError):
        CouncilConfig.from_mapping({"family": {"base": "a/b"}, section: {str(key): value}})


def test_the_page_is_what_the_model_says():
    assert (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == describe_defaults()


def test_the_starter_ships_valid_settings():
    config = CouncilConfig.load(ROOT / "council" / "starter" / "council.toml")
    assert len(config.specialists) == 6
    assert all(path.exists() for one in config.specialists.values() for path in one.documents)
