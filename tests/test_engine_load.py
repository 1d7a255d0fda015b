"""The engine under load: long prompts in pieces, memory that is bounded or runs out, rows that break."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import save_family

from proxycouncil.errors import EngineError
from proxycouncil.specialists import Engine, Family, Generation, Pair, Prompt, Request, Sampling, Snippet
from proxycouncil.specialists import reading as reading_module
from proxycouncil.specialists.job import Job
from proxycouncil.specialists.model import Model
from proxycouncil.specialists.scheduler import Scheduler

STEERED = (Pair("law"),)
SOME = Sampling(max_new_tokens=20)


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    paths = save_family(tmp_path_factory.mktemp("family"))
    return Family(paths["base"], paths["antiexpert"], experts={"law": paths["law"]}).load()


def asked(number: int, sampling: Sampling = SOME, *, words: int = 1) -> Request:
    question = f"why {number} " + "and so on " * words
    return Request(Prompt(question), STEERED, replace(sampling, seed=number), id=str(number))


async def complete(family: Family, requests: list[Request], **settings: Any) -> list[Generation]:
    async with Engine(family, **settings) as engine:
        return list(await asyncio.gather(*map(engine.complete, requests)))


def essence(generations: list[Generation]) -> list[tuple[object, ...]]:
    return [(one.token_ids, one.text, one.finish_reason) for one in generations]


@pytest.mark.parametrize("drafts", [0, 3])
async def test_a_prompt_read_in_pieces_is_read_whole(
    family: Family, monkeypatch: pytest.MonkeyPatch, drafts: int
) -> None:
    requests = [asked(0), asked(1, words=14), asked(2), asked(3, words=14), asked(1, words=14)]
    requests[-1] = replace(requests[-1], id="again")
    whole = await complete(family, requests, drafts=drafts)
    monkeypatch.setattr(reading_module, "PIECE", 7)
    monkeypatch.setattr("proxycouncil.specialists.job.PIECE", 7)
    assert essence(await complete(family, requests, drafts=drafts)) == essence(whole)


async def test_others_go_on_while_a_long_prompt_is_read(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "PIECE", 8)
    monkeypatch.setattr("proxycouncil.specialists.job.PIECE", 8)
    widths: list[int] = []
    model = family.part("base").model
    forward: Callable[..., torch.Tensor] = model.forward

    def watching(ids: torch.Tensor, **rest: Any) -> torch.Tensor:
        widths.append(ids.shape[1])
        return forward(ids, **rest)

    monkeypatch.setattr(model, "forward", watching)
    short = Request("why", STEERED, Sampling(max_new_tokens=60))
    async with Engine(family, drafts=0) as engine:
        running = engine.generate(short)
        await anext(running)
        long = asyncio.create_task(engine.complete(asked(1, words=20)))
        async for _ in running:
            pass
        await long
    pieces = [at for at, width in enumerate(widths) if width == 8]
    assert len(pieces) > 3
    assert all(widths[at + 1] == 1 for at in pieces[:-1])  # a token for the others behind every piece


async def test_a_long_prompt_can_be_cancelled_while_it_is_read(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "PIECE", 2)
    monkeypatch.setattr("proxycouncil.specialists.job.PIECE", 2)
    async with Engine(family) as engine:
        long = asyncio.create_task(engine.complete(asked(1, words=40)))
        await asyncio.sleep(0.02)
        engine.cancel("1")
        assert (await long).finish_reason == "cancelled"
        assert (await engine.complete(asked(2))).finish_reason == "length"


async def test_what_does_not_fit_into_memory_waits(family: Family) -> None:
    requests = [asked(number) for number in range(4)]
    free = await complete(family, requests)
    jobs = [Job(request, lambda _: None, 0.0) for request in requests]
    for job in jobs:
        job.prepare(family)
    one = max(job.cache_bytes for job in jobs)
    assert one > 0
    scheduler = Scheduler(8, memory=2 * one)
    for job in jobs:
        scheduler.add(job)
    assert len(scheduler.admit()) == 2
    assert scheduler.admit() == []
    assert essence(await complete(family, requests, memory=2 * one)) == essence(free)
    with pytest.raises(EngineError, match="MB of cache"):
        await complete(family, requests[:1], memory=one // 2)


def out_of_memory_above(rows: int, model: Model, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the model's forward fail for more rows than that; returns how many rows were tried."""
    tried: list[int] = []
    forward: Callable[..., torch.Tensor] = model.forward

    def scarce(ids: torch.Tensor, **rest: Any) -> torch.Tensor:
        tried.append(len(ids))
        if len(ids) > rows:
            raise torch.OutOfMemoryError("no more memory")
        return forward(ids, **rest)

    monkeypatch.setattr(model, "forward", scarce)
    return tried


