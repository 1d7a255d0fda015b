"""A base behind a server: the local engine's text, certificates, retries, refusals, going on without it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from completions import MODEL, Manners, Model, serving
from tiny import VOCABULARY, save_family

from proxycouncil.errors import EngineError, RemoteBaseError, RemoteBaseGoneError, VocabularyError
from proxycouncil.specialists import (
    Engine,
    Family,
    Generation,
    Pair,
    Prompt,
    Recall,
    RemoteBase,
    Request,
    Sampling,
    Server,
    Snippet,
    TextDelta,
)
from proxycouncil.specialists.remote.client import Client
from proxycouncil.specialists.remote.inspection import inspect_server

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

SLATE = (Snippet("Rent", "The rent of the room is due on the first day of the month."),)
SHORT = Sampling(max_new_tokens=6)
STEERED = Request(Prompt("What is the rent?", SLATE), (Pair("law"),), SHORT, id="steered")
WHOLE = Recall(VOCABULARY)
PROBES = 2
"""Completions asked for before the first text, to see the server's manners."""


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return save_family(tmp_path_factory.mktemp("family"))


@pytest.fixture(scope="module")
def whole(paths: dict[str, Path]) -> Family:
    """All of it, here."""
    return Family(
        paths["base"], paths["antiexpert"], experts={"law": paths["law"], "full": paths["full"]}
    ).load()


@pytest.fixture(scope="module")
def small(paths: dict[str, Path]) -> Family:
    """Without the base."""
    return Family(None, paths["antiexpert"], experts={"law": paths["law"], "full": paths["full"]}).load()


@pytest.fixture(scope="module")
def model(paths: dict[str, Path]) -> Model:
    return Model(paths["base"])


@pytest.fixture(params=["llama.cpp", "vllm"])
def manners(request: pytest.FixtureRequest) -> Manners:
    return Manners(request.param)


@pytest.fixture
def server(model: Model, manners: Manners) -> Iterator[Server]:
    with serving(model, manners) as url:
        yield Server(f"{url}/v1/", manners.kind, MODEL, timeout_s=20, retries=2)  # type: ignore[arg-type]


