"""Long documents: `council read` beside retrieval alone, asking it whole, and the document in the prompt.

    python -m benchmarks.long_documents [--limit N] [--chapters N] [--part test] [--json FILE]

Chapters of the starter's handbooks are joined to documents. Questions are made by rule: *two-part* ones join
two of the test questions about entries of the same document; *listing* ones ask for the entries whose titles
share a head noun ("Which goods are described?"), and the titles are what is right. A reply counts as far as
its first words go, as many for every arm: forty for two parts, fifteen for each thing to be listed. The share
of parts or items found is a question's score; differences are paired.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any, get_args

from proxycouncil.council.council import Council
from proxycouncil.council.long_reading import Focus, LongReading, readers_of, reading_council
from proxycouncil.council.reading_plan import plan_by_rule
from proxycouncil.council.starter import DIRECTORY, EMBEDDINGS, HANDBOOKS
from proxycouncil.eval.metrics import is_right, paired_bootstrap
from proxycouncil.eval.reader import Reader, Task, said, steered
from proxycouncil.eval.splits import load_questions
from proxycouncil.eval.starter import spread
from proxycouncil.graphs.context import GENERALIST
from proxycouncil.retrieval.bank import VectorBank
from proxycouncil.retrieval.embedder import Embedder
from proxycouncil.retrieval.library import Library
from proxycouncil.specialists.questions import Part
from proxycouncil.specialists.request import Prompt, Sampling, Snippet

WORDS_OF_TWO = 40
WORDS_OF_AN_ITEM = 15
LEAST_ITEMS = 3
SENTENCES = 12
"""Of retrieval alone, before the reply is cut."""
ROOM = 1900
"""Tokens of a document that the starter's base can read with question and answer (2,048 in all)."""
_ENTRY = re.compile(r"^## (.+)$", re.MULTILINE)
_HEAD = re.compile(r"^(?:.* )?(?P<noun>[a-z]{4,}?)s?$")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question about one document."""

    document: str
    kind: str
    question: str
    items: tuple[tuple[str, ...], ...]
    """What is right: wordings of every part, or of everything to be listed."""

    @property
    def words(self) -> int:
        """Of a reply that are looked at."""
        return WORDS_OF_TWO if self.kind == "two-part" else WORDS_OF_AN_ITEM * len(self.items)


Arm = Callable[[Asked], str | None]
"""A question → a reply; None where it can't be asked."""


def main() -> None:
    """Print a table; with --json also every reply."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--limit", type=int, default=24, help="questions, half of each kind (24)")
    parser.add_argument("--chapters", type=int, default=3, help="joined to a document (3)")
    parser.add_argument(
        "--part",
        choices=get_args(Part),
        default="test",
        help="of the split, to join questions of",
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Council.starter() as council:
        documents = write_documents(Path(folder), options.chapters)
        kinds = list(two_parts(documents, part=options.part)), list(listings(documents))
        questions = [one for kind in kinds for one in spread(kind, options.limit // 2)]
        found = measure(questions, documents, council)
    figures = report(questions, found)
    for line in table(figures):
        print(line)
    if options.json:
        replies = [{**asdict(one), **{arm: told[one] for arm, told in found.items()}} for one in questions]
        options.json.write_text(json.dumps({"figures": figures, "replies": replies}, indent=1), "utf-8")


def write_documents(folder: Path, chapters: int) -> dict[str, Path]:
    """Neighbouring chapters of each handbook as one file; by name, `law-1`."""
    documents: dict[str, Path] = {}
    for handbook in sorted(HANDBOOKS.iterdir()):
        files = sorted(handbook.glob("*.md"))
        for number, start in enumerate(range(0, len(files) - chapters + 1, chapters), start=1):
            path = folder / f"{handbook.name}-{number}.md"
            joined = "\n\n".join(file.read_text("utf-8") for file in files[start : start + chapters])
            path.write_text(joined, encoding="utf-8")
            documents[path.stem] = path
    return documents


def two_parts(documents: dict[str, Path], *, part: Part) -> Iterator[Asked]:
    """Questions with short answers, in pairs about different entries of a document."""
    known = [
        one for one in load_questions(DIRECTORY / "questions", only=part) if one.kind in ("span", "term")
    ]
    for name, path in documents.items():
        entries = set(_ENTRY.findall(path.read_text("utf-8")))
        own = {
            one.entry: one for one in known if one.domain == name.rpartition("-")[0] and one.entry in entries
        }
        chosen = [one for _, one in sorted(own.items())]
        for first, second in zip(chosen[::2], chosen[1::2], strict=False):
            asked = (
                f"{first.text.rstrip('?. ')}, and {second.text[:1].lower()}{second.text[1:].rstrip('?. ')}?"
            )
            yield Asked(name, "two-part", asked, (first.accepted, second.accepted))


def listings(documents: dict[str, Path]) -> Iterator[Asked]:
    """What several titles of a document have in common as their last word."""
    for name, path in documents.items():
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for title in _ENTRY.findall(path.read_text("utf-8")):
            if (head := _HEAD.match(title)) and " " in title:
                groups[head["noun"]].append(title)
        for noun, titles in sorted(groups.items()):
            if len(titles) >= LEAST_ITEMS:
                items = tuple((title, f"{title}s") for title in titles)
                yield Asked(name, "listing", f"Which {_plural(noun)} are described?", items)


def measure(
    questions: Sequence[Asked], documents: dict[str, Path], council: Council
) -> dict[str, dict[Asked, tuple[str | None, float]]]:
    """Every arm's reply to every question, with its seconds."""
    found: dict[str, dict[Asked, tuple[str | None, float]]] = defaultdict(dict)
    for name in sorted({one.document for one in questions}):
        with opened(documents[name]) as library:
            arms = arms_of(documents[name], library, council)
            for asked in questions:
                for arm, answer in arms.items() if asked.document == name else ():
                    started = perf_counter()
                    found[arm][asked] = (answer(asked), perf_counter() - started)
    return dict(found)


