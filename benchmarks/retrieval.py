"""Prints how well the starter's library finds things: `python -m benchmarks.retrieval [--json FILE]`.

On the test part of the questions, over all six domains together: how often the right entry is among the first
1, 3 and 5 passages for each way of searching (with and without sentence vectors), and how often an accepted
answer stands in a slate of 1 to 8 sentences, as they are ranked and by meaning alone, also for questions in
other words. And what a question costs once models are loaded: affinities, a shared slate and three of one
domain each.
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
from proxycouncil.eval.metrics import auroc
from proxycouncil.eval.rewording import Reworded
from proxycouncil.eval.splits import Question, load_out_of_scope, load_questions
from proxycouncil.retrieval.library import Library
from proxycouncil.retrieval.search import Mode
from proxycouncil.retrieval.slate import PASSAGES_READ, best_sentences, sentences_of, telling

DEPTHS = (1, 3, 5)
MODES: tuple[Mode, ...] = ("dense", "bm25", "hybrid")
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
        time_taken = seconds(library, questions[:TIMED])
        without = [passage_ranks(bare, question) for question in questions]
        ranks = [passage_ranks(library, question) for question in questions]
        answers = [answer_ranks(library, question) for question in questions]
        by_meaning = [answer_rank_by_meaning(library, question) for question in questions]
        reworded = Reworded.load(DIRECTORY / "questions").in_other_words.inside
        in_other_words = [answer_ranks(library, question)[0] for question in reworded]
        so_by_meaning = [answer_rank_by_meaning(library, question) for question in reworded]
        scope = scope_auroc(library, questions, load_out_of_scope(DIRECTORY / "questions"))
    return {
        "recall: dense, passage vectors alone": _shares([rank["dense"] for rank in without], DEPTHS),
        "recall: hybrid, passage vectors alone": _shares([rank["hybrid"] for rank in without], DEPTHS),
        "recall: dense, sentence vectors too": _shares([rank["dense"] for rank in ranks], DEPTHS),
        "recall: BM25": _shares([rank["bm25"] for rank in ranks], DEPTHS),
        "recall: hybrid, sentence vectors too": _shares([rank["hybrid"] for rank in ranks], DEPTHS),
        "accepted answer among sentences": _shares([first for first, _ in answers], SENTENCES),
        "… ranked by meaning alone": _shares(by_meaning, SENTENCES),
        "… to questions in other words": _shares(in_other_words, SENTENCES),
        "… to those, ranked by meaning alone": _shares(so_by_meaning, SENTENCES),
        "words in so many sentences": {
            str(count): statistics.mean(sum(words[:count]) for _, words in answers) for count in SENTENCES
        },
        "AUROC, in scope by the largest cosine": scope,
        "CPU seconds a question": time_taken,
    }


def passage_ranks(library: Library, question: Question) -> dict[Mode, int | None]:
    """Where the question's entry stands, for each way of searching."""
    wanted = (question.domain, question.entry)
    return {
        mode: _first(
            (passage.domain, passage.title) == wanted
            for passage in library.search(question.text, limit=max(DEPTHS), mode=mode)
        )
        for mode in MODES
    }


def scope_auroc(
    library: Library, inside: Sequence[Question], outside: Sequence[Question]
) -> dict[str, float]:
    """How well the nearest passage, and the nearest sentence, tell questions that no domain covers."""
    near = [library.affinities(question.text).values() for question in (*inside, *outside)]
    covered = [True] * len(inside) + [False] * len(outside)
    return {
        "passage": auroc([max(one.best for one in each) for each in near], covered),
        "sentence": auroc([max(one.sentence for one in each) for each in near], covered),
    }


def answer_ranks(library: Library, question: Question) -> tuple[int | None, list[int]]:
    """Which sentence of the slate holds an accepted string first, and how many words each has."""
    slate = library.slate(question.text, limit=max(SENTENCES))
    return _first(holds_answer(e.text, question) for e in slate), [len(e.text.split()) for e in slate]


def answer_rank_by_meaning(library: Library, question: Question) -> int | None:
    """The same where sentences are ranked by cosine and by their passage, whatever words they say."""
    read = library.search(question.text, limit=PASSAGES_READ)
    found = telling(sentences_of(read), question.text)
    asked, *told = library.encode([question.text, *(one.text for one in found)])
    cosines = [sum(a * b for a, b in zip(asked, one, strict=True)) for one in told]
    return _first(holds_answer(e.text, question) for e in best_sentences(found, cosines, max(SENTENCES)))


def seconds(library: Library, questions: Sequence[Question]) -> dict[str, float]:
    """CPU time of what a turn asks for, each question for the first time in this process."""
    library.warm()
    taken = []
    for number, question in enumerate(questions):
        text = f"{question.text} ({number})"
        started = time.process_time()
        near = library.affinities(text)
        library.slate(text)
        for domain in sorted(near, key=lambda name: -near[name].best)[:3]:
            library.slate(text, domains=[domain], order="shuffled", seed=number)
        taken.append(time.process_time() - started)
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
