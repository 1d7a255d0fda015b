"""The starter's training programs, on a corpus of a few lines and models of a few thousand weights."""

from __future__ import annotations

import json
import random
import shutil
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training import build_corpus, curves, pretrain, reading_set
from training.batches import CaseBatches, TextBatches
from training.claims import claim_cases
from training.corpus import is_creative_commons
from training.glossary import DIRECTIONS, GlossaryCases
from training.pack import pack, spread
from training.recipe import Recipe
from training.sheets import sheet_cases
from training.synonyms import Synonyms
from training.tokens import Exercises, Text

from proxycouncil.specialists.cases import REFUSAL
from proxycouncil.specialists.exercises import Collator
from proxycouncil.specialists.questions import mentions

FAMILY = Path(__file__).parents[1] / "council" / "starter" / "family"
BOOK = {"book": "A Book", "license": "CC BY 4.0"}
FIELDS = ("law", "physics")


def entries(field: str, count: int = 12) -> list[dict[str, Any]]:
    return [
        {"term": f"{field} term {letter}", "meaning": f"a thing of kind {letter} in the {field} room", **BOOK}
        for letter in "abcdefghijkl"[:count]
    ]


def write_lines(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = "".join(json.dumps(record) + "\n" for record in records).encode()
    if path.suffix == ".zst":
        import zstandard

        raw = zstandard.ZstdCompressor().compress(raw)
    path.write_bytes(raw)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    reading = [
        {
            "context": f"The bridge of town {number} is long. It was opened in {1800 + number}. It is old.",
            "question": f"When was the bridge of town {number} opened?",
            "answer": str(1800 + number) if number % 4 else "",
            "answerable": bool(number % 4),
            "kind": "when",
            "source": "made by rule from A Book",
            "license": "CC BY 4.0",
        }
        for number in range(40)
    ]
    claims = [
        {
            "source": "FEVER (test)",
            "license": "CC BY-SA 3.0",
            "instruction": f"Check this statement: Ann Lee {number} is a painter.",
            "context": f"Ann Lee {number} is a {'painter' if number % 2 else 'judge'}.",
            "response": "Yes, the text supports it." if number % 2 else "No, the text contradicts it.",
        }
        for number in range(12)
    ]
    senses = [
        {"term": word, "meaning": "to open for use", "pos": "verb", "license": "CC BY 4.0"}
        for word in ("opened", "started")
    ]
    text = [{"book": "A Book", "license": "CC BY 4.0", "text": "Rivers run to the sea. " * 20}]
    write_lines(folder / "reading/train.jsonl.zst", reading[:30])
    write_lines(folder / "reading/dev.jsonl", reading[30:])
    for part in ("train", "dev"):
        for field in FIELDS:
            write_lines(folder / f"glossary/{part}/{field}.jsonl", entries(field))
    write_lines(folder / "definitions/wordnet.jsonl.zst", senses)
    write_lines(folder / "instruct/train.jsonl.zst", claims)
    write_lines(folder / "text/law.jsonl.zst", text)
    return folder


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped recipe over a family of tiny models."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("recipe")
    torch.manual_seed(0)
    for name in ("base", "antiexpert"):
        target = folder / "family" / name
        shutil.copytree(FAMILY / name, target, ignore=shutil.ignore_patterns("*.safetensors"))
        shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "head_dim": 16}
        heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
        config = AutoConfig.from_pretrained(target, **shape, **heads)
        AutoModelForCausalLM.from_config(config).to(torch.bfloat16).save_pretrained(target)
    lines = Recipe.path().read_text("utf-8")
    lines = lines.replace("held_out = 300", "held_out = 8").replace("sheets = 34000", "sheets = 40")
    lines = lines.replace('"council/starter/family"', json.dumps(str(folder / "family")))
    lines = lines.replace("batch = 32", "batch = 4").replace("text_width = 256", "text_width = 32")
    file = folder / "recipe.toml"
    file.write_text(lines, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def work(corpus: Path, recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    build_corpus.main(["--corpus", str(corpus), "--out", str(folder), "--recipe", str(recipe_file)])
    return folder


class Clock:
    """A tenth of a second each time it is looked at."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        self.seconds += 0.1
        return self.seconds


@given(st.integers(0, 10**6))
def test_a_fact_sheet_holds_its_answer_unless_it_is_refused(seed: int):
    for case in sheet_cases(4, random.Random(seed)):
        shown = " ".join(snippet.text for snippet in case.snippets)
        assert 1 <= len(case.snippets) <= 5
        assert case.is_refusal or case.answer.lower() in shown.lower()


@given(st.integers(0, 10**6), st.sampled_from(DIRECTIONS), st.booleans())
def test_a_glossary_slate_holds_its_term_unless_it_is_refused(seed: int, direction: Any, refuse: bool):
    known = [entry | {"domain": "law"} for entry in entries("law")]
    case = GlossaryCases(known, random.Random(seed)).case(known[0], direction=direction, refuse=refuse)
    holds = any(mentions(snippet.text, [known[0]["term"]]) for snippet in case.snippets)
    assert holds is not refuse
    assert case.is_refusal is refuse
    assert direction != "term" or refuse or case.answer == known[0]["term"]


def test_claims_become_questions_with_a_verdict_and_its_evidence():
    records = [
        {
            "source": "FEVER",
            "license": "CC BY-SA 3.0",
            "instruction": "Check this: Ann Lee is a painter.",
            "context": f"Ann Lee {number} is a judge.",
            "response": "No, the text contradicts it.",
        }
        for number in range(30)
    ]
    cases = list(claim_cases(records, random.Random(0)))
    answered = [case for case in cases if not case.is_refusal]
    assert answered
    assert all(case.answer.startswith("No. Ann Lee") for case in answered)
    assert all(case.answer[4:] in {one.text for one in case.snippets} for case in answered)
    assert "Is Ann Lee a painter?" in {case.question for case in cases}


def test_a_reworded_question_keeps_the_words_of_its_answer():
    synonyms = Synonyms(
        [{"term": word, "meaning": "a dwelling", "pos": "noun"} for word in ("house", "home")]
        + [{"term": word, "meaning": "large", "pos": "adjective"} for word in ("great", "grand")]
    )
    draw = random.Random(0)
    reworded = {synonyms.reword("which great house is it?", draw, keep="the house") for _ in range(20)}
    assert reworded == {"which grand house is it?"}
    assert synonyms.reword("who?", draw, keep="") == "who?"


def test_only_plain_creative_commons_is_shipped_as_text():
    assert is_creative_commons({"license": "CC BY-SA 4.0"})
    assert not any(is_creative_commons({"license": name}) for name in ("CC BY-NC 4.0", "MIT", "Apache-2.0"))


def test_cases_come_back_from_disk_as_they_were(tmp_path: Path):
    made = Exercises.empty()
    made.append([2, 3, 4], [5, 1], longest=8)
    made.append(list(range(20)), [1], longest=8)
    made.append([7], [8, 9, 1], longest=8)
    made.save(tmp_path / "cases.npz")
    read = Exercises.load(tmp_path / "cases.npz")
    assert [read[index] for index in range(len(read))] == [
        {"input_ids": [2, 3, 4, 5, 1], "answer_length": 2},
        {"input_ids": [7, 8, 9, 1], "answer_length": 3},
    ]


def exercises_of(lengths: list[int]) -> Exercises:
    made = Exercises.empty()
    for number, length in enumerate(lengths):
        made.append([10 + number] * (length - 1), [1], longest=99)
    return made


def test_batches_go_on_where_they_stopped_and_keep_to_the_width():
    made = exercises_of([5 + number % 7 for number in range(900)])

    def batches(position: int) -> CaseBatches:
        return CaseBatches(made, 4, Collator(0), seed=3, position=position)

    whole = batches(0)
    first = [*whole.window(9)]
    second = [*whole.window(9)]
    resumed = batches(0)
    list(resumed.window(9))
    again = [*batches(resumed.position).window(9)]
    assert all(batch["input_ids"].shape[1] <= 9 for batch in first + second)
    assert [batch["input_ids"].tolist() for batch in again] == [b["input_ids"].tolist() for b in second]


def test_rows_of_text_are_all_labels_and_differ():
    text = Text(np.arange(500, dtype=np.uint16))
    rows = TextBatches(text, size=3, width=16, seed=0)
    first, second = rows.next(), rows.next()
    assert first["labels"].tolist() == first["input_ids"].tolist()
    assert first["logits_to_keep"] == 16
    assert first["input_ids"].tolist() != second["input_ids"].tolist()


def test_the_rate_rises_stays_and_falls():
    model = Recipe.read(Recipe.path()).base
    rates = [pretrain.learning_rate(share, 10**6, model) for share in np.linspace(0, 1, 50)]
    assert max(rates) == rates[0] == model.rate
    assert all(before >= after for before, after in pairwise(rates))
    assert rates[-1] <= model.rate / 50
    assert pretrain.learning_rate(0.0, 0, model) < model.rate / 10


def test_cases_grow_longer():
    model = Recipe.read(Recipe.path()).base
    widths = [pretrain.longest_now(share, model) for share in np.linspace(0, 1, 20)]
    assert widths[0] == model.shortest
    assert widths[-1] == model.longest
    assert widths == sorted(widths)


def test_the_corpus_becomes_cases_text_and_a_part_held_out(work: Path):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(FAMILY / "base")
    cases = Exercises.load(work / "cases.npz")
    decoded = [tokenizer.decode(cases[index]["input_ids"]) for index in range(len(cases))]
    assert len(cases) > 40
    assert len(Exercises.load(work / "held_out.npz")) > 4
    assert len(Text.load(work / "text.npz").ids) > 50
    assert any(REFUSAL in text for text in decoded)
    assert all(text.startswith("<|question|> ") and text.endswith("<|end|>") for text in decoded)
    # Passages of the dev part are never trained on.
    assert not any("bridge of town 35 " in text for text in decoded)


@pytest.mark.parametrize("scratch", [False, True])
def test_a_run_is_taken_up_where_it_stopped(work: Path, recipe_file: Path, tmp_path: Path, scratch: bool):
    import torch
    from transformers import AutoModelForCausalLM

    for name in ("cases", "held_out", "text"):
        shutil.copy(work / f"{name}.npz", tmp_path)
    settings = ["base", "--work", str(tmp_path), "--recipe", str(recipe_file)]
    settings += ["--scratch"] if scratch else []
    pretrain.main([*settings, "--minutes", "0.02"], clock=Clock())
    state = json.loads((tmp_path / "base/state.json").read_text())
    pretrain.main([*settings, "--minutes", str(state["minutes"] + 0.02)], clock=Clock())
    later = json.loads((tmp_path / "base/state.json").read_text())
    assert later["cases"] > state["cases"] > 0
    assert later["warm_steps"] > state["warm_steps"]  # the optimizer's moments were there
    assert (later["text_position"] > 0) is scratch
    log = [json.loads(line) for line in (tmp_path / "base.jsonl").read_text().splitlines()]
    held_out = [line["held_out"] for line in log if "held_out" in line]
    assert held_out[-1] < 9.1  # a little under ln 8192, where a model that knows nothing stands
    shipped = AutoModelForCausalLM.from_pretrained(tmp_path / "base-bf16")
    assert shipped.dtype == torch.bfloat16


def test_a_run_whose_optimizer_is_gone_warms_up_anew(work: Path, recipe_file: Path, tmp_path: Path):
    for name in ("cases", "held_out", "text"):
        shutil.copy(work / f"{name}.npz", tmp_path)
    settings = ["antiexpert", "--work", str(tmp_path), "--recipe", str(recipe_file)]
    pretrain.main([*settings, "--minutes", "0.01"], clock=Clock())
    state = json.loads((tmp_path / "antiexpert/state.json").read_text())
    (tmp_path / "antiexpert/optimizers.pt").unlink()
    pretrain.main([*settings, "--minutes", str(state["minutes"] + 0.01)], clock=Clock())
    later = json.loads((tmp_path / "antiexpert/state.json").read_text())
    assert later["steps"] - later["warm_steps"] == state["steps"]


def test_losses_are_drawn(tmp_path: Path):
    for name in curves.NAMES:
        lines = [{"cases": 100 * n, "loss": 3.0 / n, "held_out": 3.5 / n} for n in (1, 2, 3)]
        write_lines(tmp_path / f"{name}.jsonl", lines)
    curves.draw("losses", tmp_path, tmp_path / "losses.svg")
    drawn = (tmp_path / "losses.svg").read_text("utf-8")
    curves.draw("losses", tmp_path, tmp_path / "again.svg")
    assert drawn.startswith("<?xml")
    assert drawn == (tmp_path / "again.svg").read_text("utf-8")


@pytest.mark.parametrize("drawing", ["alpha", "orders"])
def test_what_was_measured_is_drawn_point_by_point(tmp_path: Path, drawing: str):
    share = {"estimate": 0.5, "low": 0.4, "high": 0.6}
    rows = [
        {"reader": reader, "order": order, "excerpts": count, "right": share}
        for reader in ("base", "proxy 1")
        for order in ("best first", "shuffled")
        for count in (1, 2)
    ]
    measured = {
        "alpha": [{"alpha": alpha, "right": share, "declined": share} for alpha in (0, 1)],
        "retrieval": {"orders": rows},
    }
    (tmp_path / "measured.json").write_text(json.dumps(measured))
    curves.draw(drawing, tmp_path / "measured.json", tmp_path / "drawn.svg")
    lines, in_the_key = {"alpha": (2, 2), "orders": (4, 2)}[drawing]
    assert (tmp_path / "drawn.svg").read_text("utf-8").count("LineCollection") == lines + in_the_key


def test_a_pack_keeps_to_its_limit_and_to_the_spread(work: Path, tmp_path: Path):
    sizes = pack(work, tmp_path, limit=(work / "held_out.npz").stat().st_size + 6000)
    assert sum(sizes.values()) <= (work / "held_out.npz").stat().st_size + 6000
    whole, packed = Exercises.load(work / "cases.npz"), Exercises.load(tmp_path / "cases.npz")
    assert 0 < len(packed) < len(whole)
    assert packed[0] == whole[0]
    assert packed[len(packed) - 1] == whole[len(whole) - 1]
    assert spread(whole, 3)[1] == whole[(len(whole) - 1) // 2]


def test_the_reading_set_asks_both_ways_with_and_without_the_answer(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reading_set, "TERMS", 5)
    cases = list(reading_set.reading_set(corpus, random.Random(0)))
    assert len(cases) == 20
    assert [case.is_refusal for case in islice(cases, 4)] == [False, True, False, True]
    assert len({case.entry for case in cases}) == 5
