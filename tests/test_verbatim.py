"""Verbatim decoding: a reply is a span of the slate, the refusal, or *Yes* or *No* before a span."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import STARTER, save_family

from proxycouncil.errors import EngineError
from proxycouncil.specialists import Engine, Family, Generation, Pair, Prompt, Request, Sampling, Snippet
from proxycouncil.specialists.cases import REFUSAL
from proxycouncil.specialists.copybook import BEGINNING, OPENINGS, Copybook, Copying, Live, open_copybook
from proxycouncil.specialists.encoding import clean
from proxycouncil.specialists.prompts import ChatFormat, DelimiterFormat, PlainFormat, PromptFormat
from proxycouncil.specialists.sampler import Choosing, choose

END = 1
VERBATIM = Sampling(max_new_tokens=80, verbatim=True)
SLATE = (
    Snippet("Opportunity cost", "It is the value of the best alternative that is given up."),
    Snippet("Scarcity", "People want more than there is, and in 1928 the cost was 3.5 percent."),
    Snippet("DNA", "It can't be the cost of Moore's law (or is it?)."),
)
CHUNKS = """cost Cost a A DNA 1,000.5 -5 12:30 can't Moore's "why?" (GDP). photosynthesis naïve — Yes. Yes
depth-first I <|end|> ' 細胞 e\u0301 😀 . x...) That is not in the passages. No,"""
TEXTS = st.lists(st.sampled_from(CHUNKS.split()), max_size=5).map(" ".join)
SLATES = st.lists(st.builds(Snippet, TEXTS, TEXTS), max_size=2).map(tuple)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(STARTER / "base")


@pytest.fixture(scope="module", params=["delimiters", "plain", "chat"])
def form(request: pytest.FixtureRequest, tokenizer: Any) -> PromptFormat:
    """The starter's tokenizer, asked in each way; in the chat a reply begins without a space."""
    if request.param == "chat":
        from copy import deepcopy

        chatty = deepcopy(tokenizer)
        chatty.chat_template = "{% for m in messages %}{{ m.content }}<|end|>{% endfor %}"
        return ChatFormat(chatty)
    return DelimiterFormat(tokenizer) if request.param == "delimiters" else PlainFormat(tokenizer)


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    paths = save_family(tmp_path_factory.mktemp("family"))
    return Family(paths["base"], paths["antiexpert"], experts={"law": paths["law"]}).load()


def _book(form: PromptFormat, slate: tuple[Snippet, ...], question: str = "") -> Copybook:
    return open_copybook(slate, form, end_ids=[END], question=question)


# The plain reference: every reply that may be written, as the tokens of its whole text.


def _replies(
    form: PromptFormat, tokenizer: Any, slate: Sequence[Snippet], *, polar: bool
) -> set[tuple[int, ...]]:
    texts = [clean(text) for snippet in slate for text in (snippet.title, snippet.text)]
    found = {tuple(form.target_ids(REFUSAL))}
    if polar and any(texts):
        found |= {tuple(form.target_ids(opening)) for opening in ("Yes.", "No.")}
    for text in texts:
        for opening in ("", *(f"{opening} " for opening in OPENINGS if polar)):
            found |= set(_spans(form, tokenizer, text, opening))
    return found


def _spans(form: PromptFormat, tokenizer: Any, text: str, opening: str) -> Iterator[tuple[int, ...]]:
    """Tokens of every span of the text behind the opening, with the end."""
    for start in filter(lambda place: _begins(text, place), range(len(text))):
        for rest in {text[start:], _recased(text[start:])}:
            *ids, end = form.target_ids(opening + rest)
            written = {_decoded(tokenizer, ids[:count]): count for count in range(1, len(ids) + 1)}
            for length in range(1, len(rest) + 1):
                count = written.get(opening + rest[:length])
                if count and rest[length - 1] != " " and not _inside(text, start + length):
                    yield (*ids[:count], end)


def _decoded(tokenizer: Any, ids: Sequence[int]) -> str:
    return str(tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=False)).removeprefix(" ")


def _begins(text: str, place: int) -> bool:
    if text[place] == " " or _inside(text, place):
        return False
    return place == 0 or text[place - 1] == " " or text[place].isalnum()


def _recased(text: str) -> str:
    chunk, swapped = text.split(" ", maxsplit=1)[0], text[0].swapcase()
    return swapped + text[1:] if len(swapped) == 1 and chunk[1:].lower() == chunk[1:] else text


def _inside(text: str, place: int) -> bool:
    """Whether a place lies inside a word or a number, by what stands on its two sides."""
    before, after = text[:place], text[place:]
    number = after[:1].isdecimal() and re.search(r"(\d[.,:]|(^| )[-−])$", before)
    number = number or (before[-1:].isdecimal() and re.match(r"[.,:]\d", after))
    contracted = _is_word(before[-1:]) and re.match(r"['’](?!s\b)\w", after)
    contracted = contracted or (_is_word(after[:1]) and re.search(r"\w['’]$", before))
    return bool(number or contracted or (_is_word(before[-1:]) and _is_word(after[:1])))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


