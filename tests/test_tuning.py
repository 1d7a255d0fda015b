"""Tuning: what comes out is read back by PEFT and transformers, stops by what is held out, and can go on."""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proxycouncil.errors import FamilyError, UsageError
from proxycouncil.specialists import tuning
from proxycouncil.specialists.cases import REFUSAL, Case
from proxycouncil.specialists.exercises import Collator, encode_cases
from proxycouncil.specialists.prompts import choose_format
from proxycouncil.specialists.request import Snippet
from proxycouncil.specialists.tuning import Recipe, learning_rate_for, tune

TOKENIZER = Path(__file__).parents[1] / "council" / "starter" / "family" / "antiexpert"
QUICK = Recipe(rank=4, lora_alpha=8, batch_size=8, steps=8, evaluate_every=2, patience=9, device="cpu")


def case(number: int, group: str) -> Case:
    """Copy the word behind "is"; every eighth has nothing to copy."""
    word = ("red", "blue", "green", "white")[number % 4]
    text = f"Thing {number} is {word}." if number % 8 else "Nothing is known."
    answer = word if number % 8 else REFUSAL
    entry = f"Thing {number}"
    return Case(f"What is thing {number}?", (Snippet("Colour", text),), answer, group=group, entry=entry)


OWN = [case(number, "colours") for number in range(64)]
GENERAL = [case(number, "general") for number in range(64, 100)]


@pytest.fixture(scope="module")
def antiexpert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=96,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    folder = tmp_path_factory.mktemp("family") / "antiexpert"
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def loaded(antiexpert: Path) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(antiexpert, dtype=torch.float32)


def card_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "tuning.json").read_text()))


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


@pytest.fixture(scope="module")
def base(antiexpert: Path) -> Path:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(1)
    config = AutoConfig.from_pretrained(antiexpert, hidden_size=48, num_hidden_layers=3)
    folder = antiexpert.parent / "base"
    AutoModelForCausalLM.from_config(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


def test_consistent_tuning_lowers_the_loss_of_the_steered_base(antiexpert: Path, base: Path, tmp_path: Path):
    import torch
    from peft import PeftModel
    from torch.nn.functional import cross_entropy
    from transformers import AutoModelForCausalLM, AutoTokenizer

    recipe = replace(QUICK, consistent=True, alpha=0.7)
    out = tmp_path / "colours"
    tuned = tune(
        OWN, GENERAL, antiexpert=antiexpert, out=out, work=tmp_path / "work", recipe=recipe, base=base
    )
    assert tuned.loss < tuned.loss_before
    card = card_of(out)
    assert card["method"] == "lora, consistent"
    assert card["recipe"]["alpha"] == 0.7

    # The reported loss is that of the sum itself, computed here without the Trainer.
    form = choose_format(AutoTokenizer.from_pretrained(antiexpert))
    held_out = encode_cases([case for case in OWN if case.held_out], form, longest=96)
    batch: dict[str, Any] = dict(Collator(0)(held_out))
    labels = batch.pop("labels")
    expert = PeftModel.from_pretrained(loaded(antiexpert), out)
    large = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    with torch.no_grad():
        steered = large(**batch).logits + 0.7 * (expert(**batch).logits - loaded(antiexpert)(**batch).logits)
    loss = cross_entropy(steered[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    assert float(loss) == pytest.approx(tuned.loss, abs=0.02)


def test_consistent_tuning_needs_the_base(antiexpert: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="needs the base"):
        tune(
            OWN,
            GENERAL,
            antiexpert=antiexpert,
            out=tmp_path / "out",
            work=tmp_path,
            recipe=replace(QUICK, consistent=True),
        )


def test_consistent_tuning_refuses_another_vocabulary(antiexpert: Path, tmp_path: Path):
    from transformers import AutoConfig, AutoModelForCausalLM

    other = tmp_path / "base"
    config = AutoConfig.from_pretrained(antiexpert, vocab_size=100)
    AutoModelForCausalLM.from_config(config).save_pretrained(other)
    with pytest.raises(FamilyError, match="100"):
        tune(
            OWN,
            GENERAL,
            antiexpert=antiexpert,
            out=tmp_path / "out",
            work=tmp_path,
            recipe=replace(QUICK, consistent=True),
            base=other,
        )


def test_a_teacher_is_followed_and_named(antiexpert: Path, base: Path, tmp_path: Path):
    import torch
    from peft import PeftModel
    from torch.nn.functional import kl_div, log_softmax
    from transformers import AutoModelForCausalLM, AutoTokenizer

    recipe = replace(QUICK, teacher_weight=1.0)
    out = tmp_path / "colours"

    def tuned() -> None:
        tune(OWN, GENERAL, antiexpert=antiexpert, out=out, work=tmp_path / "w", recipe=recipe, teacher=base)

    with pytest.raises(FamilyError, match="no model with a tokenizer"):
        tuned()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(antiexpert / name, base / name)
    tuned()
    card = card_of(out)
    assert card["teacher"].endswith("base")
    assert card["data"].keys() == {"cases", "general"}

    form = choose_format(AutoTokenizer.from_pretrained(antiexpert))
    batch: dict[str, Any] = dict(Collator(0)(encode_cases(OWN[:16], form, longest=96)))
    places = batch.pop("labels")[:, 1:] != -100
    models = {
        "teacher": AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
        "before": loaded(antiexpert),
        "after": PeftModel.from_pretrained(loaded(antiexpert), out),
    }
    with torch.no_grad():
        said = {
            name: log_softmax(model(**batch).logits[:, :-1][places], -1) for name, model in models.items()
        }
    far, near = (
        kl_div(said[name], said["teacher"], reduction="batchmean", log_target=True)
        for name in ("before", "after")
    )
    assert near < far


def test_consistent_tuning_has_no_teacher(antiexpert: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="no teacher"):
        tune(
            OWN, GENERAL, antiexpert=antiexpert, out=tmp_path / "o", work=tmp_path, base=antiexpert,
            teacher=antiexpert, recipe=replace(QUICK, consistent=True),
        )  # fmt: skip


def test_qlora_says_what_it_lacks(antiexpert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import torch

    def tuned(**more: Any) -> None:
        recipe = replace(QUICK, quantized=True, device="auto", **more)
        tune(OWN, GENERAL, antiexpert=antiexpert, out=tmp_path / "o", work=tmp_path, recipe=recipe)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="needs CUDA"):
        tuned()
    with pytest.raises(UsageError, match="4 bits"):
        tuned(full=True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    whole = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "bitsandbytes" else whole(name)
    )
    with pytest.raises(UsageError, match="needs bitsandbytes") as caught:
        tuned()
    assert "qlora" in caught.value.hint
