"""Drafts change no token: with any number of them a text is what plain decoding writes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import save_adapter, save_family, save_model

from proxycouncil.specialists import Engine, Family, Generation, Pair, Prompt, Request, Sampling, Snippet
from proxycouncil.specialists.lookup import LONGEST, SHORTEST, Lookup
from proxycouncil.specialists.pace import CHOICES, Pace, expected

SLATE = (Snippet("Rent", "The rent of the room is due on the first day of the month."),)
SOME = Sampling(max_new_tokens=24)


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Family:
    """The base is the anti-expert: at α = 1 the sum is the expert, so that every draft is right."""
    folder = tmp_path_factory.mktemp("twins")
    small = save_model(folder / "small", seed=2)
    adapters = {
        name: save_adapter(folder / name, small, seed=seed) for name, seed in (("law", 3), ("art", 4))
    }
    return Family(small, save_model(folder / "twin", seed=2), experts=adapters).load()


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Family:
    """Three random models and a full checkpoint as one of the experts: drafts are right by chance only."""
    paths = save_family(tmp_path_factory.mktemp("strangers"))
    experts = {"law": paths["law"], "art": paths["physics"], "full": paths["full"]}
    return Family(paths["base"], paths["antiexpert"], experts=experts).load()


def write(family: Family, requests: Sequence[Request], drafts: int | None) -> list[Generation]:
    """All at once, with so many drafts."""

    async def together() -> list[Generation]:
        async with Engine(family, drafts=drafts) as engine:
            return list(await asyncio.gather(*map(engine.complete, requests)))

    return asyncio.run(together())


def essence(generation: Generation) -> tuple[object, ...]:
    return generation.token_ids, generation.text, generation.finish_reason, generation.trace.base_top


def requests_of_all_kinds(*, full: bool) -> list[Request]:
    """Lengths, pairs, α, sampling and stops that differ, so that rows accept differently and end apart."""
    prompts = [
        Prompt("why"),
        Prompt("What is the rent of the room?", SLATE),
        Prompt("how long is it", SLATE * 2),
    ]
    pairs: list[tuple[Pair, ...]] = [
        (Pair("law"),),
        (Pair("art", 0.5),),
        (Pair("law", 0.7), Pair("art", 0.3)),
        (Pair("law", -0.5),),
        (),
        *([(Pair("full"),)] if full else []),
    ]
    samplings = [
        SOME,
        replace(SOME, temperature=0.8, seed=5),
        replace(SOME, temperature=1.1, top_k=40, top_p=0.9, seed=6, max_new_tokens=17),
        replace(SOME, repetition_penalty=1.3, max_new_tokens=1),
        replace(SOME, repetition_penalty=1.2, temperature=0.5, seed=7),
        replace(SOME, verbatim=True),
        replace(SOME, verbatim=True, temperature=1.5, seed=8),
    ]
    return [
        Request(
            prompts[number % len(prompts)],
            pair,
            sampling,
            plausibility=0.1 if number % 3 == 2 and not sampling.verbatim else None,
            id=f"{number}-{place}",
        )
        for number, pair in enumerate(pairs)
        for place, sampling in enumerate(samplings)
    ]


@pytest.mark.parametrize("drafts", [1, 3, 8, None])
@pytest.mark.parametrize("name", ["twins", "strangers"])
def test_drafts_change_no_token(name: str, drafts: int | None, request: pytest.FixtureRequest) -> None:
    family: Family = request.getfixturevalue(name)
    asked = requests_of_all_kinds(full=name == "strangers")
    plain = write(family, asked, 0)
    drafted = write(family, asked, drafts)
    differing = [
        one.request_id
        for one, other in zip(plain, drafted, strict=True)
        if essence(one) != essence(other) and not one.near_ties
    ]
    assert differing == []
    assert all(one.drafted == 0 for one in plain)
    steered = {one.id for one in asked if one.pairs and one.pairs[0].alpha > 0}
    late = [one for one in drafted if one.request_id in steered and len(one.token_ids) > 1]
    assert drafts is None or all(one.drafted for one in late)


def test_a_twin_of_the_sum_drafts_nothing_wrong(twins: Family) -> None:
    greedy, sampled = (
        Request("why", (Pair("law"),), SOME),
        Request("how", (Pair("law"),), replace(SOME, temperature=1.0, seed=3)),
    )
    for generation in write(twins, [greedy, sampled], 4):
        assert generation.accepted == generation.drafted > 0


def test_a_text_alone_and_one_drafted_beside_others_are_the_same(strangers: Family) -> None:
    asked = requests_of_all_kinds(full=True)[:10]
    together = write(strangers, asked, 3)
    for request, beside in zip(asked, together, strict=True):
        (alone,) = write(strangers, [request], 3)
        assert essence(alone) == essence(beside) or alone.near_ties


def test_samples_of_many_seeds_are_those_of_plain_decoding(strangers: Family) -> None:
    """Token for token with every seed, so the distribution is plain decoding's too."""
    sampling = Sampling(max_new_tokens=3, temperature=1.2)
    asked = [
        Request("why", (Pair("law", 0.6),), replace(sampling, seed=seed), id=str(seed)) for seed in range(60)
    ]
    plain, drafted = write(strangers, asked, 0), write(strangers, asked, 2)
    same = [
        one.token_ids == other.token_ids or one.near_ties for one, other in zip(plain, drafted, strict=True)
    ]
    assert all(same)
    assert len({one.token_ids for one in plain}) > 30