# The copybook.


@settings(max_examples=40, deadline=None)
@given(slate=SLATES, question=TEXTS | TEXTS.map("Is {}?".format), data=st.data())
def test_what_may_come_next_is_what_some_reply_goes_on_with(
    form: PromptFormat, tokenizer: Any, slate: tuple[Snippet, ...], question: str, data: st.DataObject
) -> None:
    polar = not question or _asks_whether(question)
    replies = {
        reply
        for reply in _replies(form, tokenizer, slate, polar=polar)
        if (polar and _decoded(tokenizer, reply[:-1]).startswith(OPENINGS))
        or _answers(_decoded(tokenizer, reply[:-1]), question)
    }
    copying, written = Copying(_book(form, slate, question)), []
    while not written or written[-1] != END:
        replies = {reply for reply in replies if reply[: len(written)] == tuple(written)}
        expected = {reply[len(written)] for reply in replies}
        assert copying.allowed(written) == expected
        # The end only once nothing else is left: the longer the walk, the more is compared.
        written.append(data.draw(st.sampled_from(sorted(expected - {END}) or [END])))


def _answers(reply: str, question: str) -> bool:
    """Whether a reply says something that its question does not."""
    if not question or reply == REFUSAL:
        return True
    return bool(_told(reply) - _told(question))


def _asks_whether(question: str) -> bool:
    """Whether one of its clauses begins with one of the verbs that are drawn here."""
    clauses = re.split(r"[.,:;?!–—]", question)
    return any(clause.casefold().split()[:1] in (["is"], ["can't"]) for clause in clauses)


def _told(text: str) -> set[str]:
    words = re.findall(r"\w+", text.casefold())
    return {_singular(word) for word in words if word not in "a s is in the that".split()}


