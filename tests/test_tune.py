"""From questions and a library to cases: the tuning part alone, slates as members read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeGenerator, FakeSearcher
from tiny import save_adapter, save_model

from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.council.cli.tune import _of_length
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.council.tune import GENERAL_CASES, cases_for, tune
from proxycouncil.errors import UnknownDomainError, UsageError
from proxycouncil.specialists.cases import REFUSAL, read_cases, write_cases
from proxycouncil.specialists.questions import part
from proxycouncil.specialists.tuning import Recipe

METALS = ("iron", "copper", "silver", "gold", "tin", "lead", "zinc", "nickel", "cobalt", "chrome") * 4
LIBRARY = {
    "metals": {
        f"Alloy {n}": f"Alloy {n} is made of {metal}. It is cast at noon." for n, metal in enumerate(METALS)
    },
    "rivers": {f"River {n}": f"River {n} flows north. It is deep." for n in range(40)},
}


def write_questions(folder: Path, domain: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / f"{domain}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    rivers = [
        {"id": f"r{n}", "entry": f"River {n}", "kind": "span", "question": f"Where does River {n} flow?",
         "answer": "north", "accepted": ["north"]}
        for n in range(40)
    ]  # fmt: skip
    write_questions(tmp_path, "rivers", rivers)
    metals = [
        {"id": f"m{n}", "entry": f"Alloy {n}", "kind": "span", "question": f"What is Alloy {n} made of?",
         "answer": metal, "accepted": [metal]}
        for n, metal in enumerate(METALS)
    ]  # fmt: skip
    return write_questions(tmp_path, "metals", metals)


def test_cases_are_of_the_tuning_part_and_of_what_the_library_returns(questions: Path):
    made = cases_for("metals", questions, FakeSearcher(LIBRARY))
    own = [case for case in made if case.entry.startswith("Alloy")]
    tuning = [f"Alloy {n}" for n in range(40) if part("metals", f"Alloy {n}") == "tuning"]
    assert {case.entry for case in own} == set(tuning)
    assert len(own) == 3 * len(tuning)
    assert any(case.answer == "copper" for case in own)
    texts = {text for domain in LIBRARY.values() for entry in domain.values() for text in entry.split(". ")}
    for case in made:
        assert all(
            snippet.text.rstrip(".") in {text.rstrip(".") for text in texts} for snippet in case.snippets
        )


def test_questions_of_other_domains_are_declined(questions: Path):
    made = cases_for("metals", questions, FakeSearcher(LIBRARY))
    foreign = [case for case in made if case.entry.startswith("River")]
    assert foreign
    assert {case.answer for case in foreign} == {REFUSAL}
    assert {case.group for case in made} == {"metals"}
    assert all(part("rivers", case.entry) == "tuning" for case in foreign)


def test_whole_passages_can_be_read_instead_of_sentences(questions: Path):
    made = cases_for("metals", questions, FakeSearcher(LIBRARY), form="passages")
    assert any("It is cast at noon." in snippet.text for case in made for snippet in case.snippets)
    assert all(len(snippet.text.split(". ")) == 2 for case in made for snippet in case.snippets)


def test_an_unknown_domain_says_how_to_make_it(questions: Path, tmp_path: Path):
    with pytest.raises(UnknownDomainError, match="metals, rivers") as caught:
        tune("gems", questions, library=FakeSearcher(LIBRARY), antiexpert=tmp_path, out=tmp_path / "e")
    assert caught.value.hint == "council ingest gems PATH…"


def test_questions_of_the_wrong_part_are_too_few(tmp_path: Path):
    tested = next(n for n in range(40) if part("metals", f"Alloy {n}") == "test")
    row = {
        "id": "m",
        "entry": f"Alloy {tested}",
        "kind": "span",
        "question": "?",
        "answer": "a",
        "accepted": ["a"],
    }
    with pytest.raises(UsageError, match="tuning part"):
        cases_for("metals", write_questions(tmp_path, "metals", [row]), FakeSearcher(LIBRARY))


def test_general_cases_are_shipped():
    assert len(read_cases(GENERAL_CASES)) > 8000


def test_steps_end_where_the_loss_is_looked_at():
    recipe = Recipe(evaluate_every=30)
    found = [_of_length(recipe, steps) for steps in (1, 20, 30, 40, 45, 240)]
    assert [(one.steps, one.evaluate_every) for one in found] == [
        (1, 1), (20, 20), (30, 30), (40, 20), (44, 22), (240, 30),
    ]  # fmt: skip


def test_the_command_begins_with_what_the_generalist_can_and_puts_the_expert_to_use(
    questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    twin = save_model(tmp_path / "twin", hidden_size=16, num_hidden_layers=1)
    reading = save_adapter(tmp_path / "reading", twin, seed=1)
    file = tmp_path / "council.toml"
    file.write_text(
        f'[family]\nbase = "{twin}"\nantiexpert = "{twin}"\n'
        f'[specialists.metals]\nexpert = "{reading}" # for now\nalpha = 1.5\n'
        f'[generalist]\nexpert = "{reading}"\n'
    )

    def open_with_fakes(_: Path | None) -> Council:
        config = CouncilConfig.load(file)
        return Council(config, generator=FakeGenerator({}), searcher=FakeSearcher(LIBRARY))

    few = tmp_path / "general.jsonl"
    write_cases(few, read_cases(GENERAL_CASES)[:16])

    def tune_it(*options: str) -> int:
        given = ["tune", "metals", "--config", str(file), "--questions", str(questions), "--no-measure"]
        return run([*given, "--general", str(few), "--steps", "1", *options], Process(open_with_fakes))

    assert tune_it("--use") == 0
    assert 'expert = "./experts/metals"' in capsys.readouterr().err
    own = CouncilConfig.load(file)
    assert own.specialists["metals"].expert == str(tmp_path / "experts" / "metals")
    assert own.generalist.expert == str(reading)
    card = json.loads((tmp_path / "experts" / "metals" / "tuning.json").read_text())
    assert card["started_from"] == "../../reading"
    assert card["recipe"]["alpha"] == 1.5
    assert tune_it("--fresh", "--start-from", str(reading)) == 2
