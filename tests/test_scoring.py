"""Given texts scored by the engine, against three models run one after another on the whole text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fakes import FakeSearcher
from tiny import save_family
from trios import load_one

from proxycouncil.council.assembly import Opening, OpeningEngine
from proxycouncil.errors import (
    EngineClosedError,
    EngineError,
    FamilyError,
    NotSupportedError,
    PromptTooLongError,
)
from proxycouncil.graphs.context import CouncilContext, Member, Settings
from proxycouncil.graphs.council_graph import create_council_graph
from proxycouncil.graphs.protocols import Scorer
from proxycouncil.specialists import (
    Engine,
    Family,
    Likelihood,
    Pair,
    Prompt,
    RemoteBase,
    Request,
    Sampling,
    Server,
    Snippet,
    scoring,
)

SLATE = (
    Snippet("Opportunity cost", "It is the value of the best alternative that is given up."),
    Snippet("Scarcity", "People want more than there is."),
)
ASKED, WHY = Prompt("What is scarcity?", SLATE), Prompt("Why?")
ANSWERS = ("People want more than there is.", "Nothing.", "the value of the best alternative")
REQUESTS = [
    Request(ASKED),
    Request(ASKED, (Pair("law"),)),
    Request(WHY, (Pair("physics", 0.5),)),
    Request(ASKED, (Pair("law", 0.7), Pair("physics", -0.4), Pair("full", 0.3))),
    Request("The value of", (Pair("full", 1.5),)),
]
TEXTS = [ANSWERS, ANSWERS[:2], ANSWERS[1:], ANSWERS, (" it", " the best alternative")]


@pytest.fixture(scope="module", params=["llama", "gemma2"])
def paths(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return save_family(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def family(paths: dict[str, Path]) -> Family:
    return Family(
        paths["base"],
        paths["antiexpert"],
        experts={name: paths[name] for name in ("law", "physics", "full")},
    ).load()


def by_loop(models: dict[str, Any], prompt: list[int], request: Request, ids: Sequence[int]) -> list[float]:
    """The formula at every place of one text, without caches, batches or padding."""
    text = torch.tensor([[*prompt, *ids]])
    with torch.inference_mode():
        said = {name: model(text).logits[0].float() for name, model in models.items()}
    steered = said["base"]
    for pair in request.pairs:
        steered = steered + pair.alpha * (said[pair.expert] - said["antiexpert"])
    logprobs = steered.log_softmax(-1)
    return [float(logprobs[len(prompt) - 1 + at, token]) for at, token in enumerate(ids)]


async def score(family: Family, *asked: Any) -> list[list[Likelihood]]:
    async with Engine(family) as engine:
        return await engine.score(*asked)


async def test_a_score_is_the_three_model_loop(family: Family, paths: dict[str, Path]) -> None:
    models = {name: load_one(paths, name) for name in paths}
    found = await score(family, REQUESTS, TEXTS)
    form = family.part("base").format
    for request, texts, likelihoods in zip(REQUESTS, TEXTS, found, strict=True):
        for text, likelihood in zip(texts, likelihoods, strict=True):
            asked = isinstance(request.prompt, Prompt)
            ids = form.target_ids(text) if asked else form.encoder.data(text)
            assert list(likelihood.token_ids) == ids
            plain = by_loop(models, form.encode(request.prompt), request, ids)
            assert likelihood.logprobs == pytest.approx(plain, abs=2e-3)
            assert likelihood.mean_logprob == pytest.approx(sum(plain) / len(plain), abs=2e-3)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Family:
    paths = save_family(tmp_path_factory.mktemp("scored"), "llama")
    experts = {name: paths[name] for name in ("law", "physics", "full")}
    return Family(paths["base"], paths["antiexpert"], experts=experts).load()


async def test_together_is_alone_and_beside_what_is_being_written(llama: Family) -> None:
    short = [replace(request, sampling=Sampling(max_new_tokens=6)) for request in REQUESTS[1:3]]
    async with Engine(llama) as engine:
        written = asyncio.gather(*(engine.complete(request) for request in short))
        together = await engine.score(REQUESTS, TEXTS)
        alone = [(await engine.score([REQUESTS[at]], [[TEXTS[at][0]]]))[0][0] for at in (1, 3)]
        beside = await written
    for at, one in zip((1, 3), alone, strict=True):
        assert together[at][0].logprobs == pytest.approx(one.logprobs, abs=2e-3)
    assert [one.token_ids for one in beside] == [one.token_ids for one in await _written(llama, short)]


async def _written(family: Family, requests: Sequence[Request]) -> list[Any]:
    async with Engine(family) as engine:
        return [await engine.complete(request) for request in requests]


async def test_what_was_written_scores_as_it_was_written(llama: Family) -> None:
    request = Request("The value of", (Pair("law"),), Sampling(max_new_tokens=6))
    (generation,) = await _written(llama, [request])
    ((likelihood,),) = await score(llama, [request], [[generation.text]])
    if likelihood.token_ids == generation.token_ids:  # a random model may write what is spelled otherwise
        assert likelihood.logprobs == pytest.approx(generation.logprobs, abs=2e-3)
    assert likelihood.total == pytest.approx(sum(likelihood.logprobs))


async def test_a_shared_prompt_is_read_once_in_every_model(llama: Family, monkeypatch: Any) -> None:
    read: list[int] = []
    plainly = scoring.Lane._read
    monkeypatch.setattr(
        scoring.Lane, "_read", lambda lane, rows: (read.append(len(rows)), plainly(lane, rows))[1]
    )
    await score(llama, [REQUESTS[1], Request(ASKED, (Pair("physics"),))], [ANSWERS, ANSWERS])
    # Once by the base; by the small model once as anti-expert and once as each of the two experts.
    assert sorted(read) == [1, 3]


async def test_chunks_and_long_prompts_change_nothing(llama: Family, monkeypatch: Any) -> None:
    whole = await score(llama, REQUESTS, TEXTS)
    monkeypatch.setattr(scoring, "LOGIT_BYTES", 1)
    monkeypatch.setattr(scoring, "PIECE", 7)
    pieces = await score(llama, REQUESTS, TEXTS)
    for many, single in zip(whole, pieces, strict=True):
        for one, other in zip(many, single, strict=True):
            assert one.logprobs == pytest.approx(other.logprobs, abs=2e-3)


async def test_memory_that_runs_out_halves_what_is_read(llama: Family, monkeypatch: Any) -> None:
    sizes: list[int] = []

    def scarce(family: Family, scored: Sequence[Any]) -> list[Likelihood]:
        sizes.append(len(scored))
        if len(scored) > 1:
            raise torch.OutOfMemoryError("too much")
        return scoring.likelihoods(family, scored)

    monkeypatch.setattr("proxycouncil.specialists.engine.likelihoods", scarce)
    ((first, second),) = await score(llama, REQUESTS[:1], [ANSWERS[:2]])
    assert sizes == [2, 1, 1]
    assert len(first.token_ids) > len(second.token_ids)


async def test_nothing_to_score_is_nothing(llama: Family) -> None:
    assert await score(llama, [], []) == []
    assert await score(llama, REQUESTS[:2], [[], []]) == [[], []]


@pytest.mark.parametrize(
    ("request_", "texts", "error"),
    [
        (Request(ASKED), [" "], EngineError),
        (Request(ASKED, (Pair("nobody"),)), ["a"], FamilyError),
        (Request(ASKED), ["word " * 300], PromptTooLongError),
        (Request(ASKED, plausibility=2.0), ["a"], EngineError),
    ],
)
async def test_what_can_not_be_scored_is_refused_and_the_engine_lives(
    llama: Family, request_: Request, texts: list[str], error: type[Exception]
) -> None:
    async with Engine(llama) as engine:
        with pytest.raises(error):
            await engine.score([request_], [texts])
        with pytest.raises(EngineError, match="requests"):
            await engine.score([request_], [])
        assert len((await engine.score(REQUESTS[:1], [ANSWERS]))[0]) == 3


async def test_a_closed_engine_scores_nothing(llama: Family) -> None:
    engine = Engine(llama)
    engine.close()
    with pytest.raises(EngineClosedError):
        await engine.score(REQUESTS[:1], [ANSWERS])


async def test_a_council_on_an_engine_votes_by_what_its_readings_would_have_said(llama: Family) -> None:
    members = {name: Member(name, (Pair(name),), None) for name in ("law", "physics", "full")}
    settings = Settings(ballots=1, max_new_tokens=5, cross_scoring=True, signals=("p_true",), excerpts=2)
    async with Engine(llama) as engine:
        context = CouncilContext(engine, FakeSearcher(), members, settings)
        given = {"question": "What is opportunity cost?", "members": list(members)}
        found = await create_council_graph().compile().ainvoke(given, context=context)
    count = found["tally"]
    assert count["voted_by"] == "cross_scores"
    answers = {one["text"] for one in found["ballots"] if one["status"] == "answered"}
    assert len(count["cross_scores"]) == len(count["answered"]) + len(count["abstained"])
    for one in count["cross_scores"]:
        assert set(one["logprobs"]) == set(one["p_true"]) == answers
        assert all(logprob < 0 for logprob in one["logprobs"].values())
    heaviest = max(count["groups"], key=lambda group: group["weight"])
    assert found["tally"]["groups"][0]["text"] == heaviest["text"]


async def test_a_base_behind_a_server_says_that_it_can_not_score(llama: Family) -> None:
    remote = RemoteBase(llama, Server("http://localhost:1", "llama.cpp", "none"))
    opening = Opening[Engine | RemoteBase](lambda: remote, name="remote")
    with pytest.raises(NotSupportedError, match="server"):
        await OpeningEngine(opening).score(REQUESTS[:1], [ANSWERS])
    assert not isinstance(remote, Scorer)
    remote.close()
