"""Make the small set of general reading cases that `council tune` mixes with a domain's own.

    python training/general_cases.py --corpus CORPUS --out council/starter

Knows the corpus' record forms and how a reading case is cut from them; takes works under CC BY and
CC BY-SA only and writes down which. Knows nothing of models, tokens or the handbooks.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import math
import random
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from proxycouncil.specialists.cases import REFUSAL, Case, write_cases
from proxycouncil.specialists.questions import mentions
from proxycouncil.specialists.request import Snippet

QUOTAS: Mapping[str, int] = {
    "SQuAD v1.1 train": 1200,
    "BoolQ": 150,
    "QED (Natural Questions)": 300,
    "Quoref (Natural Instructions task002)": 300,
    # Few: of a question that shares its words with a passage the reader learns to despair.
    "unanswerable": 160,
    "definition": 1300,
    "cloze": 900,
    "what": 800,
    "term": 600,
    "why": 350,
    "health": 350,
    "when": 150,
    "stands": 150,
    "parts": 150,
    "called": 150,
    "number": 120,
    "use": 100,
    "who": 90,
}
"""Cases by kind, for text made by rule, or by source, for questions written by people."""

GLOSSARY_QUOTA = 1400
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
_FREE_LICENSE = re.compile(r"CC BY(-SA)? [34]\.0")


@dataclass(frozen=True, slots=True)
class Work:
    """Where a text is from, as it must be named."""

    title: str
    origin: str
    license: str
    attribution: str


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
        return sum(self.of(word) for word in set(words(first)) & set(words(second)))


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


def glossary_cases(entries: Sequence[dict[str, Any]], count: int, draw: random.Random) -> Iterator[Case]:
    """A term's sentence among up to four others of its domain; half ask what it means, half for the term."""
    usable = [entry for entry in entries if _usable(entry)]
    for entry in draw.sample(usable, min(count, len(usable))):
        others = [other for other in draw.sample(usable, 8) if other["domain"] == entry["domain"]]
        slate = [entry, *(other for other in others if other["term"] != entry["term"])][: draw.randint(1, 5)]
        refuse = len(slate) > 1 and draw.random() < WITHOUT_ANSWER
        snippets = [_glossary_snippet(other, draw) for other in (slate[1:] if refuse else slate)]
        draw.shuffle(snippets)
        question, answer = _glossary_question(entry, draw)
        yield Case(
            question=typed(question, draw),
            snippets=tuple(snippets),
            answer=REFUSAL if refuse else answer,
            group="general",
            entry=entry["term"].lower(),
            source=entry["book"],
            license=entry["license"],
        )


def _usable(entry: Mapping[str, str]) -> bool:
    term, meaning = entry["term"], entry["meaning"]
    plain = re.fullmatch(r"[A-Za-z][\w' -]*", term) and re.fullmatch(
        r"(an?|the|any|when|how) [^;:=_^()]*", meaning
    )
    return bool(plain) and len(term.split()) <= 4 and 3 <= len(meaning.split()) <= 28


def _glossary_snippet(entry: Mapping[str, str], draw: random.Random) -> Snippet:
    term, meaning = entry["term"], entry["meaning"].rstrip(".")
    verb = "are" if re.search(r"[^su]s$", term) else "is"
    text = draw.choice(
        (
            f"{_upper(term)} {verb} {meaning}.",
            f"{_upper(term)} means {meaning}.",
            f"{_upper(term)} refers to {meaning}.",
            f"The term {term} stands for {meaning}.",
            f"{_upper(meaning)} {verb} called {term}.",
            f"In {entry['domain']}, {term} {verb} {meaning}.",
        )
    )
    return Snippet(_upper(term) if draw.random() < 0.7 else _upper(entry["domain"]), text)


