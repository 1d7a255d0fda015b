"""Steering in transformers' own idiom, against a plain loop over three models and against the engine."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import KINDS, save_family, save_model
from trios import NEW, TEXTS, Models, load, load_one, plain, plain_logits, written

from proxycouncil.errors import UsageError, VocabularyError
from proxycouncil.specialists import (
    Engine,
    Family,
    Pair,
    ProxyTunedForCausalLM,
    Request,
    Sampling,
    proxy_tuned,
)
from proxycouncil.specialists.steering import keep_plausible


@pytest.fixture(scope="module", params=KINDS)
def models(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Models:
    return load(save_family(tmp_path_factory.mktemp(request.param), request.param), "full")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Its expert is an adapter, held by PEFT."""
    return load(save_family(tmp_path_factory.mktemp("llama")), "law")


def ways(models: Models, alpha: float = 1.0) -> list[tuple[Any, dict[str, Any]]]:
    """Both idioms: a model and what its `generate` is given."""
    return [
        (models.base, {"custom_generate": proxy_tuned(*models.pair, alpha)}),
        (models.composite(alpha=alpha), {}),
    ]


@pytest.mark.parametrize("alpha", [1.0, -0.5])
def test_a_padded_batch_is_the_plain_loop_row_by_row(models: Models, alpha: float) -> None:
    batch = models.batch()
    expected = [plain(models, text, alpha) for text in TEXTS]
    for model, how in ways(models, alpha):
        rows = model.generate(**batch, **how, max_new_tokens=NEW, do_sample=False)
        assert written(rows, batch["input_ids"].shape[1]) == expected


def test_a_single_text_without_a_mask_and_alpha_per_call(models: Models) -> None:
    ids = models.batch(TEXTS[:1])["input_ids"]
    for model, how in ways(models):
        for alpha in (0.3, 0.0):
            rows = model.generate(ids, **how, alpha=alpha, max_new_tokens=NEW, do_sample=False)
            assert written(rows, ids.shape[1]) == [plain(models, TEXTS[0], alpha)]
        rows = model.generate(ids, **how, max_new_tokens=NEW, do_sample=False)
        assert written(rows, ids.shape[1]) == [plain(models, TEXTS[0])]


def test_it_is_what_the_engine_writes(models: Models) -> None:
    family = Family(models.paths["base"], models.paths["antiexpert"], experts={"e": models.paths["expert"]})
    requests = [Request(text, (Pair("e"),), Sampling(max_new_tokens=NEW)) for text in TEXTS]

    async def together() -> list[list[int]]:
        async with Engine(family) as engine:
            return [list((await engine.complete(request)).token_ids) for request in requests]

    engine = asyncio.run(together())
    batch = models.batch()
    for model, how in ways(models):
        rows = model.generate(**batch, **how, max_new_tokens=NEW, do_sample=False)
        assert written(rows, batch["input_ids"].shape[1]) == engine


def test_assisted_generation_changes_no_token(models: Models) -> None:
    """The expert drafts, all three caches are rolled back; far enough that windows of 8 have slid."""
    composite = models.composite()
    for text in TEXTS[1:]:
        ids = models.batch((text,))["input_ids"]
        rows = composite.generate(
            ids, assistant_model=composite.expert, max_new_tokens=2 * NEW, do_sample=False
        )
        assert written(rows, ids.shape[1]) == [plain(models, text, new=2 * NEW)]


def test_a_drafter_that_is_right_is_asked_for_less(models: Models) -> None:
    """Where base and anti-expert are one the sum is the expert: drafts are kept, the base reads less."""
    twins = ProxyTunedForCausalLM(models.antiexpert, *models.pair)
    ids = models.batch(TEXTS[:1])["input_ids"]
    reads = []
    hook = models.antiexpert.register_forward_hook(lambda *_: reads.append(1))
    try:
        twins.generate(ids, max_new_tokens=NEW, do_sample=False)
        alone = len(reads)
        twins.generate(ids, assistant_model=twins.expert, max_new_tokens=NEW, do_sample=False)
    finally:
        hook.remove()
    assert len(reads) - alone < alone


