"""Tuning: what comes out is read back by PEFT and transformers, stops by what is held out, and can go on."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from colours import GENERAL, OWN, QUICK, card_of, loaded, save_antiexpert

from proxycouncil.errors import FamilyError, UsageError
from proxycouncil.specialists import tuning
from proxycouncil.specialists.exercises import Collator, encode_cases
from proxycouncil.specialists.prompts import choose_format
from proxycouncil.specialists.request import Snippet
from proxycouncil.specialists.tuning import Recipe, learning_rate_for, tune


@pytest.fixture(scope="module")
def antiexpert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_antiexpert(tmp_path_factory.mktemp("family") / "antiexpert")


@pytest.fixture(scope="module")
def adapter(antiexpert: Path) -> Path:
    out = antiexpert.parent / "experts" / "colours"
    tune(OWN, GENERAL, antiexpert=antiexpert, out=out, work=antiexpert.parent / "work", recipe=QUICK)
    return out


def test_peft_reads_the_adapter(antiexpert: Path, adapter: Path):
    import torch
    from peft import PeftModel
    from safetensors.torch import load_file

    model = PeftModel.from_pretrained(loaded(antiexpert), adapter)
    ids = torch.arange(20)[None]
    with torch.no_grad():
        tuned = model(input_ids=ids).logits
        with model.disable_adapter():
            untuned = model(input_ids=ids).logits
    assert not torch.allclose(tuned, untuned)
    weights = load_file(adapter / "adapter_model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}


def test_the_adapter_moves_with_its_family(adapter: Path):
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "../../antiexpert"
    assert config["r"] == 4
    assert sorted(path.name for path in adapter.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "tuning.json",
    ]


def test_the_card_says_how_it_was_made(adapter: Path):
    card = card_of(adapter)
    held_out = sum(case.held_out for case in OWN)
    assert card["method"] == "lora"
    assert card["held_out"]["cases"] == held_out
    assert card["learnt"]["colours"] == card["learnt"]["general"] == len(OWN) - held_out
    assert card["recipe"]["steps"] == 8
    assert card["loss"] < card["loss_before"]
    assert {"held_out", "step"} <= card["losses"][0].keys()


def test_nothing_is_left_of_a_finished_run(antiexpert: Path, adapter: Path):
    assert not list((antiexpert.parent / "work").iterdir())
    assert not list(adapter.parent.glob(".*"))


def test_an_adapter_can_be_continued(antiexpert: Path, adapter: Path, tmp_path: Path):
    result = tune(
        OWN,
        GENERAL,
        antiexpert=antiexpert,
        out=tmp_path / "e",
        work=tmp_path / "w",
        recipe=QUICK,
        start_from=adapter,
    )
    assert result.loss_before == pytest.approx(card_of(adapter)["loss"], rel=0.01)
    assert result.loss < result.loss_before


def test_a_full_expert_is_a_checkpoint_with_its_tokenizer(antiexpert: Path, tmp_path: Path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out = tmp_path / "e"
    result = tune(
        OWN, GENERAL, antiexpert=antiexpert, out=out, work=tmp_path / "w", recipe=replace(QUICK, full=True)
    )
    model = AutoModelForCausalLM.from_pretrained(out)
    assert model.dtype == torch.bfloat16
    assert not torch.equal(
        model.get_input_embeddings().weight.float(), loaded(antiexpert).get_input_embeddings().weight
    )
    assert (
        AutoTokenizer.from_pretrained(out).get_vocab()
        == AutoTokenizer.from_pretrained(antiexpert).get_vocab()
    )
    assert result.loss < result.loss_before


def test_the_same_command_goes_on_where_it_was_interrupted(
    antiexpert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from transformers import Trainer

    step, seen = Trainer.training_step, []

    def interrupted(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(self.state.global_step)
        if len(seen) == 6:
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    monkeypatch.setattr(Trainer, "training_step", interrupted)
    run = {"antiexpert": antiexpert, "out": tmp_path / "e", "work": tmp_path / "w", "recipe": QUICK}
    with pytest.raises(KeyboardInterrupt):
        tune(OWN, GENERAL, **run)
    assert not (tmp_path / "e").exists()
    tune(OWN, GENERAL, **run)
    assert seen == [0, 1, 2, 3, 4, 5, 4, 5, 6, 7]
    whole = tune(OWN, GENERAL, antiexpert=antiexpert, out=tmp_path / "f", work=tmp_path / "x", recipe=QUICK)
    assert card_of(tmp_path / "e")["loss"] == pytest.approx(round(whole.loss, 4), abs=1e-3)


def test_the_loss_on_held_out_entries_decides_when_to_stop(antiexpert: Path, tmp_path: Path):
    # A rate that wrecks the model as soon as it has warmed up.
    wild = replace(QUICK, learning_rate=30.0, steps=40, patience=1)
    result = tune(OWN, GENERAL, antiexpert=antiexpert, out=tmp_path / "e", work=tmp_path / "w", recipe=wild)
    held_out = {
        row["step"]: row["held_out"] for row in card_of(tmp_path / "e")["losses"] if "held_out" in row
    }
    assert max(held_out) < 40
    assert 0 < result.steps < max(held_out)
    assert held_out[result.steps] == min(held_out.values()) == pytest.approx(result.loss, abs=1e-4)


def test_a_run_shorter_than_an_evaluation_is_judged_at_its_end(antiexpert: Path, tmp_path: Path):
    short = replace(QUICK, steps=3, evaluate_every=30)
    result = tune(OWN, GENERAL, antiexpert=antiexpert, out=tmp_path / "e", work=tmp_path / "w", recipe=short)
    assert result.steps == 3
    assert result.loss < result.loss_before


def test_only_the_answer_is_learnt_and_padding_changes_nothing(antiexpert: Path):
    import torch
    from transformers import AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(antiexpert), loaded(antiexpert)
    form = choose_format(tokenizer)
    exercises = encode_cases([OWN[1], OWN[8]], form, longest=96)
    batch = Collator(pad_id=0)(exercises)
    for row, exercise in enumerate(exercises):
        kept = batch["labels"][row]
        assert kept[kept != -100].tolist() == exercise["input_ids"][-exercise["answer_length"] :]
    with torch.no_grad():
        padded = model(**{key: value for key, value in batch.items() if key != "labels"}).logits
        for row, exercise in enumerate(exercises):
            alone = model(input_ids=torch.tensor([exercise["input_ids"]])).logits[0]
            count = exercise["answer_length"] + 1
            assert torch.allclose(padded[row, -count:], alone[-count:], atol=1e-5)


def test_cases_beyond_the_context_are_left_out(antiexpert: Path):
    from transformers import AutoTokenizer

    form = choose_format(AutoTokenizer.from_pretrained(antiexpert))
    long = replace(OWN[1], snippets=(Snippet("Colour", "red " * 100),))
    assert len(encode_cases([OWN[1], long], form, longest=96)) == 1


@pytest.mark.parametrize(
    ("parameters", "full", "continued", "rate"),
    [
        (4_000_000, False, False, 3e-3),
        (4_000_000, False, True, 5e-4),
        (600_000_000, False, False, 2e-4),
        (600_000_000, True, False, 2e-5),
    ],
)
def test_the_rate_follows_size_and_method(parameters: int, full: bool, continued: bool, rate: float):
    assert learning_rate_for(parameters, Recipe(full=full), continued=continued) == pytest.approx(rate)
    assert learning_rate_for(parameters, Recipe(full=full, learning_rate=0.5), continued=continued) == 0.5


def test_too_few_cases_are_refused(antiexpert: Path, tmp_path: Path):
    learnt = [case for case in OWN if not case.held_out][:3]
    with pytest.raises(UsageError, match="too few cases: 3 to learn from") as caught:
        tune(learnt, GENERAL, antiexpert=antiexpert, out=tmp_path / "e", work=tmp_path / "w")
    assert "entries" in caught.value.hint


def test_a_full_expert_starts_from_no_adapter(antiexpert: Path, adapter: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="full"):
        tune(
            OWN, GENERAL, antiexpert=antiexpert, out=tmp_path / "e", work=tmp_path / "w",
            recipe=replace(QUICK, full=True), start_from=adapter,
        )  # fmt: skip


def test_accelerate_is_asked_for_by_name(antiexpert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        tuning.importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "accelerate" else find(name, *rest),
    )
    with pytest.raises(UsageError) as caught:
        tune(OWN, GENERAL, antiexpert=antiexpert, out=tmp_path / "e", work=tmp_path / "w")
    assert "proxycouncil[train]" in caught.value.hint


def test_a_missing_anti_expert_is_a_family_error(tmp_path: Path):
    with pytest.raises(FamilyError):
        tune(OWN, GENERAL, antiexpert=tmp_path / "nowhere", out=tmp_path / "e", work=tmp_path / "w")
    assert not (tmp_path / "e").exists()


def test_a_failed_run_leaves_the_old_expert(
    antiexpert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    old = tmp_path / "e"
    old.mkdir()
    (old / "kept").touch()

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tuning, "write_card", full_disk)
    short = replace(QUICK, steps=2)
    with pytest.raises(OSError, match="No space"):
        tune(OWN, GENERAL, antiexpert=antiexpert, out=old, work=tmp_path / "w", recipe=short)
    assert [path.name for path in old.iterdir()] == ["kept"]