def test_an_end_inside_a_draft_ends_the_text(twins: Family) -> None:
    request = Request("why", (Pair("law"),), SOME)
    (plain,) = write(twins, [request], 0)
    stop = plain.text[4:7]
    assert len(stop) == 3
    asked = [replace(request, sampling=replace(SOME, stop=(stop,)), id=str(drafts)) for drafts in range(2)]
    (without,), (ahead,) = write(twins, asked[:1], 0), write(twins, asked[1:], 8)
    assert without.finish_reason == ahead.finish_reason == "stop"
    assert without.text == ahead.text == plain.text.partition(stop)[0]
    assert without.token_ids == ahead.token_ids


def test_drafts_stop_at_the_end_of_the_context(twins: Family) -> None:
    prompt = "why " * 120
    asked = Request(prompt, (Pair("law"),), Sampling(max_new_tokens=500))
    (plain,), (drafted,) = write(twins, [asked], 0), write(twins, [asked], 8)
    assert plain.finish_reason == drafted.finish_reason == "length"
    assert plain.prompt_tokens + len(plain.token_ids) == 256
    assert plain.token_ids == drafted.token_ids


def test_the_prompt_is_looked_up_where_there_is_no_expert(strangers: Family) -> None:
    """A base that repeats itself is drafted for by its own text."""
    asked = Request("why why why why why why", (), Sampling(max_new_tokens=40, repetition_penalty=0.3))
    (plain,), (drafted,) = write(strangers, [asked], 0), write(strangers, [asked], 4)
    assert plain.token_ids == drafted.token_ids
    assert drafted.drafted > 0


IDS = st.lists(st.integers(0, 3), max_size=30)


@given(IDS, IDS, st.integers(1, 6))
def test_what_is_looked_up_stands_behind_the_same_tokens(
    read: list[int], written: list[int], ahead: int
) -> None:
    known = read + written
    lookup = Lookup(read)
    for length in range(len(written)):
        lookup.ahead(written[:length], ahead)  # asked as the text grows
    found = lookup.ahead(written, ahead)
    assert len(found) <= ahead
    places = [
        (size, start)
        for size in range(SHORTEST, min(LONGEST, len(written)) + 1)
        for start in range(len(known) - size)
        if known[start : start + size] == known[len(known) - size :]
    ]
    if not places:
        assert found == []
    else:
        size, start = max(places)
        assert found == known[start + size : start + size + ahead]


def test_a_pace_without_measurements_tries_and_with_them_follows_the_clock() -> None:
    pace = Pace()
    assert pace.choose(1, 20) == CHOICES[-1]
    for drafts in CHOICES:
        pace.note(drafts, 1, 1.0 + drafts)  # a draft costs as much as a token
    assert pace.choose(1, 20) == 0
    for _ in range(40):
        for drafts in CHOICES:
            pace.note(drafts, 1, 1.0 + 0.05 * drafts)
    assert pace.choose(1, 20) > 2
    assert pace.choose(1, 1) <= 1
    for _ in range(2000):
        pace.judge(1, 0)  # nothing is ever right
    assert pace.choose(1, 20) == 0


def test_a_fixed_pace_keeps_to_what_there_is_room_for() -> None:
    assert [Pace(fixed=4).choose(3, spare) for spare in (9, 4, 2, 0, -1)] == [4, 4, 2, 0, 0]


@given(st.floats(0, 1), st.integers(0, 12))
def test_expected_tokens_are_the_sum_of_what_is_reached(acceptance: float, drafts: int) -> None:
    reached = sum(acceptance**place for place, _ in zip(count(), range(drafts + 1), strict=False))
    assert expected(acceptance, drafts) == pytest.approx(reached)
