"""Which of the excerpts that were read supports an answer: by its words, so that anyone can check."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from proxycouncil.graphs.state import Citation, ExcerptRecord

_WORD = re.compile(r"\w+(?:[.,]\d+)*")
_HOLLOW = frozenset(
    "a an and are as at be been but by can do does for from had has have he her his how if in into is it its "
    "may no not of on or she so such than that the their them then there these they this to was we were what "
    "when where which who whom whose why will with would yes you your".split()
)
_ENOUGH = 0.6
"""Share of an answer's content words that must stand in an excerpt before it is cited."""


# Every member reads the shared slate: its words are the same for all of them.
@lru_cache(maxsize=1024)
def content_words(text: str) -> tuple[str, ...]:
    """Lower-cased words that carry meaning; all of them where a text has no others."""
    words = tuple(word.casefold() for word in _WORD.findall(text))
    return tuple(word for word in words if word not in _HOLLOW) or words


def support(answer: str, excerpt: str) -> float:
    """Share of the answer's content words that stand in the excerpt, 1.0 where it stands there verbatim."""
    wanted = content_words(answer)
    if not wanted:
        return 0.0
    if _flat(answer) in _flat(excerpt):
        return 1.0
    there = set(content_words(excerpt))
    return sum(word in there for word in wanted) / len(wanted)


def cite(answer: str, question: str, excerpts: Sequence[ExcerptRecord]) -> tuple[list[Citation], float]:
    """The excerpt that supports the answer best, and how well.

    Ties go to the excerpt that shares more words with the question, then to the better ranked. Nothing is
    cited under six words in ten: a citation that does not support the answer is not shown.
    """
    best: tuple[float, float, int] | None = None
    asked = set(content_words(question))
    for index, excerpt in enumerate(excerpts):
        behind_title = f"{excerpt['title']}: {excerpt['text']}"
        shared = len(asked & set(content_words(behind_title))) / max(1, len(asked))
        rank = (support(answer, excerpt["text"]), shared, -index)
        best = rank if best is None else max(best, rank)
    if best is None:
        return [], 0.0
    if best[0] < _ENOUGH:
        return [], best[0]
    return [citation(excerpts[-best[2]])], best[0]


def relevance(citations: Sequence[Citation], excerpts: Sequence[ExcerptRecord]) -> float | None:
    """How near what is cited is to the question, as its searcher scored it; None of nothing."""
    cited = {(one["passage_id"], one["start"]) for one in citations}
    scores = [one["score"] for one in excerpts if (one["passage_id"], one["start"]) in cited]
    return max(scores, default=None)


def citation(excerpt: ExcerptRecord) -> Citation:
    """The excerpt as a citation of itself."""
    made = Citation(
        passage_id=excerpt["passage_id"],
        title=excerpt["title"],
        source=excerpt["source"],
        start=excerpt["start"],
        end=excerpt["end"],
        quote=excerpt["text"],
        domain=excerpt["domain"],
    )
    if "place" in excerpt:
        made["place"] = excerpt["place"]
    return made


@lru_cache(maxsize=1024)
def _flat(text: str) -> str:
    """The words alone, so that punctuation and line breaks do not hide a verbatim quotation."""
    return f" {' '.join(word.casefold() for word in _WORD.findall(text))} "
