"""A model that changes behind one's back is seen; one that merely varies is not."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from benchmarks.regress import old_runs
from councils import ANSWER, QUESTION, council_of

from proxycouncil.council.cli import probe as command
from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import INTERRUPTED, Process
from proxycouncil.errors import UsageError
from proxycouncil.eval.probe import probe


def asked(seed: int, *, shift: float = 0.0, other: float = 0.05) -> list[dict[str, Any]]:
    """A hundred questions by a model that varies a little; `shift` moves all its log-probabilities."""
    draw = random.Random(seed)
    runs = []
    for one in old_runs(100, random.Random(0)):
        text = "else" if draw.random() < other else "right"
        trace = {"token_ids": [1, 2], "logprobs": [-0.5 + draw.gauss(0, 0.001) - shift for _ in range(2)]}
        ballot = {**one["ballots"][0], "member": "law", "slate": "own", "trace": trace}
        runs.append({**one, "decision": {"outcome": "consensus", "text": text}, "ballots": [ballot]})
    return runs


def test_what_varies_anyway_is_no_change():
    alarms = sum(probe(asked(n), asked(n + 1), asked(n + 2)).changed for n in range(0, 90, 3))
    assert alarms <= 2  # 1 % of thirty; three or more come once in three hundred


def test_other_answers_are_seen():
    found = probe(asked(0), asked(1), asked(2, other=0.3))
    assert found.changed
    assert found.answers.now > found.answers.noise
    assert found.answers.p < 0.005
    assert len(found.ids) > 20


def test_log_probabilities_move_before_answers_do():
    found = probe(asked(0), asked(1), asked(2, shift=0.01))
    assert found.changed
    assert found.answers.p > 0.005
    assert found.logprobs.p < 0.005
    assert found.logprobs.now == pytest.approx(0.01, abs=0.003)


def test_a_server_that_is_gone_has_not_changed():
    gone = [{**one, "decision": {"outcome": "error", "text": ""}} for one in asked(2)]
    found = probe(asked(0), asked(1), gone)
    assert not found.changed
    assert found.failed == 100


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    file = tmp_path / "probe.jsonl"
    lines = [{"id": str(n), "question": f"{QUESTION} ({n})"} for n in range(10)]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_the_command_keeps_the_first_answers_and_tells_of_others(questions, tmp_path, capsys):
    arguments = ["probe", str(questions), "--folder", str(tmp_path / "kept")]
    same, other = Process(lambda _: council_of()), Process(lambda _: council_of({"*": "cash at hand"}))
    assert run(arguments, same) == 0
    assert "from now on" in capsys.readouterr().err
    assert run(arguments, same) == 0
    assert capsys.readouterr().out.startswith("unchanged: 0.0% of 10 answers differ")
    assert run([*arguments, "--json"], other) == 1
    assert json.loads(capsys.readouterr().out)["answers"]["now"] == 1.0
    log = [json.loads(line) for line in (tmp_path / "kept" / "log.jsonl").read_text().splitlines()]
    assert [line["changed"] for line in log] == [False, True]
    assert ANSWER in (tmp_path / "kept" / "first.jsonl").read_text()


def test_a_schedule_goes_on_until_it_is_interrupted(questions, tmp_path, monkeypatch):
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "_sleep", sleep)
    arguments = ["probe", str(questions), "--folder", str(tmp_path / "kept"), "--schedule", "6h"]
    assert run(arguments, Process(lambda _: council_of())) == INTERRUPTED
    assert slept == [21_600, 21_600]
    with pytest.raises(UsageError, match="30m"):
        command.seconds_of("soon")
