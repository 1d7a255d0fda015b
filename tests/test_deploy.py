"""`council deploy` as far as it goes without Ray: settings, the file that is written, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from councils import council_of
from pydantic import ValidationError

from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.council.deploy.settings import APPLICATION, DeploySettings, check_shared
from proxycouncil.errors import ConfigError


def deploy(*arguments: str, **council: object) -> int:
    return run(["deploy", *arguments], Process(lambda _: council_of(**council)))


class TestWrittenFile:
    def test_it_names_the_application_and_what_differs_from_the_defaults(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        Path("council.toml").touch()
        assert (
            deploy("--write", "serve.yaml", "--replicas", "2", "--max-replicas", "5", "--port", "9000") == 0
        )
        written = yaml.safe_load(Path("serve.yaml").read_text(encoding="utf-8"))
        assert written["http_options"] == {"host": "127.0.0.1", "port": 9000}
        (application,) = written["applications"]
        assert application["import_path"] == APPLICATION
        found = DeploySettings.model_validate(application["args"])
        assert (found.replicas, found.most) == (2, 5)
        assert found.config == str(tmp_path / "council.toml")

    def test_a_secret_does_not_stand_in_it(self, tmp_path, monkeypatch):
        monkeypatch.setenv("COUNCIL_TOKEN", "a-token-of-some-length")
        file = tmp_path / "serve.yaml"
        assert deploy("--write", str(file), "--host", "0.0.0.0") == 0
        assert "a-token" not in file.read_text(encoding="utf-8")

    def test_a_file_that_is_there_stays(self, tmp_path, capsys):
        file = tmp_path / "serve.yaml"
        file.write_text("mine", encoding="utf-8")
        assert deploy("--write", str(file)) == 2
        assert "is there already" in capsys.readouterr().err
        assert file.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--replicas", "3", "--max-replicas", "2"], "less than replicas"),
        (["--host", "0.0.0.0"], "bearer token"),
        (["--replicas", "0"], "--replicas"),
    ],
)
def test_what_can_not_work_is_refused(arguments, says, capsys, monkeypatch):
    monkeypatch.delenv("COUNCIL_TOKEN", raising=False)
    assert deploy(*arguments) == 2
    assert says in capsys.readouterr().err


def test_several_writers_of_one_sqlite_file_are_refused(tmp_path):
    with council_of(checkpoints=f"sqlite:///{tmp_path}/c.db") as council:
        check_shared(council.config, DeploySettings())
        with pytest.raises(ConfigError, match="3 replicas would each write it"):
            check_shared(council.config, DeploySettings(max_replicas=3))


def test_options_are_in_serves_words():
    fixed = DeploySettings(replicas=2, cpus=0.5, gpus=1).options()
    assert fixed["num_replicas"] == 2
    assert fixed["ray_actor_options"] == {"num_cpus": 0.5, "num_gpus": 1}
    assert "request_router_config" not in fixed
    scaled = DeploySettings(max_replicas=4, ongoing=3, sticky=True).options()
    assert "num_replicas" not in scaled
    assert scaled["autoscaling_config"]["target_ongoing_requests"] == 3
    assert "ConsistentHash" in scaled["request_router_config"]["request_router_class"]
    assert scaled["name"] != fixed["name"]  # else proxies that served `fixed` would go on routing as there
    json.dumps([fixed, scaled])


def test_an_unknown_argument_is_refused():
    with pytest.raises(ValidationError, match="replica"):
        DeploySettings.model_validate({"replica": 2})
