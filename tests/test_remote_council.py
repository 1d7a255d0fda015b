"""A council whose base stands behind a server: its settings, its ballots, what doctor says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from completions import MODEL, Manners, Model, serving
from fakes import FakeSearcher
from tiny import save_family

from proxycouncil.council.assembly import base_server
from proxycouncil.council.checks import Check, examine
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.errors import ConfigError

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return save_family(tmp_path_factory.mktemp("family"))


@pytest.fixture(scope="module")
def model(paths: dict[str, Path]) -> Model:
    return Model(paths["base"])


@pytest.fixture
def manners() -> Manners:
    return Manners("vllm")


@pytest.fixture
def url(model: Model, manners: Manners) -> Iterator[str]:
    with serving(model, manners) as address:
        yield address


def settings_of(paths: dict[str, Path], url: str, **family: Any) -> CouncilConfig:
    return CouncilConfig.from_mapping(
        {
            "family": {
                "base": MODEL,
                "antiexpert": str(paths["antiexpert"]),
                "base_url": url,
                "base_server": "vllm",
                "retries": 0,
                **family,
            },
            "specialists": {"law": {"expert": str(paths["law"])}},
            "generalist": {"expert": str(paths["physics"])},
            "council": {"max_new_tokens": 4, "ask_at_most": 1, "ballots": 1},
        }
    )


def check_of(council: Council) -> Check:
    return next(check for check in examine(council) if check.name == "base")


def test_a_council_asks_its_server_and_doctor_finds_it(
    paths: dict[str, Path], url: str, manners: Manners
) -> None:
    with Council(settings_of(paths, url), searcher=FakeSearcher()) as council:
        answer = council.ask("What is a contract?")
        found = check_of(council)
    assert {ballot["method"] for ballot in answer.ballots} == {"steered"}
    assert {ballot["status"] for ballot in answer.ballots} <= {"answered", "abstained"}
    assert manners.completions
    assert (found.status, found.cure) == ("ok", "")
    assert url in found.detail


def test_ballots_written_without_the_base_say_so(paths: dict[str, Path], url: str, manners: Manners) -> None:
    manners.dies_after = 0
    with Council(settings_of(paths, url, fallback="expert"), searcher=FakeSearcher()) as council:
        answer = council.ask("What is a contract?")
        found = check_of(council)
    assert {ballot["method"] for ballot in answer.ballots} == {"alone"}
    assert all("is gone" in (ballot["error"] or "") for ballot in answer.ballots)
    assert answer.decision.degraded
    assert found.status == "fail"
    assert "is gone" in found.detail
    assert found.cure


def test_without_leave_to_go_on_every_ballot_fails(
    paths: dict[str, Path], url: str, manners: Manners
) -> None:
    manners.dies_after = 0
    with Council(settings_of(paths, url), searcher=FakeSearcher()) as council:
        answer = council.ask("What is a contract?")
    assert {ballot["status"] for ballot in answer.ballots} == {"failed"}
    assert answer.outcome == "error"


def test_a_remote_base_needs_a_tokenizer_here_and_a_key_that_is_set(
    paths: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="antiexpert is missing"):
        CouncilConfig.from_mapping({"family": {"base": MODEL, "base_url": "http://localhost:8000"}})
    config = settings_of(paths, "http://localhost:8000", base_key_env="COUNCIL_TEST_KEY")
    with pytest.raises(ConfigError, match="not set"):
        base_server(config)
    monkeypatch.setenv("COUNCIL_TEST_KEY", "secret")
    server = base_server(config)
    assert server is not None
    assert server.key == "secret"