class Pauses:
    """Instead of sleeping."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


def write(family: Family, server: Server, *requests: Request, **settings: Any) -> list[Generation]:
    """All at once."""

    async def together() -> list[Generation]:
        async with RemoteBase(family, server, **{"sleep": Pauses(), "drafts": 3, **settings}) as base:
            return list(await asyncio.gather(*map(base.complete, requests)))

    return asyncio.run(together())


def locally(family: Family, *requests: Request) -> list[Generation]:
    async def together() -> list[Generation]:
        async with Engine(family) as engine:
            return list(await asyncio.gather(*map(engine.complete, requests)))

    return asyncio.run(together())


def test_where_k_covers_the_vocabulary_it_is_the_engines_text(
    whole: Family, small: Family, server: Server
) -> None:
    requests = [
        STEERED,
        Request(Prompt("why", SLATE), (), SHORT, id="base"),
        Request("how", (Pair("full", 0.6), Pair("law", -0.4)), SHORT, id="two"),
        replace(STEERED, sampling=replace(SHORT, temperature=0.9, top_p=0.95, seed=4), id="drawn"),
        replace(STEERED, sampling=replace(SHORT, verbatim=True), id="verbatim"),
        replace(STEERED, plausibility=0.1, id="plausible"),
        replace(STEERED, pairs=(), solo="law", id="solo"),
    ]
    ours = locally(whole, *requests)
    theirs = write(small, server, *requests, recall=WHOLE)
    for here, there in zip(ours, theirs, strict=True):
        assert there.token_ids == here.token_ids or here.near_ties
        assert there.text == here.text or here.near_ties
        assert there.logprobs == pytest.approx(here.logprobs, abs=2e-3)
        if here.request_id != "solo":
            assert there.trace.kl == pytest.approx(here.trace.kl, abs=2e-3)
            assert there.trace.base_top == here.trace.base_top or here.near_ties
            assert there.trace.certified == (True,) * len(there.token_ids)
            assert there.trace.unseen == (0.0,) * len(there.token_ids)


def test_drafts_change_no_token_and_save_round_trips(small: Family, server: Server, manners: Manners) -> None:
    """A request less for every draft that was right."""
    asked = Request("why why why why why why", (Pair("law", 0.5),), Sampling(max_new_tokens=8))
    texts, requests = [], []
    for drafts in (0, 4):
        manners.asked.clear()
        texts += write(small, server, asked, recall=WHOLE, drafts=drafts)
        requests.append(len(manners.completions) - PROBES)
    assert len({text.token_ids for text in texts}) == 1
    assert texts[0].drafted == 0 < texts[1].drafted
    assert requests == [8 - text.accepted for text in texts]


def test_where_the_base_is_the_twin_every_draft_saves_a_round_trip(
    small: Family, paths: dict[str, Path]
) -> None:
    """At α = 1 the sum is then the expert, so that every draft is right."""
    manners = Manners("vllm")
    with serving(Model(paths["antiexpert"]), manners) as url:
        asked = replace(STEERED, sampling=Sampling(max_new_tokens=10))
        (text,) = write(small, Server(url, "vllm", MODEL), asked, recall=WHOLE, drafts=4)
    assert len(text.token_ids) == 10
    assert text.accepted == text.drafted == 8
    assert len(manners.completions) - PROBES == 2
    assert [len(body["prompt"]) for body in manners.completions[PROBES:]] == [5, 5]


def test_a_short_list_is_certified_by_name_or_by_a_longer_one(
    whole: Family, small: Family, server: Server, manners: Manners
) -> None:
    requests = [replace(STEERED, pairs=(Pair("law", 0.7),), id=str(n), prompt=f"{n} why") for n in range(3)]
    ours = locally(whole, *requests)
    certified = {}
    for name, recall in (
        ("neither", Recall(8, contenders=0)),
        ("names", Recall(8, contenders=12)),
        ("longer", Recall(8, top_k_most=VOCABULARY, contenders=0)),
    ):
        manners.asked.clear()
        theirs = write(small, server, *requests, recall=recall)
        certified[name] = sum(sum(one.trace.certified) for one in theirs)
        for here, there in zip(ours, theirs, strict=True):
            sure = there.trace.certified
            count = sure.index(False) if False in sure else len(sure)
            # As long as every token is certified, the text is that of the whole vocabulary.
            assert there.token_ids[:count] == here.token_ids[:count] or here.near_ties
            assert len(there.trace.unseen) == len(there.token_ids)
            assert all(0 <= bound <= 1 for bound in there.trace.unseen)
    assert certified["longer"] == sum(len(one.token_ids) for one in ours)
    assert certified["neither"] <= certified["names"] <= certified["longer"]
    assert certified["neither"] < certified["longer"]


def test_a_verbatim_reply_is_asked_for_by_name(small: Family, server: Server) -> None:
    asked = replace(STEERED, sampling=replace(SHORT, verbatim=True))
    (cut,) = write(small, server, asked, recall=Recall(2, contenders=3))
    assert cut.finish_reason in ("stop", "length")
    said = f"{SLATE[0].title} {SLATE[0].text} That is not in the passages. Yes. No."
    assert all(word.strip(".,").lower() in said.lower() for word in cut.text.split())


def test_what_fails_for_a_while_is_tried_again(small: Family, server: Server, manners: Manners) -> None:
    manners.faults = [503, 429]
    pauses = Pauses()
    (text,) = write(small, server, STEERED, recall=WHOLE, sleep=pauses, draw=lambda: 0.5)
    assert text.finish_reason != "error"
    assert pauses.taken == [0.1875, 0.375]  # 0.25 · 2ⁿ, three quarters of it


def test_a_server_that_is_gone_ends_the_text_with_an_error(
    small: Family, server: Server, manners: Manners
) -> None:
    manners.dies_after = PROBES + 2
    (text,) = write(small, server, STEERED, recall=WHOLE, drafts=0)
    assert text.finish_reason == "error"
    assert "is gone" in (text.error or "")
    assert len(text.token_ids) == 2
    assert text.alone is None


def test_the_expert_goes_on_alone_and_says_so(small: Family, server: Server, manners: Manners) -> None:
    manners.dies_after = PROBES + 2
    left = replace(WHOLE, fallback="expert")
    (text,) = write(small, server, STEERED, recall=left, drafts=2)
    assert text.finish_reason in ("stop", "length")
    assert "is gone" in (text.alone or "")
    sure = text.trace.certified
    begun = sure.index(False)
    assert set(sure[:begun]) == {True}
    assert set(sure[begun:]) == {False}
    assert set(text.trace.unseen[begun:]) == {1.0}
    unreachable = replace(server, url="http://127.0.0.1:9")
    (alone,) = write(small, unreachable, replace(STEERED, id="2"), recall=left)
    (expert,) = locally(small, replace(STEERED, pairs=(), solo="law"))
    assert alone.text == expert.text
    assert alone.alone
    assert expert.alone is None
    (nobody,) = write(small, unreachable, replace(STEERED, pairs=()), recall=left)
    assert nobody.finish_reason == "error"


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"mute": True}, "no log-probabilities"),
        ({"processed": True}, "logit_bias"),
        ({"faults": [404, 400]}, "status 400, told to fail"),
    ],
)
def test_a_server_that_tells_too_little_is_refused(
    small: Family, server: Server, manners: Manners, fault: dict[str, Any], message: str
) -> None:
    for name, value in fault.items():
        setattr(manners, name, deepcopy(value))
    with pytest.raises(RemoteBaseError, match=message) as caught:
        write(small, server, STEERED, recall=Recall(2))
    assert caught.value.hint
    assert not caught.value.retryable


def test_tokens_named_by_text_are_refused(small: Family, model: Model) -> None:
    manners = Manners("vllm", by_text=True)
    with serving(model, manners) as url, pytest.raises(RemoteBaseError, match="by their text"):
        write(small, Server(url, "vllm", MODEL), STEERED)


def test_another_vocabulary_is_refused(small: Family, server: Server, manners: Manners) -> None:
    manners.foreign = True
    with pytest.raises(VocabularyError, match="other tokens by the same ids"):
        write(small, server, STEERED)
    assert not manners.completions


def test_the_wrong_kind_of_server_is_refused(small: Family, server: Server, manners: Manners) -> None:
    other = replace(server, kind="vllm" if manners.kind == "llama.cpp" else "llama.cpp")
    with pytest.raises(RemoteBaseError, match="404") as caught:
        write(small, other, STEERED)
    assert "base_server" in caught.value.hint


def test_a_repetition_penalty_is_refused(small: Family, server: Server) -> None:
    with pytest.raises(EngineError, match="repetition penalty"):
        write(small, server, replace(STEERED, sampling=replace(SHORT, repetition_penalty=1.2)))


def test_deadlines_and_silence_end_a_wait(small: Family, server: Server, manners: Manners) -> None:
    manners.sleepy = threading.Event()
    try:
        (late,) = write(small, server, replace(STEERED, deadline_s=0.3))
        assert late.finish_reason == "deadline"
        (silent,) = write(small, replace(server, timeout_s=0.2, retries=0), replace(STEERED, id="2"))
        assert silent.finish_reason == "error"
        assert "Timeout" in (silent.error or "")
    finally:
        manners.sleepy.set()


async def test_a_consumer_may_leave_and_deltas_are_the_text(small: Family, server: Server) -> None:
    async with RemoteBase(small, server, drafts=1) as base:
        leaving = base.generate(STEERED)
        assert isinstance(await anext(leaving), TextDelta)
        await leaving.aclose()
        events = [event async for event in base.generate(replace(STEERED, id="2"))]
        last = events.pop()
        assert isinstance(last, Generation)
        assert "".join(event.text for event in events if isinstance(event, TextDelta)) == last.text
        assert base.requests > len(events) / 2
    with pytest.raises(EngineError, match="closed"):
        await base.complete(STEERED)


async def test_inspection_says_what_is_there(small: Family, server: Server, manners: Manners) -> None:
    found = await inspect_server(server, small.tokenizer, top_k=5)
    assert MODEL in found
    assert server.root in found
    if manners.kind == "vllm":
        with pytest.raises(RemoteBaseError, match="does not serve"):
            await inspect_server(replace(server, model="other"), small.tokenizer, top_k=5)
    gone = replace(server, url="http://127.0.0.1:9", retries=0)
    with pytest.raises(RemoteBaseGoneError, match="is gone"):
        await inspect_server(gone, small.tokenizer, top_k=5)


async def test_the_key_is_sent_and_not_shown(server: Server) -> None:
    keyed = replace(server, key="secret")
    assert "secret" not in repr(keyed)
    async with Client(keyed) as client:
        assert client._http is not None
        assert client._http.headers["Authorization"] == "Bearer secret"
