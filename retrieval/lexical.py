"""Words → BM25 scores, by bm25s with our own tokens.

Knows what a word is where terms and numbers matter: "C++", "-5" and "3.5%" are words, which the usual
tokenisers drop. Knows no passages: a document here is a title and a text, and a score is for its position.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from bm25s import BM25

_TITLE_WEIGHT = 2
_TOKEN = re.compile(
    r"[^\W\d]\w*(?:'\w+)*(?:\+\+|#)?"  # words, don't, C++, F#
    r"|(?<![\w.])-?\d+(?:[.,]\d+)*%?"  # -5, 3.5%; the hyphen of COVID-19 is no minus
    r"|\w+"
)
_DROPPED = re.compile(r",(?<=\d,)(?=\d{3}(?!\d))|'s\b")
"""The commas of 1,000,000 and the 's of a possessive."""

_STOP_WORDS = frozenset(
    "a an and are as at be by can could did do does for from had has have how i if in into is it its me my "
    "of on or so than that the their them then there these they this those to was were what when "
    "where which who whom whose why will with would you your".split()
)


def tokens(text: str) -> list[str]:
    """Lower-case words and numbers; a text of nothing but stop words keeps them."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("−", "-").replace("’", "'")
    words: list[str] = _TOKEN.findall(_DROPPED.sub("", folded))
    return [word for word in words if word not in _STOP_WORDS] or words


def share_said(words: Mapping[str, float], text: str) -> float:
    """How much of the weight of these words a text says, in [0, 1]; 0 of none."""
    whole = math.fsum(words.values())
    return math.fsum(words[word] for word in words.keys() & set(tokens(text))) / whole if whole else 0.0


class LexicalIndex:
    """BM25 (Lucene's form, k1 = 1.5, b = 0.75) over titled texts; the title counts twice."""

    def __init__(self, documents: Sequence[tuple[str, str]]) -> None:
        self._size = len(documents)
        self._vocabulary: dict[str, int] = {}
        self._bm25 = self._build(documents)

    def scores(self, question: str) -> NDArray[np.float32]:
        """One score a document, in their order; 0 without a common word."""
        known = [self._vocabulary[word] for word in tokens(question) if word in self._vocabulary]
        if self._bm25 is None or not known:
            return np.zeros(self._size, np.float32)
        return np.asarray(self._bm25.get_scores_from_ids(known), np.float32)

    def rarities(self, question: str) -> dict[str, float]:
        """The question's words with how rare each is here: log((N + 1) / (documents with it + ½))."""
        return {
            word: math.log((self._size + 1) / (self._documents_with(word) + 0.5))
            for word in dict.fromkeys(tokens(question))
        }

    def _documents_with(self, word: str) -> int:
        if self._bm25 is None or word not in self._vocabulary:
            return 0
        # One column a word, one entry a document that has it.
        begin, end = self._bm25.scores["indptr"][self._vocabulary[word] :][:2]
        return int(end - begin)

    def _build(self, documents: Sequence[tuple[str, str]]) -> BM25 | None:
        numbered = [
            [self._vocabulary.setdefault(word, len(self._vocabulary)) for word in words]
            for words in (tokens(title) * _TITLE_WEIGHT + tokens(text) for title, text in documents)
        ]
        if not self._vocabulary:
            return None
        from bm25s import BM25

        index = BM25(method="lucene")
        index.index((numbered, self._vocabulary), create_empty_token=False, show_progress=False)
        return index
