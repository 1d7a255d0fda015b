"""Consistent tuning, a teacher, QLoRA: what each needs, says and comes to."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from colours import GENERAL, OWN, QUICK, card_of, loaded, save_antiexpert

from proxycouncil.errors import FamilyError, UsageError
from proxycouncil.specialists.exercises import Collator, encode_cases
from proxycouncil.specialists.prompts import choose_format
from proxycouncil.specialists.tuning import tune


@pytest.fixture(scope="module")
def antiexpert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_antiexpert(tmp_path_factory.mktemp("family") / "antiexpert")


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
