"""The engine against three models run one after another, as the paper's own loop does it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import KINDS, STARTER, save_adapter, save_family, save_model

from proxycouncil.specialists import Engine, Family, Generation, Pair, Prompt, Request, Sampling, Snippet
from proxycouncil.specialists.adapters import AdapterRows
from proxycouncil.specialists.checkpoint import open_checkpoint
from proxycouncil.specialists.lane import Lane, Row

SLATE = (
    Snippet("Opportunity cost", "It is the value of the best alternative that is given up."),
    Snippet("Scarcity", "People want more than there is."),
    Snippet("Sunk cost", "It is paid already and can't be recovered."),
)
PROMPTS = tuple(
    Prompt(question, SLATE[: n % 4])
    for n, question in enumerate(("What is scarcity?", "Why?", "Who pays for it?"))
)
SHORT = Sampling(max_new_tokens=8)


@pytest.fixture(scope="module", params=[*KINDS, "starter"])
def paths(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    if request.param == "starter":
        antiexpert = STARTER / "antiexpert"
        law = save_adapter(tmp_path_factory.mktemp("starter") / "law", antiexpert, seed=3)
        general = STARTER / "experts" / "general"
        return {
            "base": STARTER / "base",
            "antiexpert": antiexpert,
            "physics": general,
            "law": law,
            "full": antiexpert,
        }
    return save_family(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def family(paths: dict[str, Path]) -> Family:
    experts = {name: paths[name] for name in ("law", "physics", "full")}
    return Family(paths["base"], paths["antiexpert"], experts=experts).load()


@pytest.fixture(scope="module")
def plain(paths: dict[str, Path]) -> dict[str, Any]:
    """Every part as its own model, adapters by PEFT."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    def load(path: Path) -> Any:
        if not (path / "adapter_config.json").is_file():
            return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
        return PeftModel.from_pretrained(load(paths["antiexpert"]), path).eval()

    return {name: load(path) for name, path in paths.items()}


def _loop(plain: dict[str, Any], prompt: list[int], request: Request) -> tuple[list[int], list[float]]:
    """Greedy proxy-tuning without caches, batches or anything else."""
    ids, logprobs = list(prompt), []
    with torch.inference_mode():
        for _ in range(request.sampling.max_new_tokens):
            text = torch.tensor([ids])
            steered = plain["base"](text).logits[0, -1].float()
            for pair in request.pairs:
                expert, antiexpert = (
                    plain[name](text).logits[0, -1].float() for name in (pair.expert, "antiexpert")
                )
                steered = steered + pair.alpha * (expert - antiexpert)
            ids.append(int(steered.argmax()))
            logprobs.append(float(steered.log_softmax(-1)[ids[-1]]))
            if ids[-1] == 1:
                break
    return ids[len(prompt) :], logprobs


async def _together(family: Family, requests: list[Request]) -> list[Generation]:
    async with Engine(family) as engine:
        return list(await asyncio.gather(*(engine.complete(request) for request in requests)))


REQUESTS = [
    Request(PROMPTS[0], sampling=SHORT),
    Request(PROMPTS[1], (Pair("law"),), SHORT),
    Request(PROMPTS[2], (Pair("physics", 0.5),), SHORT),
    Request(PROMPTS[0], (Pair("full", 1.5),), SHORT),
    Request(PROMPTS[2], (Pair("law", 0.7), Pair("physics", -0.4), Pair("full", 0.3)), SHORT),
    Request(PROMPTS[1], (Pair("law", 0.0),), SHORT),
]


async def test_engine_is_the_three_model_loop(family: Family, plain: dict[str, Any]) -> None:
    generations = await _together(family, REQUESTS)
    for request, generation in zip(REQUESTS, generations, strict=True):
        tokens, logprobs = _loop(plain, family.part("base").format.encode(request.prompt), request)
        assert list(generation.token_ids) == tokens
        assert generation.logprobs == pytest.approx(logprobs, abs=2e-3)


async def test_together_is_alone(family: Family) -> None:
    drawn = Sampling(temperature=0.8, top_p=0.9, repetition_penalty=1.1, max_new_tokens=8)
    seeded = [replace(request, sampling=replace(drawn, seed=n)) for n, request in enumerate(REQUESTS)]
    requests = [*REQUESTS, *(replace(request, id=f"drawn{n}") for n, request in enumerate(seeded))]
    together = await _together(family, requests)
    for request, generation in zip(requests, together, strict=True):
        (alone,) = await _together(family, [request])
        assert alone.token_ids == generation.token_ids
        assert alone.logprobs == pytest.approx(generation.logprobs, abs=2e-3)
        assert alone.trace.kl == pytest.approx(generation.trace.kl, abs=2e-3)