def _singular(word: str) -> str:
    """Without the ending that a plural may add, or the e before it."""
    for ending in ("es", "s", "e"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= 3 and not (ending == "s" and stem.endswith("s")):
            return stem
    return word


def test_a_reply_says_more_than_the_question(form: PromptFormat, tokenizer: Any) -> None:
    slate = (Snippet("Taxi drivers", "London taxi drivers have a large hippocampus."),)

    def spoken(question: str) -> set[str]:
        return {_decoded(tokenizer, reply[:-1]) for reply in _walks(_book(form, slate, question))}

    asked = spoken("Which profession in London has a large hippocampus?")
    assert {"London taxi drivers", "taxi drivers"} <= asked
    assert not asked & {"London", "large", "a large hippocampus", "have a large hippocampus."}
    # What offers its answers is answered in its own words.
    assert {"London", "large"} <= spoken("Is it London or Paris?") & spoken("")


def test_yes_and_no_are_said_only_where_they_answer(form: PromptFormat) -> None:
    slate = (Snippet("Pardons", "Gerald Ford pardoned Richard Nixon in 1974."),)
    yes = tuple(form.target_ids("Yes."))
    for question in (
        "Did Ford pardon Nixon?",
        "In 1974, did Ford pardon Nixon?",
        "Ford pardoned him, right?",
        "Do you know whether Ford pardoned Nixon?",
        "",
    ):
        assert yes in _walks(_book(form, slate, question)), question
    for question in (
        "Whom did Ford pardon?",
        "the president that has pardoned Nixon",
        "Do you know who pardoned Nixon?",
        "the right to pardon someone",
    ):
        assert yes not in _walks(_book(form, slate, question)), question


def test_plurals_are_the_question_again(form: PromptFormat, tokenizer: Any) -> None:
    slate = (Snippet("Index", "A database index is mostly a tree."),)
    walks = _walks(_book(form, slate, "Which structure are most database indexes?"))
    spoken = {_decoded(tokenizer, reply[:-1]) for reply in walks}
    assert "database index" not in spoken
    assert "tree" in spoken


def test_no_span_breaks_a_word_or_a_number(form: PromptFormat, tokenizer: Any) -> None:
    slate = (Snippet("Moore's law", "In 1928, 3.5 can't be -5."),)
    whole = {_decoded(tokenizer, reply[:-1]) for reply in _walks(_book(form, slate))}
    assert {"Moore", "moore's law", "In 1928", "1928", "1928,", "3.5 can't", "No. can't be", "-5"} <= whole
    assert not whole & {"oore", "s law", "192", "In 19", "28", "3", "3.", "5", "can", "can'", "t be", "5."}
    assert not any("law In" in reply for reply in whole)


def test_without_snippets_only_the_refusal_is_left(form: PromptFormat) -> None:
    for slate in ((), (Snippet("", " \n"),)):
        assert list(_walks(_book(form, slate))) == [tuple(form.target_ids(REFUSAL))]


def test_after_a_token_that_was_not_allowed_only_the_end_is_left(form: PromptFormat) -> None:
    assert Copying(_book(form, SLATE)).allowed([0, 0]) == {END}


def test_a_text_that_was_cut_back_may_go_on_as_before(form: PromptFormat) -> None:
    copying, written = Copying(_book(form, SLATE)), form.target_ids(SLATE[0].text)[:-1]
    copying.allowed(written)
    assert copying.allowed(written[:2]) == Copying(_book(form, SLATE)).allowed(written[:2])


def _walks(book: Copybook) -> Iterator[tuple[int, ...]]:
    """Every reply that the copybook allows."""
    waiting: list[tuple[tuple[int, ...], Live]] = [((), BEGINNING)]
    while waiting:
        written, live = waiting.pop()
        for token in book.allowed(live):
            if token == END:
                yield (*written, END)
            else:
                waiting.append(((*written, token), book.follow(live, token)))


# The sampler.


@settings(deadline=None)
@given(
    st.lists(st.sets(st.integers(0, 5), min_size=1) | st.none(), min_size=1, max_size=4),
    st.sampled_from([0.0, 0.7, 5.0]),
    st.integers(0, 50),
)
def test_only_what_is_allowed_is_chosen_and_the_favourite_of_it(
    sets: list[set[int] | None], temperature: float, seed: int
) -> None:
    sampling = Sampling(temperature=temperature, top_k=2, top_p=0.9, repetition_penalty=1.2, seed=seed)
    logits = torch.randn(len(sets), 6, generator=torch.Generator().manual_seed(seed))
    before = logits.clone()
    tokens, _ = choose(logits, [Choosing(sampling, 0, (0, 3), allowed) for allowed in sets])
    assert torch.equal(logits, before)
    for place, (token, allowed) in enumerate(zip(tokens.tolist(), sets, strict=True)):
        assert allowed is None or token in allowed
        alone, _ = choose(logits[place : place + 1], [Choosing(sampling, 0, (0, 3), allowed)])
        assert token == int(alone)


def test_the_favourite_of_what_is_allowed_and_its_near_ties() -> None:
    logits = torch.tensor([[9.0, 1.0, 1.0 - 5e-5, 0.0]]).expand(3, -1)
    rows = [Choosing(Sampling(), 0, (), allowed) for allowed in ({1, 2}, {1, 3}, {2})]
    tokens, near = choose(logits, rows)
    assert tokens.tolist() == [1, 1, 2]
    assert near.tolist() == [True, False, False]


# The engine.


@settings(max_examples=25, deadline=None)
@given(SLATES, st.sampled_from([0.0, 1.0]), st.integers(0, 99), st.booleans())
def test_a_finished_reply_is_a_span_or_the_refusal(
    family: Family, tokenizer: Any, slate: tuple[Snippet, ...], temperature: float, seed: int, steered: bool
) -> None:
    sampling = replace(VERBATIM, temperature=temperature, seed=seed)
    request = Request(Prompt("why", slate), (Pair("law"),) if steered else (), sampling)
    (generation,) = asyncio.run(_together(family, [request]))
    assert generation.finish_reason == "stop"
    assert generation.token_ids in _replies(family.part("base").format, tokenizer, slate, polar=False)
    span = generation.text
    texts = [REFUSAL, *(clean(text) for one in slate for text in (one.title, one.text))]
    assert any(span in text or span[:1].swapcase() + span[1:] in text for text in texts)


async def test_together_is_alone(family: Family) -> None:
    drawn = replace(VERBATIM, temperature=0.9, top_p=0.95, repetition_penalty=1.1)
    requests = [
        Request(Prompt(question, SLATE[: n % 4]), (Pair("law"),) if n % 2 else (), replace(sampling, seed=n))
        for n, question in enumerate(("What?", "Who pays?", "Why is that?", "And then?"))
        for sampling in (VERBATIM, drawn, Sampling(max_new_tokens=8))
    ]
    for request, generation in zip(requests, await _together(family, requests), strict=True):
        (alone,) = await _together(family, [request])
        assert alone.token_ids == generation.token_ids
        assert alone.text == generation.text


async def test_log_probabilities_and_the_trace_are_of_the_steered_logits(family: Family) -> None:
    free = Request(Prompt("why", SLATE), (Pair("law"),), Sampling(max_new_tokens=1))
    bound = replace(free, sampling=VERBATIM, id="bound")
    one, other = await _together(family, [free, bound])
    assert other.trace.steered_top[0] == one.token_ids[0]
    assert other.token_ids[0] != one.token_ids[0]
    assert other.logprobs[0] < one.logprobs[0]
    assert other.trace.kl[0] == pytest.approx(one.trace.kl[0], abs=2e-3)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request("as it is", sampling=VERBATIM), "a bare string has none"),
        (Request(Prompt("why", SLATE), sampling=VERBATIM, plausibility=0.1), "plausibility exclude"),
    ],
)
async def test_what_verbatim_can_not_go_with(family: Family, request_: Request, words: str) -> None:
    with pytest.raises(EngineError, match=words):
        await _together(family, [request_])


async def _together(family: Family, requests: Sequence[Request]) -> list[Generation]:
    async with Engine(family) as engine:
        return list(await asyncio.gather(*(engine.complete(request) for request in requests)))
