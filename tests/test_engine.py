"""The engine's service: streams, ends, cancelling, deadlines, seeds, failures, closing."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import save_family

from proxycouncil.errors import EngineClosedError, EngineError, FamilyError, PromptTooLongError
from proxycouncil.specialists import Engine, Family, Generation, Pair, Prompt, Request, Sampling, TextDelta
from proxycouncil.specialists.request import Event

LONG = Sampling(max_new_tokens=200)
STEERED = (Pair("law"),)


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    """Random models; id 1, their end, is all but never written."""
    paths = save_family(tmp_path_factory.mktemp("family"))
    return Family(
        paths["base"], paths["antiexpert"], experts={"law": paths["law"], "full": paths["full"]}
    ).load()


@pytest.fixture
async def engine(family: Family) -> AsyncIterator[Engine]:
    async with Engine(family) as engine:
        yield engine


def _ask(question: str = "why", sampling: Sampling = LONG, **settings: Any) -> Request:
    return Request(Prompt(question), STEERED, sampling, **settings)


async def _events(engine: Engine, request: Request) -> list[Event]:
    async with aclosing(engine.generate(request)) as events:
        return [event async for event in events]


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "proxycouncil-engine"]


async def test_deltas_add_up_to_the_text(engine: Engine) -> None:
    *deltas, last = await _events(engine, _ask(sampling=Sampling(max_new_tokens=40)))
    assert isinstance(last, Generation)
    assert "".join(event.text for event in deltas if isinstance(event, TextDelta)) == last.text
    assert all(isinstance(event, TextDelta) and event.text for event in deltas)
    assert last.finish_reason == "length"
    assert len(last.token_ids) == len(last.logprobs) == len(last.trace.kl) == len(last.trace.base_top) == 40
    assert max(last.trace.kl) > 0
    assert last.prompt_tokens > 0
    assert min(last.timings.queued_s, last.timings.prefill_s, last.timings.decode_s) >= 0
    assert last.error is None


async def test_cancelling_hands_back_what_was_written(engine: Engine) -> None:
    request = _ask()
    written, last = "", None
    async for event in engine.generate(request):
        if isinstance(event, Generation):
            last = event
        else:
            written += event.text
            engine.cancel(request.id)
    assert last is not None
    assert last.finish_reason == "cancelled"
    assert last.text == written
    assert 0 < len(last.token_ids) < 200


async def test_cancelling_a_waiting_request(family: Family) -> None:
    async with Engine(family, max_rows=1) as engine:
        first = asyncio.create_task(engine.complete(_ask(sampling=Sampling(max_new_tokens=40))))
        waiting = _ask()
        second = asyncio.create_task(engine.complete(waiting))
        await asyncio.sleep(0.05)
        engine.cancel(waiting.id)
        engine.cancel("nobody")
        ended = await second
        assert (ended.finish_reason, ended.text, ended.token_ids) == ("cancelled", "", ())
        assert (await first).finish_reason == "length"


async def test_deadline(family: Family) -> None:
    ticks = iter(float(n) for n in range(10_000))
    async with Engine(family, clock=lambda: next(ticks)) as engine:
        late = await engine.complete(_ask(deadline_s=12))
        assert late.finish_reason == "deadline"
        assert 0 < len(late.token_ids) < 20
        never = await engine.complete(_ask(deadline_s=0))
        assert (never.finish_reason, never.text) == ("deadline", "")


async def test_a_consumer_that_goes_away_frees_its_rows(family: Family) -> None:
    async with Engine(family, max_rows=1) as engine:
        async with aclosing(engine.generate(_ask())) as events:
            async for _ in events:
                break
        task = asyncio.create_task(engine.complete(_ask()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        short = await engine.complete(_ask(sampling=Sampling(max_new_tokens=3)))
        assert short.finish_reason == "length"
        assert engine.rows == 0


async def test_joining_and_leaving_changes_no_text(engine: Engine) -> None:
    alone = await engine.complete(_ask("first", Sampling(max_new_tokens=60)))
    joined = asyncio.create_task(engine.complete(_ask("first", Sampling(max_new_tokens=60))))
    for n in range(6):
        others = [_ask(f"another {n} {m}" * m, Sampling(max_new_tokens=3 + m)) for m in range(1, 4)]
        await asyncio.gather(*(engine.complete(request) for request in others))
    assert (await joined).token_ids == alone.token_ids


async def test_a_seed_gives_the_same_text_in_any_company(engine: Engine) -> None:
    drawn = Sampling(temperature=1.0, max_new_tokens=30, seed=11)
    alone = await engine.complete(_ask("why", drawn))
    crowd = [_ask(f"who {n}", replace(drawn, seed=n)) for n in range(5)]
    same, *_ = await asyncio.gather(engine.complete(_ask("why", drawn)), *map(engine.complete, crowd))
    assert same.token_ids == alone.token_ids
    other = await engine.complete(_ask("why", replace(drawn, seed=12)))
    assert other.token_ids != alone.token_ids


async def test_several_ends_of_text(family: Family, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    free = await engine.complete(_ask(sampling=Sampling(max_new_tokens=12)))
    end = free.token_ids[5]
    monkeypatch.setattr(family.part("base").model, "end_ids", frozenset({1, end}))
    ended = await engine.complete(_ask(sampling=Sampling(max_new_tokens=12)))
    assert ended.finish_reason == "stop"
    assert ended.token_ids == free.token_ids[: free.token_ids.index(end) + 1]
    assert len(ended.text) < len(free.text)


async def test_stop_strings_are_not_part_of_the_text(engine: Engine) -> None:
    free = await engine.complete(_ask(sampling=Sampling(max_new_tokens=30)))
    stop = free.text[20:26]
    events = await _events(engine, _ask(sampling=Sampling(max_new_tokens=30, stop=(stop, "never written"))))
    last = events[-1]
    assert isinstance(last, Generation)
    assert last.finish_reason == "stop"
    assert last.text == free.text[: free.text.index(stop)]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == last.text


async def test_a_prompt_that_does_not_fit(engine: Engine) -> None:
    with pytest.raises(PromptTooLongError, match="reads at most 255") as error:
        await engine.complete(_ask("very " * 300 + "long"))
    assert "passages" in error.value.hint


async def test_the_context_bounds_the_text(engine: Engine) -> None:
    generation = await engine.complete(_ask("very " * 100, Sampling(max_new_tokens=500)))
    assert generation.finish_reason == "length"
    assert generation.prompt_tokens + len(generation.token_ids) == 256


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (Request("", ()), EngineError, "empty"),
        (Request("x", (Pair("nobody"),)), FamilyError, "no expert 'nobody'"),
        (Request("x", (Pair("nobody", 0.0),)), FamilyError, "no expert 'nobody'"),
        (Request("x", solo="nobody"), FamilyError, "no expert 'nobody'"),
        (Request("x", STEERED, solo="law"), EngineError, "solo"),
        (Request("x", sampling=Sampling(max_new_tokens=0)), EngineError, "max_new_tokens"),
        (Request("x", sampling=Sampling(temperature=-1.0)), EngineError, "temperature"),
        (Request("x", sampling=Sampling(top_p=0.0)), EngineError, "top_p"),
        (Request("x", plausibility=2.0), EngineError, "plausibility"),
    ],
)
async def test_requests_that_can_never_run(
    engine: Engine, request_: Request, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        await engine.complete(request_)


async def test_an_id_twice_in_flight(engine: Engine) -> None:
    request = _ask()
    async with aclosing(engine.generate(request)) as events:
        await anext(events)
        with pytest.raises(EngineError, match="in flight already"):
            await engine.complete(request)


async def test_a_fault_in_one_request_is_its_own(
    family: Family, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = family.part("base").format.encode

    def failing(prompt: Prompt | str) -> list[int]:
        if isinstance(prompt, Prompt) and prompt.question == "bad":
            raise RuntimeError("no such luck")
        return encode(prompt)

    monkeypatch.setattr(family.part("base").format, "encode", failing)
    good, bad = await asyncio.gather(
        engine.complete(_ask("good", Sampling(max_new_tokens=5))), engine.complete(_ask("bad"))
    )
    assert (bad.finish_reason, bad.error) == ("error", "RuntimeError: no such luck")
    assert good.finish_reason == "length"


async def test_a_fault_in_a_step_ends_what_is_in_flight_and_no_more(
    family: Family, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = family.part("base").model
    forward, calls = model.forward, Counter[str]()

    def failing(ids: torch.Tensor, **rest: Any) -> torch.Tensor:
        calls["forward"] += 1
        if calls["forward"] == 4:
            raise RuntimeError("out of memory")
        return forward(ids, **rest)

    monkeypatch.setattr(model, "forward", failing)
    broken = await engine.complete(_ask())
    assert broken.finish_reason == "error"
    assert broken.error == "RuntimeError: out of memory"
    assert len(broken.token_ids) == 3
    assert broken.text
    assert (await engine.complete(_ask(sampling=Sampling(max_new_tokens=4)))).finish_reason == "length"


async def test_closing_ends_streams_and_leaves_no_thread(family: Family) -> None:
    engine = Engine(family)
    task = asyncio.create_task(engine.complete(_ask()))
    await asyncio.sleep(0.05)
    assert len(_threads()) == 1
    await engine.aclose()
    assert not _threads()
    with pytest.raises(EngineClosedError):
        await task
    with pytest.raises(EngineClosedError):
        await engine.complete(_ask())
    engine.close()


async def test_closing_at_once_leaves_nobody_waiting(family: Family) -> None:
    engine = Engine(family)
    tasks = [asyncio.create_task(engine.complete(_ask())) for _ in range(20)]
    await asyncio.sleep(0)
    engine.close()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, EngineClosedError) for outcome in outcomes)


def test_an_engine_serves_several_event_loops(family: Family) -> None:
    short = Sampling(max_new_tokens=8)
    texts: list[str] = []

    def serve() -> None:
        texts.append(asyncio.run(engine.complete(_ask("why", short))).text)

    with Engine(family) as engine:
        serve()
        threads = [threading.Thread(target=serve) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(texts)) == 1
    assert len(texts) == 4
    assert not _threads()


def test_a_forgotten_engine_ends_its_thread(family: Family) -> None:
    engine = Engine(family)
    asyncio.run(engine.complete(_ask(sampling=Sampling(max_new_tokens=2))))
    assert len(_threads()) == 1
    del engine
    assert not _threads()


async def test_plausibility_and_no_pair(engine: Engine) -> None:
    sure = await engine.complete(_ask(sampling=Sampling(max_new_tokens=10), plausibility=1.0))
    base = await engine.complete(Request(Prompt("why"), sampling=Sampling(max_new_tokens=10)))
    assert sure.token_ids == base.token_ids


def test_public_names_are_lazy(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, proxycouncil.specialists as s; s.Engine, s.Family, s.Request, s.steer;"
        "print([m for m in ('torch', 'transformers', 'peft', 'tokenizers') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]"