@contextmanager
def opened(document: Path) -> Iterator[Library]:
    """A library of this document alone; its passages' vectors are the starter's own."""
    encoder = Embedder()
    bank = VectorBank.load(EMBEDDINGS, fingerprint=encoder.fingerprint)
    home = document.with_suffix("")
    with Library(home, embedder=encoder, root=document.parent, banks=[bank]) as library:
        library.ingest("document", document, sentences=False)
        yield library


def arms_of(document: Path, library: Library, council: Council) -> dict[str, Arm]:
    """What is compared, over one document."""
    focus = Focus(library, [name for name in council.members if name != GENERALIST])
    reading = reading_council(council, focus)
    reader = Reader(council.generator, steered(1.0), Sampling(max_new_tokens=48))
    family = council.family
    text = document.read_text("utf-8")
    fits = family is not None and family.count_tokens(text) <= ROOM

    def read(asked: Asked) -> str:
        members = readers_of(reading, asked.question)
        results = LongReading(reading, focus, library, members).carry_out(plan_by_rule(asked.question))
        return " ".join("; ".join(result.items) for result in results)

    def whole(asked: Asked) -> str:
        return reading.ask(asked.question, members=readers_of(reading, asked.question), plan=False).text

    def alone(asked: Asked) -> str:
        return " ".join(one.text for one in library.slate(asked.question, limit=SENTENCES))

    def in_prompt(asked: Asked) -> str | None:
        if not fits:
            return None
        task = Task(Prompt(asked.question, (Snippet(document.stem, text),)), GENERALIST)
        return said(next(reader.read([task])))

    return {
        "council read": read,
        "retrieval alone": alone,
        "council, whole": whole,
        "in the prompt": in_prompt,
    }


def score(asked: Asked, reply: str) -> float:
    """Share of parts or items in the first words of the reply."""
    words = reply.split()[: asked.words]
    pieces = [" ".join(words[start : start + WORDS_OF_TWO]) for start in range(0, len(words), 20)]
    hits = [any(is_right(piece, item, "") for piece in pieces) for item in asked.items]
    return sum(hits) / len(hits)


def report(
    questions: Sequence[Asked], found: dict[str, dict[Asked, tuple[str | None, float]]]
) -> dict[str, Any]:
    """Mean score of each arm by kind, and `council read` less each other, over what both could be asked."""
    figures: dict[str, Any] = {}
    for kind in ("two-part", "listing"):
        chosen = [one for one in questions if one.kind == kind]
        rows = {}
        for arm, told in found.items():
            put = [one for one in chosen if told[one][0] is not None]
            mine = [score(one, told[one][0] or "") for one in put]
            read = [score(one, found["council read"][one][0] or "") for one in put]
            rows[arm] = {
                "questions": len(put),
                "found": mean(mine) if mine else None,
                "read_ahead": asdict(paired_bootstrap(read, mine)),
                "seconds": mean(told[one][1] for one in put) if put else None,
            }
        figures[kind] = rows
    return figures


def table(figures: dict[str, Any]) -> Iterator[str]:
    """Lines for people."""
    yield f"{'kind':<10}{'arm':<18}{'asked':>6}{'found':>8}   council read ahead by      seconds"
    for kind, rows in figures.items():
        for arm, row in rows.items():
            if row["found"] is None:
                yield f"{kind:<10}{arm:<18}{0:>6}   the document does not fit"
                continue
            ahead = row["read_ahead"]
            interval = f"{ahead['estimate']:+.3f} [{ahead['low']:+.3f}, {ahead['high']:+.3f}]"
            shown = f"{row['questions']:>6}{row['found']:>8.3f}   {interval}{row['seconds']:>10.1f}"
            yield f"{kind:<10}{arm:<18}{shown}"


def _plural(noun: str) -> str:
    return (
        noun[:-1] + "ies"
        if noun.endswith("y")
        else f"{noun}es"
        if noun.endswith(("s", "x", "ch"))
        else f"{noun}s"
    )


if __name__ == "__main__":
    main()