def test_adapters_of_peft_steer_as_in_the_engine(llama: Models) -> None:
    family = Family(llama.paths["base"], llama.paths["antiexpert"], experts={"e": llama.paths["expert"]})
    with Engine(family) as engine:
        request = Request(TEXTS[2], (Pair("e", 0.8),), Sampling(max_new_tokens=NEW))
        expected = list(asyncio.run(engine.complete(request)).token_ids)
    batch = llama.batch(TEXTS[2:])
    for model, how in ways(llama, 0.8):
        rows = model.generate(**batch, **how, max_new_tokens=NEW, do_sample=False)
        assert written(rows, batch["input_ids"].shape[1]) == [expected]


def test_sampling_is_stock_sampling_of_the_steered_logits(llama: Models) -> None:
    batch = llama.batch()
    settings: dict[str, Any] = {
        "do_sample": True, "temperature": 0.8, "top_k": 30, "top_p": 0.9, "repetition_penalty": 1.2,
        "num_return_sequences": 2, "max_new_tokens": NEW,
    }  # fmt: skip
    drawn = []
    for model, how in ways(llama):
        torch.manual_seed(11)
        drawn.append(model.generate(**batch, **how, **settings))
    assert drawn[0].shape == drawn[1].shape
    assert len(drawn[0]) == 6
    assert torch.equal(*drawn)
    assert not torch.equal(drawn[0][0], drawn[0][1])


def test_rows_end_apart_and_are_filled_up(llama: Models) -> None:
    """Whatever a row writes third is made its end token; the others go on."""
    batch = llama.batch()
    prompt = batch["input_ids"].shape[1]
    end = plain(llama, TEXTS[1])[2]
    expected = []
    for text in TEXTS:
        row = plain(llama, text)
        expected.append(row[: row.index(end) + 1] if end in row else row)
    longest = max(map(len, expected))
    for model, how in ways(llama):
        rows = model.generate(
            **batch, **how, max_new_tokens=NEW, do_sample=False, eos_token_id=end, pad_token_id=0
        )
        assert rows[:, prompt:].tolist() == [row + [0] * (longest - len(row)) for row in expected]