def _glossary_question(entry: Mapping[str, str], draw: random.Random) -> tuple[str, str]:
    term, meaning = entry["term"], entry["meaning"].rstrip(".")
    verb = "are" if re.search(r"[^su]s$", term) else "is"
    meant = (
        f"What {verb} {term}?",
        f"What does {term} mean?",
        f"Define {term}.",
        f"What is meant by {term}?",
    )
    named = (
        f"What do you call {meaning}?",
        f"Which term means {meaning}?",
        f"What is the name for {meaning}?",
    )
    if draw.random() < 0.5:
        return draw.choice(meant), f"{_upper(term)} {verb} {meaning}."
    return draw.choice(named), term


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def reading_cases(records: Sequence[dict[str, Any]], draw: random.Random) -> Iterator[Case]:
    """Cases of every kind up to its quota, at most two a context."""
    maker, left = ReadingCases(records, draw), dict(QUOTAS)
    used: Counter[str] = Counter()
    for record in draw.sample(records, len(records)):
        kind = record["source"] if record["kind"] == "crowd" else record["kind"]
        if left.get(kind, 0) <= 0 or used[record["context"]] >= 2:
            continue
        if case := maker.case(record):
            left[kind] -= 1
            used[record["context"]] += 1
            yield case


def read_reading(corpus: Path) -> list[dict[str, Any]]:
    """The reading records under a free licence."""
    import zstandard

    with (corpus / "reading/train.jsonl.zst").open("rb") as packed:
        stream = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(packed), encoding="utf-8")
        records = (json.loads(line) for line in stream)
        return [record for record in records if _FREE_LICENSE.fullmatch(record["license"])]


def read_glossary(corpus: Path) -> list[dict[str, Any]]:
    """The glossary entries under a free licence, each with its domain."""
    found: list[dict[str, Any]] = []
    for path in sorted((corpus / "glossary/train").glob("*.jsonl")):
        entries = map(json.loads, path.read_text(encoding="utf-8").split("\n")[:-1])
        found += [e | {"domain": path.stem} for e in entries if _FREE_LICENSE.fullmatch(e["license"])]
    return found


def read_works(corpus: Path) -> dict[str, Work]:
    """Who must be named for which work: the tables of the corpus' README."""
    found = {
        "Glosario (The Carpentries)": Work(
            "Glosario (The Carpentries)", "carpentries/glosario", "CC BY 4.0", "The Carpentries"
        ),
        "Cloud Native Glossary (CNCF)": Work(
            "Cloud Native Glossary", "cncf/glossary", "CC BY 4.0", "Cloud Native Computing Foundation"
        ),
    }
    for line in (corpus / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        row = cells[1:5] if len(cells) == 8 else cells[:4] if len(cells) == 6 else []
        if row and _FREE_LICENSE.fullmatch(row[2]):
            found[row[0]] = Work(*row)
    return found


def attribution(cases: Sequence[Case], works: Mapping[str, Work]) -> str:
    """The notice that goes with the cases: every work, its licence, its authors, what was changed."""
    counts = Counter(case.source for case in cases)
    rows = [
        f"| {work.title} | {work.origin} | {work.license} | {work.attribution} | {counts[name]:,} |"
        for name in sorted(counts)
        if (work := works[name])
    ]
    return "\n".join((_NOTICE, *rows, ""))


_NOTICE = """# Attribution of the general reading cases

`general-cases.jsonl.gz` is made by `training/general_cases.py` from the works below and is, as a
whole, under the Creative Commons Attribution-ShareAlike 4.0 International licence
(https://creativecommons.org/licenses/by-sa/4.0/), apart from the rest of the package. Each case names
its own work and licence in `source` and `license`.

Changed: the texts were cut into sentences, of which a few are shown in another order behind a made
title; glossary entries were worded as sentences; questions were made by rule where the source has
none, some lower-cased; answers were removed from some slates and replaced by a refusal.

| work | from | licence | attribution | cases |
|---|---|---|---|---:|"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the corpus, write the cases and their attribution."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else None)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with reading/ and glossary/")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    draw = random.Random(options.seed)
    cases = [
        *reading_cases(read_reading(options.corpus), draw),
        *glossary_cases(read_glossary(options.corpus), GLOSSARY_QUOTA, draw),
    ]
    works = read_works(options.corpus)
    cases = [replace(case, source=case.source.split(", question of")[0]) for case in cases]
    options.out.mkdir(parents=True, exist_ok=True)
    write_cases(
        options.out / "general-cases.jsonl.gz", sorted(cases, key=lambda case: (case.source, case.entry))
    )
    (options.out / "ATTRIBUTION.md").write_text(attribution(cases, works), encoding="utf-8")
    print(f"{len(cases):,} cases, {sum(case.is_refusal for case in cases):,} of them refusals")


if __name__ == "__main__":
    main()