@pytest.mark.parametrize("drafts", [0, 3])
async def test_out_of_memory_makes_fewer_rows_and_goes_on(
    family: Family, monkeypatch: pytest.MonkeyPatch, drafts: int
) -> None:
    requests = [asked(number, replace(SOME, temperature=0.9)) for number in range(7)]
    free = await complete(family, requests, drafts=drafts)
    tried = out_of_memory_above(3, family.part("base").model, monkeypatch)
    assert essence(await complete(family, requests, drafts=drafts)) == essence(free)
    assert max(tried) > 3


async def test_one_row_that_has_no_memory_ends_with_the_cause(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    out_of_memory_above(0, family.part("base").model, monkeypatch)
    (generation,) = await complete(family, [asked(1)])
    assert generation.finish_reason == "error"
    assert "no more memory" in str(generation.error)


async def test_a_row_without_numbers_fails_alone(family: Family, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [asked(number) for number in range(4)]
    free = await complete(family, requests)
    model = family.part("base").model
    forward: Callable[..., torch.Tensor] = model.forward

    def broken(ids: torch.Tensor, **rest: Any) -> torch.Tensor:
        logits = forward(ids, **rest)
        if len(ids) == 4 and ids.shape[1] < 10:
            logits[2] = float("nan")
        return logits

    monkeypatch.setattr(model, "forward", broken)
    found = await complete(family, requests)
    assert found[2].finish_reason == "error"
    assert "NaN" in str(found[2].error)
    kept = [0, 1, 3]
    assert essence([found[at] for at in kept]) == essence([free[at] for at in kept])


async def soak(family: Family, *, requests: int, seed: int) -> None:
    """Requests that end in every way there is, at random; afterwards nothing is left of them."""
    draw = random.Random(seed)

    async def one(engine: Engine, number: int) -> None:
        await asyncio.sleep(draw.random() * 0.3)
        sampling = Sampling(
            max_new_tokens=draw.randint(1, 30), temperature=draw.choice((0.0, 0.9)), seed=number
        )
        slate = (Snippet("Why", "Because of this and that. " * draw.randint(1, 4)),) * draw.randint(0, 2)
        request = Request(
            Prompt(f"why {number}", slate),
            draw.choice((STEERED, ())),
            sampling,
            deadline_s=draw.choice((None, None, 0.05)),
            id=str(number),
        )
        way = draw.random()
        if way < 0.2:
            stream = engine.generate(request)
            await anext(stream, None)
            await stream.aclose()
        elif way < 0.4:
            task = asyncio.create_task(engine.complete(request))
            await asyncio.sleep(draw.random() * 0.05)
            engine.cancel(request.id)
            assert (await task).finish_reason in {"cancelled", "length", "deadline", "stop"}
        else:
            assert (await engine.complete(request)).finish_reason in {"length", "deadline", "stop"}

    async with Engine(family, max_rows=6) as engine:
        await asyncio.gather(*(one(engine, number) for number in range(requests)))
        after = await engine.complete(asked(10_000))
        assert after.finish_reason == "length"
    gc.collect()
    left = [found for found in gc.get_objects() if type(found) is Job]
    assert left == []


async def test_after_a_short_soak_nothing_is_left(family: Family) -> None:
    await soak(family, requests=60, seed=1)