def test_processors_criteria_and_details_are_those_of_generate(llama: Models) -> None:
    from transformers import StoppingCriteria

    class AfterFour(StoppingCriteria):
        def __call__(self, ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
            return torch.full((len(ids),), ids.shape[1] >= prompt + 4)

    batch = llama.batch(TEXTS[:2])
    prompt = batch["input_ids"].shape[1]
    favourite = plain(llama, TEXTS[0])[0]
    for model, how in ways(llama):
        output = model.generate(
            **batch, **how, max_new_tokens=NEW, do_sample=False, stopping_criteria=[AfterFour()],
            suppress_tokens=[favourite], return_dict_in_generate=True, output_logits=True, output_scores=True,
        )  # fmt: skip
        assert output.sequences.shape[1] == prompt + 4
        assert len(output.logits) == len(output.scores) == 4
        assert favourite not in output.sequences[0, prompt:]
        expected = plain_logits(llama, llama.tokenizer(TEXTS[0])["input_ids"], 1.0)
        assert torch.allclose(output.logits[0][0], expected, atol=1e-3)
        assert output.scores[0][0, favourite] == float("-inf")
        assert output.past_key_values.get_seq_length() == prompt + 3


def test_implausible_tokens_are_ruled_out(llama: Models) -> None:
    ids = llama.batch(TEXTS[:1])["input_ids"]
    steered = plain_logits(llama, ids[0].tolist(), 3.0)
    base = plain_logits(llama, ids[0].tolist(), 0.0)
    expected = int(keep_plausible(steered[None], base[None], 0.5).argmax())
    assert expected != int(steered.argmax())
    how = {"custom_generate": proxy_tuned(*llama.pair, 3.0, plausibility=0.5)}
    for model, more in ((llama.base, how), (llama.composite(alpha=3.0, plausibility=0.5), {})):
        rows = model.generate(ids, **more, max_new_tokens=1, do_sample=False)
        assert rows[0, -1] == expected


def test_a_pair_of_weight_0_is_not_run(llama: Models) -> None:
    reads = []
    hook = llama.antiexpert.register_forward_hook(lambda *_: reads.append(1))
    try:
        ids = llama.batch(TEXTS[:1])["input_ids"]
        llama.base.generate(
            ids, custom_generate=proxy_tuned(*llama.pair, 0.0), max_new_tokens=2, do_sample=False
        )
    finally:
        hook.remove()
    assert not reads


def test_beams_walk_all_layers(llama: Models) -> None:
    """With a cache, whose rows are reordered, as without one."""
    batch = llama.batch()
    composite = llama.composite()
    settings: dict[str, Any] = {"num_beams": 3, "max_new_tokens": 6, "do_sample": False}
    cached = composite.generate(**batch, **settings)
    whole = composite.generate(**batch, **settings, use_cache=False)
    assert torch.equal(cached, whole)


def test_a_conversation_goes_on_in_the_composite_cache(llama: Models) -> None:
    from transformers import DynamicCache

    composite, cache = llama.composite(), DynamicCache()
    ids = llama.batch(TEXTS[:1])["input_ids"]
    first = composite.generate(ids, past_key_values=cache, max_new_tokens=4, do_sample=False)
    both = composite.generate(first, past_key_values=cache, max_new_tokens=4, do_sample=False)
    assert written(both, ids.shape[1]) == [plain(llama, TEXTS[0], new=8)]


@pytest.mark.parametrize("bounds", [(30.0, None), (None, 20.0)])
def test_soft_caps_that_differ_are_undone_as_in_the_engine(
    tmp_path: Path, bounds: tuple[float | None, float | None]
) -> None:
    large, small = bounds
    paths = {
        "base": save_model(tmp_path / "base", "gemma2", final_logit_softcapping=large),
        "antiexpert": save_model(tmp_path / "small", "gemma2", seed=2, final_logit_softcapping=small),
        "full": save_model(tmp_path / "expert", "gemma2", seed=3, final_logit_softcapping=small),
    }
    models = load(paths, "full")
    with Engine(Family(paths["base"], paths["antiexpert"], experts={"e": paths["full"]})) as engine:
        request = Request(TEXTS[0], (Pair("e", 0.5),), Sampling(max_new_tokens=NEW))
        expected = list(asyncio.run(engine.complete(request)).token_ids)
    ids = models.batch(TEXTS[:1])["input_ids"]
    for model, how in ways(models, 0.5):
        rows = model.generate(ids, **how, max_new_tokens=NEW, do_sample=False)
        assert written(rows, ids.shape[1]) == [expected]


def test_padded_heads_are_cut_and_foreign_ones_refused(tmp_path: Path) -> None:
    paths = {
        "base": save_model(tmp_path / "base", vocab_size=8192 + 64),
        "antiexpert": save_model(tmp_path / "small", seed=2),
        "full": save_model(tmp_path / "expert", seed=3),
    }
    models = load(paths, "full")
    ids = models.batch(TEXTS[:1])["input_ids"]
    composite = models.composite()
    expected = composite.generate(ids, max_new_tokens=NEW, do_sample=False)
    assert composite(ids).logits.shape[-1] == composite.config.vocab_size == 8192
    drafted = composite.generate(ids, assistant_model=models.expert, max_new_tokens=NEW, do_sample=False)
    custom = models.base.generate(
        ids, custom_generate=proxy_tuned(*models.pair), max_new_tokens=NEW, do_sample=False
    )
    assert torch.equal(drafted, expected)
    assert torch.equal(custom, expected)
    foreign = load_one({"foreign": save_model(tmp_path / "foreign", vocab_size=32000)}, "foreign")
    with pytest.raises(VocabularyError, match="32000"):
        ProxyTunedForCausalLM(foreign, *models.pair)


def test_the_base_may_keep_its_text_in_a_static_cache(llama: Models) -> None:
    batch = llama.batch()
    rows = llama.base.generate(
        **batch, custom_generate=proxy_tuned(*llama.pair), cache_implementation="static", max_new_tokens=NEW,
        do_sample=False,
    )  # fmt: skip
    assert written(rows, batch["input_ids"].shape[1]) == [plain(llama, text) for text in TEXTS]


class Told:
    """A streamer that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def put(self, tokens: torch.Tensor) -> None:
        self.told += tokens.flatten().tolist()

    def end(self) -> None:
        self.told.append("end")


def test_a_streamer_of_its_own_hears_every_token(llama: Models) -> None:
    streamer: Any = Told()
    ids = llama.batch(TEXTS[:1])["input_ids"]
    how = proxy_tuned(*llama.pair, streamer=streamer)
    rows = llama.base.generate(ids, custom_generate=how, max_new_tokens=4, do_sample=False)
    assert streamer.told == [*rows[0].tolist(), "end"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"streamer": Told()}, "hands streamer to no custom_generate"),
        ({"synced_gpus": True}, "hands synced_gpus to no"),
        ({"num_beams": 2}, "not by beam_search"),
        ({"prompt_lookup_num_tokens": 3}, "not by assisted_generation"),
        ({"use_cache": False}, "keeps what three models have read"),
        (
            {"return_dict_in_generate": True, "output_hidden_states": True},
            "nothing with output_hidden_states",
        ),
        ({"inputs_embeds": torch.zeros(1, 3, 32)}, "nothing with inputs_embeds"),
    ],
)
def test_what_a_callable_cant_do_is_refused(llama: Models, settings: dict[str, Any], said: str) -> None:
    ids = llama.batch(TEXTS[:1])["input_ids"]
    with pytest.raises(UsageError, match=said) as raised:
        llama.base.generate(
            ids, custom_generate=proxy_tuned(*llama.pair), max_new_tokens=2, do_sample=False, **settings
        )
    assert raised.value.hint


def test_an_assistant_of_a_callable_is_refused(llama: Models) -> None:
    ids = llama.batch(TEXTS[:1])["input_ids"]
    with pytest.raises(UsageError, match="hands assistant_model"):
        llama.base.generate(
            ids, custom_generate=proxy_tuned(*llama.pair), assistant_model=llama.antiexpert, max_new_tokens=2
        )


def test_a_cache_that_the_pair_has_not_read_is_refused(llama: Models) -> None:
    from transformers import DynamicCache

    cache, ids = DynamicCache(), llama.batch(TEXTS[:1])["input_ids"]
    longer = llama.base.generate(ids, past_key_values=cache, max_new_tokens=2, do_sample=False)
    for model, how in ways(llama):
        with pytest.raises(UsageError, match=r"cache|layers"):
            model.generate(longer, past_key_values=cache, max_new_tokens=2, do_sample=False, **how)


def test_the_composite_refuses_what_it_is_not(llama: Models, tmp_path: Path) -> None:
    composite = llama.composite()
    ids = llama.batch(TEXTS[:1])["input_ids"]
    with pytest.raises(UsageError, match="StaticCache"):
        composite.generate(ids, cache_implementation="static", max_new_tokens=2, do_sample=False)
    with pytest.raises(UsageError, match="not one checkpoint"):
        composite.save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="not trained"):
        composite(ids, labels=ids)


def test_parts_are_left_as_they_were(llama: Models) -> None:
    before = llama.base.config.to_dict()
    composite = llama.composite()
    composite.generate(llama.batch(TEXTS[:1])["input_ids"], max_new_tokens=2, do_sample=False)
    assert llama.base.config.to_dict() == before
    assert composite.device == llama.base.device
    assert composite.generation_config.eos_token_id == llama.base.generation_config.eos_token_id
