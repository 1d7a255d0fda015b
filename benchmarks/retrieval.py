"""Prints how well the starter's library finds things: `python -m benchmarks.retrieval [--json FILE]`.

On the test part of the questions, over all six domains together: how often the right entry is among the first
1, 3 and 5 passages for each way of searching (with and without sentence vectors), and how often an accepted
answer stands in a slate of 1 to 8 sentences. And what a question costs once models are loaded: affinities, a
shared slate and three of one domain each.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from proxycouncil.council.starter import DIRECTORY, open_library
from proxycouncil.eval.splits import Question, load_questions
from proxycouncil.retrieval.library import Library
from proxycouncil.retrieval.search import Mode

DEPTHS = (1, 3, 5)
SENTENCES = (1, 2, 3, 4, 6, 8)
TIMED = 50

Figures = dict[str, dict[str, float]]


def main() -> None:
    """A table on stdout; the same figures as JSON where asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    questions = load_questions(DIRECTORY / "questions", only="test")
    figures = measure(questions)
    print(f"{len(questions)} questions")
    for name, row in figures.items():
        print(f"{name:<44}" + "  ".join(f"{key} {value:.3f}" for key, value in row.items()))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measure(questions: Sequence[Question]) -> Figures:
    """Every row of the table."""
    with open_library() as library, Library(library.stats().place, root=DIRECTORY) as bare:
        return {
            "recall: dense, passage vectors alone": recall(bare, questions, "dense"),
            "recall: hybrid, passage vectors alone": recall(bare, questions, "hybrid"),
            "recall: dense, sentence vectors too": recall(library, questions, "dense"),
            "recall: BM25": recall(library, questions, "bm25"),
            "recall: hybrid, sentence vectors too": recall(library, questions, "hybrid"),
            "accepted answer among sentences": sentence_slates(library, questions),
            "words shown in sentences": words_shown(library, questions),
            "accepted answer in whole passages": passage_slates(library, questions),
            "seconds a question": seconds(library, questions[:TIMED]),
        }


def recall(library: Library, questions: Sequence[Question], mode: Mode) -> dict[str, float]:
    """Share of the questions with their entry among the first."""
    ranks = []
    for question in questions:
        found = library.search(question.text, limit=max(DEPTHS), mode=mode)
        ranks.append(_first((p.domain, p.title) == (question.domain, question.entry) for p in found))
    return _shares(ranks, DEPTHS)


def sentence_slates(library: Library, questions: Sequence[Question]) -> dict[str, float]:
    """Share of the questions with an accepted string among the first sentences."""
    ranks = []
    for question in questions:
        slate = library.slate(question.text, limit=max(SENTENCES))
        ranks.append(_first(holds_answer(excerpt.text, question) for excerpt in slate))
    return _shares(ranks, SENTENCES)


def passage_slates(library: Library, questions: Sequence[Question]) -> dict[str, float]:
    """Share of the questions with an accepted string among the first passages."""
    ranks = []
    for question in questions:
        slate = library.slate(question.text, form="passages", limit=max(DEPTHS))
        ranks.append(_first(holds_answer(excerpt.text, question) for excerpt in slate))
    return _shares(ranks, DEPTHS)


def words_shown(library: Library, questions: Sequence[Question]) -> dict[str, float]:
    """Mean number of words of the first sentences."""
    slates = [library.slate(question.text, limit=max(SENTENCES)) for question in questions]
    return {
        str(count): statistics.mean(sum(len(e.text.split()) for e in slate[:count]) for slate in slates)
        for count in SENTENCES
    }


def seconds(library: Library, questions: Sequence[Question]) -> dict[str, float]:
    """Median and slowest tenth of what a turn asks for, each question for the first time in this process."""
    library.warm()
    taken = []
    for number, question in enumerate(questions):
        text = f"{question.text} ({number})"
        started = time.perf_counter()
        near = library.affinities(text)
        library.slate(text)
        for domain in sorted(near, key=lambda name: -near[name].best)[:3]:
            library.slate(text, domains=[domain], order="shuffled", seed=number)
        taken.append(time.perf_counter() - started)
    return {"median": statistics.median(taken), "p90": statistics.quantiles(taken, n=10)[-1]}


def holds_answer(text: str, question: Question) -> bool:
    """Does an accepted string stand in the text as whole words?"""
    return any(
        re.search(rf"(?<!\w){re.escape(accepted)}(?!\w)", text, re.IGNORECASE)
        for accepted in question.accepted
    )


def _first(hits: Iterable[bool]) -> int | None:
    return next((rank for rank, hit in enumerate(hits, start=1) if hit), None)


def _shares(ranks: Sequence[int | None], depths: Sequence[int]) -> dict[str, float]:
    return {
        str(depth): sum(rank is not None and rank <= depth for rank in ranks) / len(ranks) for depth in depths
    }


if __name__ == "__main__":
    main()
