"""Families: what is loaded, what is refused and what the refusal says."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from tiny import STARTER, save_adapter, save_family, save_model

from proxycouncil.errors import FamilyError, VocabularyError
from proxycouncil.specialists import Family
from proxycouncil.specialists.checkpoint import open_checkpoint


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return save_family(tmp_path_factory.mktemp("family"))


def _copy(source: Path, folder: Path) -> Path:
    return Path(shutil.copytree(source, folder))


def _rewrite(file: Path, **changes: Any) -> None:
    settings = json.loads(file.read_text())
    file.write_text(json.dumps(settings | changes))


def test_the_starter() -> None:
    starter = Family(
        STARTER / "base", STARTER / "antiexpert", experts={"general": STARTER / "experts" / "general"}
    ).load()
    assert starter.experts == ("general",)
    assert starter.width == 8192
    assert starter.end_ids == {1}
    assert starter.is_small
    assert starter.count_tokens("") == 0
    assert starter.count_tokens("opportunity cost") < starter.count_tokens("the opportunity cost of a choice")
    assert starter.part("general").model is starter.part("antiexpert").model


def test_nothing_is_read_before_it_is_needed(tmp_path: Path) -> None:
    family = Family(tmp_path / "nowhere", "./nothing", experts={"law": "./neither"})
    assert family.experts == ("law",)


def test_parts_are_loaded_once_from_many_threads(saved: dict[str, Path]) -> None:
    family = Family(saved["base"], saved["antiexpert"], experts={"law": saved["law"]})
    seen: list[Any] = []
    threads = [threading.Thread(target=lambda: seen.append(family.part("law"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(part) for part in seen}) == 1


def test_experts_come_and_go(saved: dict[str, Path]) -> None:
    family = Family(saved["base"], saved["antiexpert"], experts={"law": saved["law"]}).load()
    before = family.part("law").adapter
    family.add_expert("law", saved["physics"])
    assert family.part("law").adapter != before
    family.remove_expert("law")
    with pytest.raises(FamilyError, match="no expert 'law'") as error:
        family.part("law")
    assert "none" in error.value.hint


def test_fingerprint_follows_the_weights(saved: dict[str, Path], tmp_path: Path) -> None:
    family = Family(saved["base"], saved["antiexpert"], experts={"law": saved["law"]})
    assert (
        family.fingerprint
        == Family(saved["base"], saved["antiexpert"], experts={"law": saved["law"]}).fingerprint
    )
    other = _copy(saved["law"], tmp_path / "law")
    weights = other / "adapter_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert (
        family.fingerprint != Family(saved["base"], saved["antiexpert"], experts={"law": other}).fingerprint
    )


def test_missing_directory(saved: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(FamilyError, match="nowhere is not a directory") as error:
        Family(saved["base"], tmp_path / "nowhere").part("antiexpert")
    assert error.value.hint


def test_hub_id_without_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FamilyError, match="org/never-cached@v1") as error:
        Family("org/never-cached@v1").load()
    assert "directory" in error.value.hint


def test_directory_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(FamilyError, match=r"config\.json"):
        Family(tmp_path).load()


@pytest.mark.parametrize("part", ["base", "law"])
def test_missing_weights(saved: dict[str, Path], tmp_path: Path, part: str) -> None:
    folder = _copy(saved[part], tmp_path / part)
    (weights,) = folder.glob("*.safetensors")
    weights.unlink()
    with pytest.raises(FamilyError, match=weights.name) as error:
        Family(**{**_sources(saved), part: folder} if part == "base" else _with_law(saved, folder)).load()
    assert "again" in error.value.hint


def _sources(saved: dict[str, Path]) -> dict[str, Any]:
    return {"base": saved["base"], "antiexpert": saved["antiexpert"]}


def _with_law(saved: dict[str, Path], law: Path) -> dict[str, Any]:
    return {**_sources(saved), "experts": {"law": law}}


@pytest.mark.parametrize("keep", [0, 4, 200, -100])
@pytest.mark.parametrize("part", ["antiexpert", "law"])
def test_truncated_weights(saved: dict[str, Path], tmp_path: Path, part: str, keep: int) -> None:
    folder = _copy(saved[part], tmp_path / part)
    (weights,) = folder.glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:keep])
    sources = _with_law(saved, folder) if part == "law" else {"base": saved["base"], "antiexpert": folder}
    with pytest.raises(FamilyError, match="truncated or damaged") as error:
        Family(**sources).load()
    assert str(weights) in str(error.value)


def test_pickled_weights_are_never_read(saved: dict[str, Path], tmp_path: Path) -> None:
    folder = _copy(saved["base"], tmp_path / "base")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(FamilyError, match="pickle") as error:
        Family(folder).load()
    assert "save_pretrained" in error.value.hint


def test_weights_of_another_model(saved: dict[str, Path], tmp_path: Path) -> None:
    folder = _copy(saved["base"], tmp_path / "base")
    _rewrite(folder / "config.json", num_hidden_layers=5)
    with pytest.raises(FamilyError, match="weights are missing"):
        Family(folder).load()
    _rewrite(folder / "config.json", num_hidden_layers=3, hidden_size=64)
    with pytest.raises(FamilyError, match="can't be loaded"):
        Family(folder).load()


def test_remote_code_is_never_run(saved: dict[str, Path], tmp_path: Path) -> None:
    folder = _copy(saved["base"], tmp_path / "base")
    _rewrite(
        folder / "config.json",
        model_type="own",
        auto_map={"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"},
    )
    (folder / "own.py").write_text("raise SystemExit('remote code was run')")
    with pytest.raises(FamilyError):
        Family(folder).load()


@pytest.mark.parametrize(
    "other",
    [{"hidden_size": 32}, {"num_hidden_layers": 1}, {"num_hidden_layers": 4}],
)
def test_adapter_of_another_model(saved: dict[str, Path], tmp_path: Path, other: dict[str, Any]) -> None:
    small = {"hidden_size": 16, "num_hidden_layers": 2}
    foreign = save_model(tmp_path / "foreign", **{**small, **other})
    adapter = save_adapter(tmp_path / "adapter", foreign, seed=1)
    with pytest.raises(FamilyError, match="made for another model") as error:
        Family(**_with_law(saved, adapter)).load()
    assert "anti-expert" in error.value.hint


@pytest.mark.parametrize("odd", [{"use_dora": True}, {"modules_to_save": ["norm"]}])
def test_adapters_that_are_no_plain_lora(saved: dict[str, Path], tmp_path: Path, odd: dict[str, Any]) -> None:
    adapter = save_adapter(tmp_path / "adapter", saved["antiexpert"], seed=1, **odd)
    with pytest.raises(FamilyError, match="not a plain LoRA adapter") as error:
        Family(**_with_law(saved, adapter)).load()
    assert "merge" in error.value.hint


def test_a_failed_adapter_leaves_the_others_alone(saved: dict[str, Path], tmp_path: Path) -> None:
    folder = _copy(saved["law"], tmp_path / "law")
    (folder / "adapter_model.safetensors").write_bytes(b"")
    family = Family(**_sources(saved), experts={"bad": folder, "law": saved["law"]})
    with pytest.raises(FamilyError):
        family.part("bad")
    assert family.part("law").adapter


def test_foreign_vocabulary(saved: dict[str, Path], tmp_path: Path) -> None:
    folder = _copy(saved["antiexpert"], tmp_path / "antiexpert")
    file = folder / "tokenizer.json"
    settings = json.loads(file.read_text())
    vocabulary = settings["model"]["vocab"]
    by_id = {i: token for token, i in vocabulary.items()}
    vocabulary[by_id[300]], vocabulary[by_id[301]] = 301, 300
    file.write_text(json.dumps(settings))
    with pytest.raises(VocabularyError, match="differ in 2 tokens: 300 is") as error:
        Family(saved["base"], folder).load()
    assert repr(by_id[300]) in str(error.value)
    assert "same tokenizer" in error.value.hint


def test_special_tokens_may_differ(saved: dict[str, Path], tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = _copy(saved["full"], tmp_path / "chat")
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|turn|>"]})
    tokenizer.save_pretrained(folder)
    Family(saved["base"], saved["antiexpert"], experts={"chat": folder}).load()


def test_no_antiexpert(saved: dict[str, Path]) -> None:
    with pytest.raises(FamilyError, match="no anti-expert"):
        Family(saved["base"], experts={"law": saved["law"]}).load()


@pytest.mark.parametrize("name", ["base", "antiexpert"])
def test_an_expert_needs_a_name_of_its_own(saved: dict[str, Path], name: str) -> None:
    with pytest.raises(FamilyError, match="can't be called"):
        Family(saved["base"], saved["antiexpert"], experts={name: saved["full"]})


def test_checkpoint_counts_its_weights() -> None:
    assert open_checkpoint(STARTER / "base").parameters == pytest.approx(15.7e6, rel=0.02)