async def test_a_pair_of_equals_is_the_base(family: Family, paths: dict[str, Path]) -> None:
    twins = Family(paths["base"], paths["antiexpert"], experts={"twin": paths["antiexpert"]})
    steered, base = await _together(
        twins, [replace(REQUESTS[0], pairs=(Pair("twin", 2.0),), id="x"), REQUESTS[0]]
    )
    assert steered.token_ids == base.token_ids
    assert max(steered.trace.kl) < 1e-6
    assert base.trace.kl == (0.0,) * len(base.token_ids)


async def test_solo_is_the_small_model_alone(family: Family, plain: dict[str, Any]) -> None:
    names = ("law", "full", "antiexpert")
    generations = await _together(family, [Request(PROMPTS[0], sampling=SHORT, solo=name) for name in names])
    for name, generation in zip(names, generations, strict=True):
        alone = {"base": plain[name]}
        tokens, _ = _loop(alone, family.part(name).format.encode(PROMPTS[0]), replace(REQUESTS[0]))
        assert list(generation.token_ids) == tokens


@pytest.mark.parametrize("kind", KINDS)
def test_cached_rows_are_whole_reads(kind: str, tmp_path: Path) -> None:
    """Rows of several lengths, joining and leaving between steps, against one read of each whole text."""
    model = Family(save_model(tmp_path, kind)).part("base").model
    random = torch.Generator().manual_seed(7)

    def draw(length: int) -> list[int]:
        return torch.randint(5, 8000, (length,), generator=random).tolist()

    def whole(ids: list[int]) -> torch.Tensor:
        logits: torch.Tensor = model.module(torch.tensor([ids])).logits[0, -1]
        return logits

    lane = Lane(model)
    texts: dict[int, list[int]] = {}

    def admit(*lengths: int) -> None:
        new = [draw(length) for length in lengths]
        rows = [Row(tuple(ids), "") for ids in new]
        for row, ids, logits in zip(rows, new, lane.admit(rows), strict=True):
            texts[id(row)] = ids
            assert torch.allclose(logits, whole(ids), atol=1e-4)

    def advance(steps: int) -> None:
        for _ in range(steps):
            tokens = draw(len(lane.rows))
            for row, token in zip(lane.rows, tokens, strict=True):
                texts[id(row)].append(token)
            said = lane.advance(torch.tensor(tokens).unsqueeze(1))
            for row, logits in zip(lane.rows, said[:, 0], strict=True):
                assert torch.allclose(logits, whole(texts[id(row)]), atol=1e-4)

    with torch.inference_mode():
        admit(5, 23, 11)
        advance(4)
        admit(30)
        advance(3)
        lane.keep([lane.rows[0], lane.rows[2]])
        advance(3)
        admit(3, 17)
        advance(9)
        lane.keep([])
        admit(4)
        advance(2)


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_taken_back_leave_no_trace(kind: str, tmp_path: Path) -> None:
    """Several tokens are read at once and some of them taken back, row by row, against whole reads."""
    model = Family(save_model(tmp_path, kind)).part("base").model
    generator = torch.Generator().manual_seed(0)

    def draw(length: int) -> list[int]:
        return torch.randint(5, 8192, (length,), generator=generator).tolist()

    def whole(ids: list[int]) -> torch.Tensor:
        return model.module(input_ids=torch.tensor([ids])).logits[0, -1].float()

    lane = Lane(model)
    texts = [draw(length) for length in (5, 23, 11)]
    with torch.inference_mode():
        lane.admit([Row(tuple(ids), "") for ids in texts])
        texts = [list(row.ids) for row in lane.rows]
        for width, wrong in (
            (4, (0, 3, 1)),
            (3, (2, 2, 2)),
            (12, (12, 0, 5)),
            (1, (0, 0, 0)),
            (2, (0, 1, 2)),
        ):
            ahead = [draw(width) for _ in texts]
            said = lane.advance(torch.tensor(ahead))
            for ids, tokens, logits in zip(texts, ahead, said, strict=True):
                for place in range(width):
                    assert torch.allclose(logits[place], whole(ids + tokens[: place + 1]), atol=1e-4)
            lane.retract(wrong)
            texts = [ids + tokens[: width - n] for ids, tokens, n in zip(texts, ahead, wrong, strict=True)]


