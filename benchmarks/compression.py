"""What is left of accuracy when passages must be shorter: cutting off, the best sentences, facts by rule.

    python -m benchmarks.compression [--limit N] [--no-model] [--json FILE]

The best whole passages for each test question of the starter, at 100, 50, 25 and 12 percent of their tokens
(as the base counts them, titles included). For each way: how often an accepted answer still stands in what is
left, and how often the generalist's reading of it is right; the share kept of what it is at 100 percent, and
the difference from cutting off at the same budget, paired.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from proxycouncil.council.council import Council
from proxycouncil.council.starter import DIRECTORY
from proxycouncil.eval.metrics import is_right, paired_bootstrap, wilson
from proxycouncil.eval.reader import Reader, Task, said, steered
from proxycouncil.eval.splits import Question, load_questions
from proxycouncil.eval.starter import spread
from proxycouncil.graphs.context import GENERALIST
from proxycouncil.retrieval.compression import Way, compressed
from proxycouncil.retrieval.library import Library
from proxycouncil.retrieval.passage import Excerpt
from proxycouncil.specialists.request import Prompt, Sampling, Snippet

SHARES = (1.0, 0.5, 0.25, 0.12)
PASSAGES = 3
WAYS: tuple[Way, ...] = get_args(Way)


@dataclass(frozen=True, slots=True)
class Cell:
    """One way at one budget, question by question."""

    way: Way
    share: float
    tokens: float
    stands: tuple[bool, ...]
    right: tuple[bool, ...]
    """Empty where no model was asked."""


def main() -> None:
    """Print a table; with --json also write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--limit", type=int, default=60, help="questions, evenly spread (60)")
    parser.add_argument("--no-model", action="store_true", help="only whether the answer still stands there")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    known = load_questions(DIRECTORY / "questions", only="test")
    questions = spread([one for one in known if one.accepted], options.limit)
    with Council.starter() as council:
        cells = list(measure(questions, council, model=not options.no_model))
    figures = report(cells)
    for line in table(figures):
        print(line)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def measure(questions: Sequence[Question], council: Council, *, model: bool) -> Iterator[Cell]:
    """Every way at every budget."""
    library, family = council.library, council.family
    if not isinstance(library, Library) or family is None:
        raise TypeError("the starter has a library and models of its own")
    count = family.count_tokens
    reader = Reader(council.generator, steered(1.0), Sampling(max_new_tokens=48)) if model else None
    found = [library.search(question.text, limit=PASSAGES) for question in questions]
    full = [sum(count(f"{one.title}: {one.text}") for one in passages) for passages in found]
    nearness = [_near(library, question.text) for question in questions]
    for share in SHARES:
        for way in WAYS:
            left = [
                compressed(passages, way, budget_tokens=round(share * size), count=count, near=near)
                for passages, size, near in zip(found, full, nearness, strict=True)
            ]
            yield Cell(
                way,
                share,
                tokens=sum(count(_shown(one)) for each in left for one in each) / len(questions),
                stands=tuple(_stands(each, one) for each, one in zip(left, questions, strict=True)),
                right=tuple(_right(reader, questions, left)) if reader else (),
            )


def _near(library: Library, question: str) -> Callable[[Sequence[str]], list[float]]:
    """Cosines to a question; each text is embedded once, for it comes back at every budget."""
    known: dict[str, float] = {}

    def near(texts: Sequence[str]) -> list[float]:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            asked, *told = library.encode([question, *new])
            known.update(
                (text, sum(a * b for a, b in zip(asked, one, strict=True)))
                for text, one in zip(new, told, strict=True)
            )
        return [known[text] for text in texts]

    return near


def _shown(one: Excerpt) -> str:
    return f"{one.passage.title}: {one.text}"


def _stands(left: Sequence[Excerpt], question: Question) -> bool:
    """Whether an accepted answer can be read there, in any one excerpt."""
    words = (" ".join(_shown(one).split()) for one in left)
    pieces = (text.split() for text in words)
    return any(
        is_right(" ".join(piece[start : start + 40]), question.accepted, "")
        for piece in pieces
        for start in range(0, max(1, len(piece)), 20)
    )


def _right(
    reader: Reader, questions: Sequence[Question], left: Sequence[Sequence[Excerpt]]
) -> Iterator[bool]:
    tasks = [
        Task(Prompt(one.text, tuple(Snippet(each.passage.title, each.text) for each in excerpts)), GENERALIST)
        for one, excerpts in zip(questions, left, strict=True)
    ]
    for generation, question in zip(reader.read(tasks), questions, strict=True):
        yield is_right(said(generation), question.accepted, question.kind)


def report(cells: Sequence[Cell]) -> dict[str, Any]:
    """Shares with intervals, what is kept of the uncut passages, and the lead over cutting off."""
    whole = next(cell for cell in cells if cell.way == "cut" and cell.share == 1.0)
    rows = []
    for cell in cells:
        cut = next(one for one in cells if one.way == "cut" and one.share == cell.share)
        row: dict[str, Any] = {"way": cell.way, "share": cell.share, "tokens": cell.tokens}
        for name in ("stands", "right"):
            oks: Sequence[bool] = getattr(cell, name)
            if oks:
                base = sum(getattr(whole, name))
                row[name] = asdict(wilson(sum(oks), len(oks)))
                row[f"{name}_kept"] = sum(oks) / base if base else None
                row[f"{name}_ahead"] = asdict(paired_bootstrap(oks, getattr(cut, name)))
        rows.append(row)
    return {"questions": len(whole.stands), "passages": PASSAGES, "rows": rows}


def table(figures: dict[str, Any]) -> Iterator[str]:
    """Lines for people."""
    yield f"{figures['questions']} questions, the best {figures['passages']} passages of each"
    names = [name for name in ("stands", "right") if name in figures["rows"][0]]
    yield f"{'budget':>7}  {'way':<10}{'tokens':>7}" + "".join(
        f"  {name:>8} kept  ahead of cutting" for name in names
    )
    for row in figures["rows"]:
        cells = ""
        for name in names:
            ahead, kept = row[f"{name}_ahead"], row[f"{name}_kept"]
            shown = "–" if kept is None else f"{kept:.0%}"
            cells += (
                f"  {row[name]['estimate']:>8.3f} {shown:>4}  "
                f"{ahead['estimate']:+.3f} [{ahead['low']:+.3f}, {ahead['high']:+.3f}]"
            )
        yield f"{row['share']:>7.0%}  {row['way']:<10}{row['tokens']:>7.0f}{cells}"


if __name__ == "__main__":
    main()
