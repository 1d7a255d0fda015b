"""What an expert is worth on held-out cases, against a plain reference; and the card that says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes import FakeSearcher
from test_tune import LIBRARY, METALS, write_questions
from tiny import save_family

from proxycouncil.council.run_card import page, worth_of
from proxycouncil.council.tune import tune
from proxycouncil.errors import FamilyError
from proxycouncil.specialists.cases import Case
from proxycouncil.specialists.family import Family
from proxycouncil.specialists.held_out import read_held_out
from proxycouncil.specialists.request import Prompt, Snippet
from proxycouncil.specialists.tuning import Recipe

CASES = [
    Case(f"What is thing {n}?", (Snippet("Colour", f"Thing {n} is {word}."),), word, "colours", f"Thing {n}")
    for n, word in enumerate(("red", "light blue", "green", "white as snow"))
]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return save_family(tmp_path_factory.mktemp("family"))


@pytest.fixture(scope="module")
def family(paths: dict[str, Path]) -> Family:
    experts = {name: paths[name] for name in ("law", "full")}
    return Family(paths["base"], paths["antiexpert"], experts=experts, device="cpu")


@pytest.mark.parametrize("expert", ["law", "full"])
def test_every_reader_is_what_plain_forwards_say(family: Family, paths: dict[str, Path], expert: str):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    found = read_held_out(family, expert, CASES, alphas=(0.0, 0.7))
    load = AutoModelForCausalLM.from_pretrained
    small = load(paths["antiexpert"], dtype=torch.float32)
    tuned: Any = (
        load(paths["full"], dtype=torch.float32)
        if expert == "full"
        else PeftModel.from_pretrained(load(paths["antiexpert"], dtype=torch.float32), paths["law"])
    )
    large = load(paths["base"], dtype=torch.float32)
    form = family.part("base").format
    for number, case in enumerate(CASES):
        prompt = form.encode(Prompt(case.question, case.snippets))
        answer = form.target_ids(case.answer)
        ids = torch.tensor([prompt + answer])
        with torch.no_grad():
            base, expert_logits, anti = (
                model(ids).logits[0, len(prompt) - 1 : -1] for model in (large, tuned, small)
            )
        steered = base + 0.7 * (expert_logits - anti)
        expected = {("base", None): base, ("expert", None): expert_logits, ("steered", 0.7): steered}
        for (name, alpha), logits in expected.items():
            reader = found.reader(name, alpha)
            nats = -logits.log_softmax(-1)[torch.arange(len(answer)), torch.tensor(answer)].sum()
            assert reader.nats[number] == pytest.approx(float(nats), abs=2e-2)
            assert reader.exact[number] == (logits.argmax(-1).tolist() == answer)
        assert found.tokens[number] == len(answer)
    assert found.reader("steered", 0.0).nats == pytest.approx(found.reader("base").nats, abs=1e-4)


def test_cases_that_fit_no_context_are_an_error(family: Family):
    long = Case("What?", (Snippet("A", "word " * 400),), "word", "colours", "A")
    with pytest.raises(FamilyError, match="held-out case"):
        read_held_out(family, "law", [long])
    assert len(read_held_out(family, "law", [long, *CASES], alphas=(1.0,)).tokens) == len(CASES)


def test_the_card_stands_beside_the_expert(paths: dict[str, Path], tmp_path: Path):
    rows = [
        {"id": f"m{n}", "entry": f"Alloy {n}", "kind": "span", "question": f"What is Alloy {n} made of?",
         "answer": metal, "accepted": [metal]}
        for n, metal in enumerate(METALS)
    ]  # fmt: skip
    out = tmp_path / "metals"
    tune(
        "metals",
        write_questions(tmp_path, "metals", rows),
        library=FakeSearcher(LIBRARY),
        antiexpert=paths["antiexpert"],
        out=out,
        recipe=Recipe(rank=4, batch_size=8, steps=4, evaluate_every=2, device="cpu", alpha=0.6),
        measured_with=Family(paths["base"], paths["antiexpert"], device="cpu"),
        work=tmp_path / "work",
    )
    card = json.loads((out / "tuning.json").read_text())
    assert card["data"].keys() == {"cases", "general", "questions"}
    worth = card["worth"]
    assert worth["alpha"] == 0.6
    assert {0.0, 0.6, 1.0} <= {point["alpha"] for point in worth["alpha_curve"]}
    # What tuning itself reported of these cases, read again from what was written to disk.
    assert worth["readers"]["expert"]["loss"] == pytest.approx(card["loss"], abs=0.05)
    gain = worth["gains"]["steered over base"]["exact"]
    assert gain["low"] <= gain["estimate"] <= gain["high"]
    shown = (out / "card.md").read_text()
    for part in ("# metals", "## Data", "## Losses", "## Worth", "## α", "| steered, α = 0.6 |"):
        assert part in shown


def test_a_card_without_figures_says_so(paths: dict[str, Path], family: Family):
    found = read_held_out(family, "law", CASES, alphas=(1.0,))
    assert worth_of(found, alpha=1.0)["cases"] == len(CASES)
    counts = {"cases": 3, "general": 1, "refusals": 1}
    card = {
        "recipe": {"rank": 4, "seed": 0}, "method": "lora", "learning_rate": 1e-3, "steps": 2, "seconds": 1.0,
        "loss_before": 2.0, "loss": 1.0, "started_from": "../small", "split": "by entry", "learnt": counts,
        "held_out": counts, "losses": [{"step": 0, "held_out": 2.0}, {"step": 1, "learnt": 1.5}],
    }  # fmt: skip
    assert "was not measured" in page("law", card)
