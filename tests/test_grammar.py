"""Decoding under a grammar: what is written fits the schema, with and without drafts, or declines."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
import torch
from tiny import STARTER, save_family

from proxycouncil.errors import EngineError, MissingExtraError
from proxycouncil.specialists import Engine, Family, Generation, Pair, Prompt, Request, Sampling, Snippet
from proxycouncil.specialists.cases import REFUSAL
from proxycouncil.specialists.grammar import Following, check_grammar, open_grammar
from proxycouncil.specialists.prompts import DelimiterFormat
from proxycouncil.specialists.sampler import Choosing, choose

END = 1
SCHEMA = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["cost", "price"]},
        "year": {"type": "integer", "minimum": 1900, "maximum": 1999},
        "sure": {"type": "boolean"},
        "word": {"type": "string", "maxLength": 6},
    },
    "required": ["kind", "year", "sure", "word"],
    "additionalProperties": False,
}
BOUND = Sampling(max_new_tokens=96, grammar=json.dumps(SCHEMA))
SLATE = (Snippet("Opportunity cost", "It is the value of the best alternative that is given up."),)
FILLED = '{"kind": "cost", "year": 1928, "sure": true, "word": "heart"}'


@pytest.fixture(scope="module")
def form() -> DelimiterFormat:
    from transformers import AutoTokenizer

    return DelimiterFormat(AutoTokenizer.from_pretrained(STARTER / "base"))


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    paths = save_family(tmp_path_factory.mktemp("family"))
    return Family(paths["base"], paths["antiexpert"], experts={"law": paths["law"]}).load()


def _opened(form: DelimiterFormat, *, declines: bool = False) -> Following:
    from transformers import AutoTokenizer

    return open_grammar(
        json.dumps(SCHEMA),
        AutoTokenizer.from_pretrained(STARTER / "base"),
        lead=form.lead,
        end_ids=[END],
        width=8192,
        refusal=form.target_ids(REFUSAL)[:-1] if declines else (),
    )


def test_a_text_that_fits_is_allowed_token_by_token_and_then_ends(form: DelimiterFormat) -> None:
    following, written = _opened(form), []
    for token in form.target_ids(FILLED):
        allowed, declining = following.next(written)
        assert token in allowed
        assert declining is None
        written.append(token)
    assert set(following.next(written[:-1])[0]) == {END}


def test_a_text_that_was_cut_back_goes_on_as_one_that_never_was_longer(form: DelimiterFormat) -> None:
    ids, following = form.target_ids(FILLED)[:-1], _opened(form)
    following.next(ids)
    for count in (3, 9, 5, 0):
        assert list(following.next(ids[:count])[0]) == list(_opened(form).next(ids[:count])[0])


def test_behind_a_token_that_was_not_allowed_only_the_end_is_left(form: DelimiterFormat) -> None:
    ids, following = form.target_ids(FILLED)[:-1], _opened(form)
    for wrong in ([*ids[:2], 4000], [*ids, END, 7], [4000]):
        assert set(following.next(wrong)[0]) == {END}
    assert ids[2] in following.next(ids[:2])[0]


def test_the_refusal_may_be_gone_on_with_until_it_is_whole(form: DelimiterFormat) -> None:
    *refusal, end = form.target_ids(REFUSAL)
    following = _opened(form, declines=True)
    allowed, declining = following.next([])
    assert declining == refusal[0] not in allowed
    for count in range(1, len(refusal)):
        assert following.next(refusal[:count]) == ((refusal[count],), None)
    assert set(following.next(refusal)[0]) == {end}
    assert following.next(form.target_ids(FILLED)[:3])[1] is None


def test_what_declines_is_chosen_where_it_is_the_favourite_of_all_and_only_there() -> None:
    logits = torch.tensor([[9.0, 1.0, 2.0, 0.0], [1.0, 9.0, 2.0, 8.0]])
    rows = [Choosing(Sampling(), 0, (), {1, 2}, declining=0), Choosing(Sampling(), 0, (), {2}, declining=3)]
    assert choose(logits, rows)[0].tolist() == [0, 2]
    hot = [replace(row, sampling=Sampling(temperature=5.0)) for row in rows]
    assert choose(logits, hot)[0].tolist() == [0, 2]


async def test_every_reply_fits_the_schema_and_drafts_change_no_token(family: Family) -> None:
    requests = [
        Request(Prompt("Who pays?", SLATE), pairs, replace(BOUND, temperature=temperature, seed=7))
        for pairs in ((), (Pair("law"),))
        for temperature in (0.0, 1.0)
    ]
    # Beside a text that is free: a mask is one row's alone.
    requests.append(Request(Prompt("And then?", SLATE), (Pair("law"),), Sampling(max_new_tokens=12)))
    plain = await _together(family, requests, drafts=0)
    for generation in plain[:-1]:
        assert generation.finish_reason == "stop"
        jsonschema.validate(json.loads(generation.text), SCHEMA)
    for one, other in zip(plain, await _together(family, requests, drafts=3), strict=True):
        assert one.near_ties or one.token_ids == other.token_ids
    assert not plain[-1].text.startswith("{")


async def test_a_reply_may_decline_where_that_would_be_said_first(family: Family) -> None:
    free = Request(Prompt("Why?", SLATE), sampling=Sampling(max_new_tokens=1))
    bound = replace(free, sampling=replace(BOUND, may_decline=True), id="bound")
    first, under = await _together(family, [free, bound])
    # These random weights do not begin with the refusal, so they must fill the schema in.
    refusal = family.part("base").format.target_ids(REFUSAL)
    assert first.token_ids[0] != refusal[0]
    jsonschema.validate(json.loads(under.text), SCHEMA)


async def test_a_lark_grammar_says_itself_where_spaces_are(family: Family) -> None:
    sampling = Sampling(max_new_tokens=20, grammar='start: " "? ("yes" | "no") ", " /[0-9]{2}/')
    (generation,) = await _together(family, [Request(Prompt("Is it?", SLATE), sampling=sampling)])
    assert generation.text[:4] in ("yes,", "no, ")
    assert generation.text[-2:].isdigit()


@pytest.mark.parametrize(
    ("sampling", "words"),
    [
        (replace(BOUND, verbatim=True), "exclude each other"),
        (replace(BOUND, grammar='{"type": "objct"}'), "Invalid type"),
        (replace(BOUND, grammar="{"), "not JSON"),
    ],
)
async def test_what_can_not_be_decoded_under_says_why(family: Family, sampling: Sampling, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        await _together(family, [Request(Prompt("why", SLATE), sampling=sampling)])


def test_without_llguidance_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    check_grammar(json.dumps(SCHEMA))
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(MissingExtraError, match="llguidance") as caught:
        check_grammar(json.dumps(SCHEMA))
    assert isinstance(caught.value, ImportError)
    assert "proxycouncil[grammar]" in caught.value.hint


async def _together(family: Family, requests: Sequence[Request], **settings: Any) -> list[Generation]:
    async with Engine(family, **settings) as engine:
        return list(await asyncio.gather(*(engine.complete(request) for request in requests)))
