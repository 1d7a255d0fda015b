"""Passages that are too long for a prompt → what of them stands in for the text, within a budget of tokens.

Three ways: *cut* off what comes last; the best *sentences*; *facts*, a record of each passage made by rule,
its clauses by what they hold (definition, date, number, name, relation), nearest to the question first.
Everything kept is a span of its passage, so a citation stays exact. Knows no model: tokens are counted by the
caller, and so is how near a text is to the question.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from proxycouncil.retrieval.passage import Excerpt, Passage
from proxycouncil.retrieval.sentences import sentence_spans
from proxycouncil.retrieval.slate import best_sentences, sentences_of

Way: TypeAlias = Literal["cut", "sentences", "facts"]
Count: TypeAlias = Callable[[str], int]
Near: TypeAlias = Callable[[Sequence[str]], Sequence[float]]
"""Texts → how near each is to the question, a cosine."""
FactKind: TypeAlias = Literal["definition", "number", "date", "name", "relation"]

_SHORTEST_CLAUSE = 3
_CLAUSE_END = re.compile(
    r";\s+|:\s+|,\s+(?:and|but|so|because|while|whereas|which|who|where|when|as)\s+(?=\S)"
    r"|,\s+(?=(?:for example|for instance|such as)\b)|\s+(?=(?:because|whereas|while)\s)"
)
_DATE = re.compile(r"\b(?:1[0-9]|20)\d\d\b|\b\d{1,2} (?:January|February|March|April|May|June|July|August"
                   r"|September|October|November|December)\b")  # fmt: skip
_NUMBER = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|sixty"
    r"|seventy|eighty|ninety|hundred|thousand|million|billion|half|third|quarter|percent)\b", re.IGNORECASE
)  # fmt: skip
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w'’-]+")
_DEFINES = re.compile(r"^\W*(?:(?:an?|the) )?[\w' -]{1,60}? (?:is|are|means|refers to) ", re.IGNORECASE)


class Fact(BaseModel):
    """A span of a passage that says one thing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FactKind
    text: str
    start: int
    """Character offset in the passage."""


class Facts(BaseModel):
    """What a passage holds, as a record."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    facts: tuple[Fact, ...]


def facts_of(passage: Passage) -> Facts:
    """The record of a passage: its clauses in their order, each with what kind of fact it holds."""
    return Facts(title=passage.title, facts=tuple(_facts(passage.text)))


def compressed(
    passages: Sequence[Passage], way: Way, *, budget_tokens: int, count: Count, near: Near
) -> list[Excerpt]:
    """What stands in for the passages, best first where there is a choice.

    Args:
        passages: best first.
        way: how.
        budget_tokens: of all titles and texts together.
        count: tokens of a text.
        near: how near texts are to the question.
    """
    if way == "cut":
        return _cut(passages, budget_tokens, count)
    if way == "sentences":
        found = sentences_of(passages)
        ranked = best_sentences(found, near([one.text for one in found]), len(found))
    else:
        found = [one for passage in passages for one in _fact_excerpts(passage)]
        ranked = best_sentences(
            found, near([f"{one.passage.title}: {one.text}" for one in found]), len(found)
        )
    return _fitting(ranked, budget_tokens, count)


def _facts(text: str) -> Iterator[Fact]:
    for number, (start, end) in enumerate(sentence_spans(text)):
        for place, (first, last) in enumerate(_clauses(text, start, end)):
            clause = text[first:last]
            yield Fact(kind=_kind(clause, opening=number == 0 and place == 0), text=clause, start=first)


def _clauses(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Spans of a sentence's clauses; one that is too short stays with the one before."""
    begin = start
    for found in _CLAUSE_END.finditer(text, start, end):
        if len(text[begin : found.start()].split()) < _SHORTEST_CLAUSE:
            continue
        if len(text[found.end() : end].split()) < _SHORTEST_CLAUSE:
            break
        yield begin, found.start()
        begin = found.end()
    yield begin, end


def _kind(clause: str, *, opening: bool) -> FactKind:
    if opening and _DEFINES.match(clause):
        return "definition"
    for kind, pattern in (("date", _DATE), ("number", _NUMBER), ("name", _NAME)):
        if pattern.search(clause):
            return kind  # type: ignore[return-value]  # one of the literals above
    return "relation"


def _fact_excerpts(passage: Passage) -> Iterator[Excerpt]:
    for fact in facts_of(passage).facts:
        begin = passage.start + fact.start
        yield Excerpt(passage, fact.text, begin, begin + len(fact.text))


def _cut(passages: Sequence[Passage], budget: int, count: Count) -> list[Excerpt]:
    """Whole passages while they fit, then as many words of the next as do."""
    kept: list[Excerpt] = []
    for passage in passages:
        text = passage.text
        taken = _first_words(text, budget - count(f"{passage.title}: "), count)
        if not taken:
            break
        kept.append(Excerpt(passage, taken, passage.start, passage.start + len(taken), passage.score))
        budget -= count(f"{passage.title}: {taken}")
        if taken != text:
            break
    return kept


def _first_words(text: str, budget: int, count: Count) -> str:
    """The longest beginning that ends with a word and fits, by bisection."""
    if count(text) <= budget:
        return text
    ends = [found.end() for found in re.finditer(r"\S+", text)]
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(text[: ends[middle - 1]]) <= budget else (low, middle - 1)
    return text[: ends[low - 1]] if low else ""


def _fitting(ranked: Sequence[Excerpt], budget: int, count: Count) -> list[Excerpt]:
    """The best that fit, each with its title; one too long is passed over for shorter ones."""
    kept: list[Excerpt] = []
    for one in ranked:
        cost = count(f"{one.passage.title}: {one.text}")
        if cost <= budget:
            kept.append(one)
            budget -= cost
    return kept
