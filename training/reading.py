"""Reading cases from passages with questions: a few sentences, the answer's own among them or left out.

Knows how a passage is cut, ranked and titled. Knows nothing of where records are stored, of tokens or models.
"""

from __future__ import annotations

import itertools
import math
import random
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from proxycouncil.specialists.cases import REFUSAL, Case
from proxycouncil.specialists.questions import mentions
from proxycouncil.specialists.request import Snippet

WITHOUT_ANSWER = 0.03
TYPED = 0.25
"""Share of questions as people type them: lower case, no question mark."""
FOREIGN_SENTENCE = 0.35
"""Share of slates in which the last sentence is of another passage of the same work."""
RANK_NOISE = 0.6
MAX_SENTENCE_WORDS, MAX_SLATE_WORDS, MAX_ANSWER_WORDS = 42, 110, 38

_ABBREVIATION = re.compile(r"(?:\b(?:[A-Z]|Dr|Mr|Mrs|Ms|St|Jr|Sr|vs|No|Fig|e\.g|i\.e|etc|ca|approx|U\.S))\.$")
_BOUNDARY = re.compile(r"(?<=[.!?])[\"')\]]?\s+(?=[A-Z0-9\"'(])")
_WORD = re.compile(r"\w+")


class Rarity:
    """How rare each word is: the inverse document frequency over a sample of texts."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._documents = 0
        self._counts: Counter[str] = Counter()
        for text in texts:
            self._documents += 1
            self._counts.update(set(words(text)))

    def of(self, word: str) -> float:
        """Natural logarithm; a word never seen is the rarest."""
        return math.log((self._documents + 1) / (self._counts[word] + 1))

    def shared(self, first: str, second: str) -> float:
        """Weight of the words that two texts share."""
        # fsum: the order of a set of strings differs from run to run, the sum must not.
        return math.fsum(self.of(word) for word in word_set(first) & word_set(second))


@lru_cache(maxsize=100_000)  # a sentence or a meaning is compared with many others
def word_set(text: str) -> frozenset[str]:
    """Its different words and numbers, lower-cased."""
    return frozenset(words(text))


def words(text: str) -> list[str]:
    """Lower-cased words and numbers."""
    return _WORD.findall(text.lower())


def sentences(text: str) -> list[str]:
    """Cut at sentence ends, not behind an abbreviation."""
    found: list[str] = []
    for piece in _BOUNDARY.split(text):
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    return [piece.strip() for piece in found if piece.strip()]


def title_of(context: str, rarity: Rarity) -> str:
    """What a passage is about: its most telling word, with its neighbour if they keep together."""
    tokens = re.findall(r"\b[A-Za-z][\w-]+", context)
    counts = Counter(token.lower() for token in tokens)
    pairs = Counter(itertools.pairwise(tokens))
    best = max(tokens, key=lambda token: counts[token.lower()] * rarity.of(token.lower()), default="Passage")
    together = [(count, pair) for pair, count in pairs.items() if best in pair and min(map(len, pair)) > 3]
    count, pair = max(together, default=(0, (best, "")))
    title = " ".join(pair) if count >= 2 else best
    return title[:1].upper() + title[1:]


class ReadingCases:
    """Cases from the records of `reading/train`, whose equal contexts stand next to each other."""

    def __init__(self, records: Sequence[dict[str, Any]], draw: random.Random) -> None:
        self._draw = draw
        self._rarity = Rarity(record["context"] for record in draw.sample(records, min(20_000, len(records))))
        self._contexts: dict[str, list[str]] = defaultdict(list)
        for record in records:
            contexts = self._contexts[record["source"]]
            if not contexts or contexts[-1] != record["context"]:
                contexts.append(record["context"])

    def case(self, record: dict[str, Any]) -> Case | None:
        """One case, or None where the record makes no good one."""
        ranked = self._ranked(record)
        gold = self._gold(record, ranked)
        if gold is None or len(record["answer"].split()) > MAX_ANSWER_WORDS:
            return None
        refuse = not record["answerable"] or (self._draw.random() < WITHOUT_ANSWER and bool(gold))
        shown = self._shown(record, ranked, gold, refuse=refuse)
        if not shown or sum(len(text.split()) for _, text in shown) > MAX_SLATE_WORDS:
            return None
        return Case(
            question=typed(record["question"].removeprefix("Fill the gap: "), self._draw),
            snippets=tuple(Snippet(self._title(context), text) for context, text in shown),
            answer=REFUSAL if refuse else record["answer"],
            group="general",
            entry=f"{zlib.crc32(record['context'].encode()):08x}",
            source=record["source"].removeprefix("made by rule from "),
            license=record["license"],
        )

    def _ranked(self, record: dict[str, Any]) -> list[str]:
        """The passage's sentences by the rarity of the words they share with the question, with noise."""
        pieces = [piece for piece in sentences(record["context"]) if len(piece.split()) <= MAX_SENTENCE_WORDS]
        scores = {piece: self._rarity.shared(record["question"], piece) for piece in pieces}
        spread = max(scores.values(), default=0.0) * RANK_NOISE
        return sorted(pieces, key=lambda piece: -scores[piece] - self._draw.random() * spread)

    def _gold(self, record: dict[str, Any], ranked: Sequence[str]) -> list[str] | None:
        """Sentences that hold the answer, best first; None where none does though one should."""
        if not record["answerable"]:
            return []
        if record["answer"] in ("Yes", "No"):
            return list(ranked[:2]) or None
        return [piece for piece in ranked if mentions(piece, [record["answer"]])] or None

    def _shown(
        self, record: dict[str, Any], ranked: Sequence[str], gold: Sequence[str], *, refuse: bool
    ) -> list[tuple[str, str]]:
        """(context, sentence) from the first on, the answer's forced in, or all such left out."""
        context, count = record["context"], self._draw.choice((1, 2, 3, 3, 4, 4, 5))
        if refuse:
            chosen = [piece for piece in ranked if piece not in gold][: max(count, 2)]
        else:
            chosen = list(ranked[:count])
            if not set(gold) & set(chosen):
                chosen[-1:] = [gold[0]]
        shown = [(context, piece) for piece in chosen]
        if len(shown) < 5 and self._draw.random() < FOREIGN_SENTENCE:
            shown += self._foreign(record)
        return shown

    def _foreign(self, record: dict[str, Any]) -> list[tuple[str, str]]:
        """A sentence of another passage of the work that does not hold the answer."""
        context = self._draw.choice(self._contexts[record["source"]])
        fit = [piece for piece in sentences(context) if 5 < len(piece.split()) <= 30]
        free = [piece for piece in fit if not (record["answer"] and mentions(piece, [record["answer"]]))]
        if context == record["context"] or not free:
            return []
        return [(context, max(free, key=lambda piece: self._rarity.shared(record["question"], piece)))]

    def _title(self, context: str) -> str:
        return title_of(context, self._rarity)


def typed(question: str, draw: random.Random) -> str:
    """The question as it is or, now and then, as it would be typed."""
    return question.lower().rstrip("?").rstrip() if draw.random() < TYPED else question
