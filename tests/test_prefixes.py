"""What prompts begin with alike is read once, and changes no text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import KINDS, save_family, save_model

from proxycouncil.specialists import Engine, Family, Generation, Pair, Prompt, Request, Sampling, Snippet
from proxycouncil.specialists import lane as lane_module
from proxycouncil.specialists.lane import Lane, Row
from proxycouncil.specialists.prefixes import Batch, Start, batches, common, cost

STEMS = ((5,) * 30, (5,) * 12 + (6,) * 300, tuple(range(5, 60)))


@dataclass(frozen=True)
class Asked:
    adapter: str
    ids: tuple[int, ...]


asked = st.builds(
    lambda adapter, stem, kept, tail: Asked(adapter, (*stem[:kept], *tail)),
    st.sampled_from(("", "law")),
    st.sampled_from(STEMS),
    st.integers(0, 312),
    st.lists(st.integers(5, 7), min_size=1, max_size=6),
)


def alone(rows: Sequence[Asked], readers: Sequence[Asked], *, forward: int) -> list[Batch[Asked]]:
    """Everybody reads everything, padded to the longest, as many at once as may be."""
    ordered = sorted(rows, key=lambda row: len(row.ids))
    found: list[Batch[Asked]] = []
    for row in ordered:
        start = Start(row, None, 0)
        if found and (len(found[-1]) + 1) * len(row.ids) <= 16 * forward:
            found[-1].append(start)
        else:
            found.append([start])
    return found


@given(st.lists(asked, unique=True, max_size=12), st.integers(0, 8), st.sampled_from((0, 16, 256)))
def test_every_prompt_is_read_once_behind_what_it_shares(rows: list[Asked], known: int, forward: int) -> None:
    readers, rows = rows[:known], rows[known:]
    plan = batches(rows, readers, forward=forward)
    assert sorted(start.row.ids for batch in plan for start in batch) == sorted(row.ids for row in rows)
    read = list(readers)
    for batch in plan:
        widest = max(start.rest for start in batch)
        assert len(batch) == 1 or len(batch) * widest <= 16 * forward
        for start in batch:
            assert start.rest >= 1
            assert start.rest == widest or start.shared == 0  # padding stands on the left
            if start.source is not None:
                assert start.source in read
                assert start.source.adapter == start.row.adapter
                assert start.source.ids[: start.shared] == start.row.ids[: start.shared]
            else:
                assert start.shared == 0
        read += [start.row for start in batch]
    assert cost(plan, forward=forward) <= cost(alone(rows, readers, forward=forward), forward=forward)


@given(st.lists(st.integers(5, 6), max_size=20), st.lists(st.integers(5, 6), max_size=20))
def test_what_two_begin_with(one: list[int], other: list[int]) -> None:
    count = common(one, other)
    assert one[:count] == other[:count]
    assert one[: count + 1] != other[: count + 1] or count == min(len(one), len(other))


def test_the_longest_beginning_is_taken_and_short_ones_are_not() -> None:
    new = Asked("", (*range(5, 45), 7))
    readers = [Asked("", tuple(range(5, end))) for end in (10, 20, 30)] + [Asked("law", (*new.ids, 8))]
    ((start,),) = batches([new], readers, forward=16)
    assert (start.source, start.shared) == (readers[2], 25)
    ((start,),) = batches([new], readers[:1], forward=16)
    assert (start.source, start.shared) == (None, 0)


def test_what_several_new_prompts_share_is_read_by_the_first() -> None:
    slate = tuple(range(5, 105))
    rows = [Asked("", (*slate, number)) for number in range(4)]
    plan = batches(rows, [], forward=16)
    assert [[start.rest for start in batch] for batch in plan] == [[101], [1, 1, 1]]
    # Where a forward is dear, all is read at once.
    assert [len(batch) for batch in batches(rows, [], forward=1000)] == [4]


@pytest.mark.parametrize("kind", KINDS)
def test_rows_behind_a_shared_beginning_are_whole_reads(kind: str, tmp_path: Path) -> None:
    model = Family(save_model(tmp_path, kind)).part("base").model
    generator = torch.Generator().manual_seed(3)

    def draw(length: int) -> tuple[int, ...]:
        return tuple(torch.randint(5, 8000, (length,), generator=generator).tolist())

    slate = draw(40)
    prompts = [slate + draw(3), slate[:25] + draw(30), slate + draw(9), draw(12), slate + draw(3)]
    lane = Lane(model)
    with torch.inference_mode():
        lane.admit([Row(prompts[0], ""), Row(draw(9), "")])
        lane.advance(torch.tensor([[9, 10, 11, 12], [9, 10, 11, 12]]))
        lane.retract([3, 1] if lane.rows[0].ids == prompts[0] else [1, 3])
        texts = {id(row): [*row.ids, *((9,) if row.ids == prompts[0] else (9, 10, 11))] for row in lane.rows}
        rows = [Row(prompt, "") for prompt in prompts[1:]]
        said = lane.admit(rows)
        texts |= {id(row): [*row.ids] for row in rows}
        for row, logits in zip(rows, said, strict=True):
            assert torch.allclose(logits, model.module(torch.tensor([row.ids])).logits[0, -1], atol=1e-4)
        more = torch.tensor([[11 + place] for place in range(len(lane.rows))])
        for row, token, logits in zip(lane.rows, more.tolist(), lane.advance(more)[:, 0], strict=True):
            whole = torch.tensor([texts[id(row)] + token])
            assert torch.allclose(logits, model.module(whole).logits[0, -1], atol=1e-4)


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    paths = save_family(tmp_path_factory.mktemp("family"))
    return Family(
        paths["base"],
        paths["antiexpert"],
        experts={"law": paths["law"], "physics": paths["physics"]},
    ).load()


def ballots() -> list[Request]:
    """Two samples by each of two members, on slates that begin alike."""
    told = Snippet("Rent", "It is due on the first day of the month, unless both sides agree otherwise.")
    slates = [(told, Snippet("Deposit", "It is paid back.")), (told, Snippet("Notice", "Three months."))]
    return [
        Request(
            Prompt("When is the rent of the room due?", slate),
            (Pair(member),),
            Sampling(max_new_tokens=16, temperature=temperature, seed=3),
            id=f"{member} {number} {temperature}",
        )
        for member in ("law", "physics")
        for number, slate in enumerate(slates)
        for temperature in (0.0, 0.8)
    ]


async def read(
    family: Family, requests: list[Request], monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> tuple[list[Generation], int]:
    """What is written one after another and at once, and how many tokens the base has read for it."""
    model = family.part("base").model
    forward: Callable[..., torch.Tensor] = model.forward
    tokens: list[int] = []

    def counting(ids: torch.Tensor, **rest: Any) -> torch.Tensor:
        tokens.append(ids.numel())
        return forward(ids, **rest)

    with monkeypatch.context() as patched:
        patched.setattr(model, "forward", counting)
        async with Engine(family, **settings) as engine:
            return list(await asyncio.gather(*map(engine.complete, requests))), sum(tokens)


@pytest.mark.parametrize("drafts", [0, 3])
async def test_sharing_changes_no_text(family: Family, monkeypatch: pytest.MonkeyPatch, drafts: int) -> None:
    shared, fewer = await read(family, ballots(), monkeypatch, drafts=drafts)
    monkeypatch.setattr(lane_module, "batches", alone)
    apart, more = await read(family, ballots(), monkeypatch, drafts=drafts)
    for one, other in zip(shared, apart, strict=True):
        assert one.token_ids == other.token_ids or one.near_ties or other.near_ties
    assert fewer < more


async def test_a_long_prompt_goes_on_behind_what_was_read(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proxycouncil.specialists.job.PIECE", 10)
    monkeypatch.setattr("proxycouncil.specialists.reading.PIECE", 10)
    requests = [replace(one, sampling=replace(one.sampling, max_new_tokens=60)) for one in ballots()]
    shared, fewer = await read(family, requests, monkeypatch, drafts=0)
    monkeypatch.setattr(lane_module, "batches", alone)
    apart, more = await read(family, requests, monkeypatch, drafts=0)
    for one, other in zip(shared, apart, strict=True):
        assert one.token_ids == other.token_ids or one.near_ties or other.near_ties
    assert fewer < more
