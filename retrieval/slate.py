"""Passages → what a member reads: whole passages, or the best sentences of the best, in an asked order.

Knows spans, scores and orders, all pure; how near a sentence is to the question is for the caller to say.
Three sentences hold what five passages hold, with a tenth of the words (docs/retrieval.md).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Literal, TypeAlias

from proxycouncil.retrieval.lexical import share_said, tokens
from proxycouncil.retrieval.passage import Excerpt, Passage
from proxycouncil.retrieval.sentences import sentence_spans

Form: TypeAlias = Literal["sentences", "passages"]
Order: TypeAlias = Literal["best_first", "best_last", "edges", "shuffled"]

_WORD = re.compile(r"\w+")
_SENTENCE_ENDS = tuple(".!?;:…。！？\"'”’)]")
PASSAGES_READ = 5
"""Sentences are taken from this many best passages."""
RANK_WEIGHT = 4.5
"""A passage's fused score (1/61 at most from each ranking) beside a sentence's cosine."""
WORDS_WEIGHT = 0.3
"""The share of the question's words that a sentence says, beside its cosine."""
DEFINITION = 1.0
"""What a sentence that defines what is asked for says beside that share."""

_ASKING = frozenset("define definition describe explain mean meaning means meant say tell whats".split())
"""Words of a question that asks what something is."""


def whole_passages(passages: Sequence[Passage]) -> list[Excerpt]:
    """Each passage as one excerpt, with its score."""
    return [Excerpt(passage, passage.text, passage.start, passage.end, passage.score) for passage in passages]


def sentences_of(passages: Sequence[Passage]) -> list[Excerpt]:
    """Every sentence of the passages, unscored, each text once."""
    excerpts: dict[str, Excerpt] = {}
    for passage in passages:
        for start, end in sentence_spans(passage.text):
            text = passage.text[start:end]
            excerpt = Excerpt(passage, text, passage.start + start, passage.start + end)
            excerpts.setdefault(" ".join(text.split()), excerpt)
    return list(excerpts.values())


def telling(sentences: Sequence[Excerpt], question: str) -> list[Excerpt]:
    """Without headings that only repeat the question's words: nearest of all to it, they answer nothing."""
    asked = set(_WORD.findall(question.casefold()))
    kept = [
        one
        for one in sentences
        if one.text.endswith(_SENTENCE_ENDS) or not asked.issuperset(_WORD.findall(one.text.casefold()))
    ]
    return kept or list(sentences)


def nearness(*, cosine: float, said: float, fused: float) -> float:
    """How near a text is to the question: by its meaning, by its words (`said`), by its passage's rank."""
    return cosine + WORDS_WEIGHT * said + RANK_WEIGHT * fused


def words_said(sentences: Sequence[Excerpt], rarities: Mapping[str, float]) -> list[float]:
    """How near each sentence is by its words: the share of the question's that it and its title say.

    Where a question asks for nothing but what the title is, a sentence that begins with it says
    `DEFINITION` more.

    Args:
        sentences: of passages that were found.
        rarities: the question's words, and what each weighs.
    """
    asked = rarities.keys() - _ASKING
    return [
        share_said(rarities, f"{one.passage.title} {one.text}") + DEFINITION * _defines(one, asked)
        for one in sentences
    ]


def _defines(sentence: Excerpt, asked: Set[str]) -> bool:
    title = tokens(sentence.passage.title)
    return bool(asked) and asked <= set(title) and tokens(sentence.text)[: len(title)] == title


def best_sentences(
    sentences: Sequence[Excerpt], cosines: Sequence[float], limit: int, *, said: Sequence[float] | None = None
) -> list[Excerpt]:
    """The sentences nearest to the question, those of higher passages favoured; best first.

    `said`: how near each is by its words (`words_said`), where that is to count.
    """
    shares = said if said is not None else [0.0] * len(sentences)
    scored = [
        replace(one, score=nearness(cosine=cosine, said=share, fused=one.passage.score))
        for one, cosine, share in zip(sentences, cosines, shares, strict=True)
    ]
    return sorted(scored, key=lambda excerpt: (-excerpt.score, excerpt.passage.id, excerpt.start))[
        : max(limit, 0)
    ]


def within_budget(
    excerpts: Sequence[Excerpt], budget_tokens: int | None, count_tokens: Callable[[str], int] | None
) -> list[Excerpt]:
    """The first excerpts, best first, whose titles and texts together fit; all without a budget."""
    if budget_tokens is None or count_tokens is None:
        return list(excerpts)
    kept = []
    for excerpt in excerpts:
        budget_tokens -= count_tokens(f"{excerpt.passage.title}: {excerpt.text}")
        if budget_tokens < 0:
            break
        kept.append(excerpt)
    return kept


def arrange(excerpts: Sequence[Excerpt], order: Order, seed: int = 0) -> list[Excerpt]:
    """Best-first excerpts in the asked order.

    `edges` puts the best at both ends, where long prompts are read best; `shuffled` depends on the seed and
    on which excerpts there are, alone.
    """
    if order == "best_last":
        return list(excerpts)[::-1]
    if order == "edges":
        return [*excerpts[::2], *list(excerpts[1::2])[::-1]]
    if order == "shuffled":
        fixed = sorted(excerpts, key=lambda excerpt: (excerpt.passage.id, excerpt.start))
        return random.Random(seed).sample(fixed, len(fixed))
    return list(excerpts)