def test_a_prompt_is_read_once_per_model(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    model = family.part("antiexpert").model
    adapter = family.part("law").adapter
    read: list[int] = []
    forward: Callable[..., torch.Tensor] = model.forward

    def counting(ids: torch.Tensor, **rest: Any) -> torch.Tensor:
        read.append(len(ids))
        return forward(ids, **rest)

    monkeypatch.setattr(model, "forward", counting)
    lane = Lane(model)
    with torch.inference_mode():
        first = lane.admit([Row((5, 6, 7), ""), Row((5, 6, 7), ""), Row((5, 6, 7), adapter)])
        assert read == [2]
        lane.advance(torch.tensor([[9], [10], [11]]))
        again = lane.admit([Row((5, 6, 7), adapter), Row((5, 6, 7), "")])
    assert read == [2, 3]
    assert torch.equal(again, first[[2, 0]])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_rslora": True},
        {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"o_proj": 3}},
        {"target_modules": "all-linear"},
        {"target_modules": ["v_proj"], "layers_to_transform": [1]},
    ],
)
def test_adapter_rows_are_pefts_rows(tmp_path: Path, settings: dict[str, Any]) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    over = save_model(tmp_path / "small")
    one = save_adapter(tmp_path / "one", over, seed=1, **settings)
    two = save_adapter(tmp_path / "two", over, seed=2, r=6)
    reference = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(over), one, "one").eval()
    reference.load_adapter(two, "two")
    ours = AutoModelForCausalLM.from_pretrained(over).eval()
    rows = AdapterRows(ours)
    rows.add("one", open_checkpoint(one))
    rows.add("two", open_checkpoint(two))
    ids = torch.arange(40).reshape(5, 8) + 7
    with torch.inference_mode():
        rows.select(["one", "", "two", "one", ""])
        mixed = ours(ids).logits
        expected = reference(ids, adapter_names=["one", "__base__", "two", "one", "__base__"]).logits
        assert torch.allclose(mixed, expected, atol=1e-4)
        rows.select([""] * 5)
        assert torch.equal(ours(ids).logits[1], mixed[1])


@pytest.mark.parametrize("bounds", [(30.0, None), (None, 20.0), (30.0, 20.0)])
async def test_soft_caps_that_differ_are_undone(
    tmp_path: Path, bounds: tuple[float | None, float | None]
) -> None:
    base_cap, small_cap = bounds
    base = save_model(tmp_path / "base", "gemma2", final_logit_softcapping=base_cap)
    small = save_model(tmp_path / "small", "gemma2", seed=2, final_logit_softcapping=small_cap)
    expert = save_model(tmp_path / "expert", "gemma2", seed=3, final_logit_softcapping=small_cap)
    family = Family(base, small, experts={"e": expert}).load()
    ids = family.part("base").format.encode(PROMPTS[0])

    def free(name: str) -> torch.Tensor:
        module: Any = family.part(name).model.module
        hidden = module.model(torch.tensor([ids])).last_hidden_state[0, -1]
        logits: torch.Tensor = module.lm_head(hidden)
        return logits

    with torch.inference_mode():
        steered = free("base") + 0.5 * (free("e") - free("antiexpert"))
        if base_cap is not None:
            steered = base_cap * torch.tanh(steered / base_cap)
        logprobs = steered.log_softmax(-1)
    one = Sampling(max_new_tokens=1)
    generation, base_alone = await _together(
        family, [Request(PROMPTS[0], (Pair("e", 0.5),), one), Request(PROMPTS[0], sampling=one)]
    )
    assert generation.token_ids[0] == int(logprobs.argmax())
    assert generation.logprobs[0] == pytest.approx(float(logprobs.max()), abs=1e-2)
    assert base_alone.trace.kl == (0.0,)


async def test_padded_heads_are_cut(tmp_path: Path) -> None:
    base = save_model(tmp_path / "base", vocab_size=8192 + 64)
    small = save_model(tmp_path / "small", seed=2, vocab_size=8192 + 128)
    expert = save_model(tmp_path / "expert", seed=3, vocab_size=8192)
    family = Family(base, small, experts={"e": expert}).load()
    assert family.width == 8192
    (generation,) = await _together(family, [Request(PROMPTS[0], (Pair("e"),), SHORT)])
    plain = {
        name: family.part(part).model.module
        for name, part in (("base", "base"), ("e", "e"), ("antiexpert",) * 2)
    }

    class Cut:
        def __init__(self, module: Any) -> None:
            self.module = module

        def __call__(self, ids: torch.Tensor) -> Any:
            output = self.module(ids)
            output.logits = output.logits[..., :8192]
            return output

    cut = {name: Cut(module) for name, module in plain.items()}
    tokens, _ = _loop(cut, family.part("base").format.encode(PROMPTS[0]), Request("", (Pair("e"),), SHORT))
    assert list(generation.token_ids) == tokens
