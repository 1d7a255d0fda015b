"""A fresh user: a folder of 200 mixed files, thirty of them hostile, to the first cited answer.

    python -m benchmarks.first_answer [--json FILE] [--keep DIR]

The files are made from entries of the starter's handbooks, in every kind that `council ingest` reads, and
the hostile ones are those of the tests (`tests/papers.py`). Three commands, each a process of its own:
`council new`, `council ingest`, `council ask`. Counted: seconds, files refused and noted, whether each
hostile one is explained, whether the answer is right and cites a file of the folder.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from html import escape
from itertools import islice
from pathlib import Path
from textwrap import wrap
from typing import Any

from benchmarks.commands import council, told
from proxycouncil.council.starter import HANDBOOKS

QUESTION, ACCEPTED = "What is opportunity cost?", "best alternative"
GOOD = 169
_ENTRY = re.compile(r"^## (.+)\n+((?:(?!^## ).*\n?)+)", re.MULTILINE)
Entry = tuple[str, str]


def main() -> None:
    """Make the files, walk the way, print what it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work there and leave everything")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.keep or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        found = measure(home)
    for name, value in found.items():
        if name not in ("commands", "report"):
            print(f"{name:<16}{value}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def measure(home: Path) -> dict[str, Any]:
    """The whole way."""
    kinds, hostile = write_files(home / "papers")
    ran = [
        council("new", "mine", "--specialist", "economics=./papers", within=home),
        council("ingest", within=home / "mine", codes=(0, 2)),
        council("ask", QUESTION, within=home / "mine"),
    ]
    report = ran[1].out + ran[1].err
    unsaid = [name for name, said in hostile.items() if said and not _said(report, name, said)]
    answer = ran[2].out
    return {
        "files": sum(kinds.values()),
        "kinds": dict(kinds),
        "report": report.splitlines(),
        "refused": sum(line.startswith("error: ") for line in report.splitlines()),
        "noted": sum(line.startswith("note: ") for line in report.splitlines()),
        "not_explained": unsaid,
        "answer": " ".join(answer.partition(" [1]")[0].split()),
        "right": ACCEPTED in answer.partition("[1]")[0],
        "cites": next((line for line in answer.splitlines() if line.startswith("[1] ")), None),
        **told(ran),
    }


def _said(report: str, name: str, words: str) -> bool:
    """Whether a line about that file says what is the matter with it."""
    return any(name in line and words in line for line in report.splitlines())


def write_files(folder: Path) -> tuple[Counter[str], dict[str, str]]:
    """The good files, an entry or a few each, and the hostile ones; how many of each kind, what to say."""
    tests = Path(__file__).resolve().parents[1] / "tests"
    sys.path.append(str(tests))
    papers = importlib.import_module("papers")
    folder.mkdir(parents=True)
    entries, writers = handbook_entries(), _writers(papers)
    for number in range(GOOD):
        suffix, write, count = writers[number % len(writers)]
        (folder / f"note-{number:03d}.{suffix}").write_bytes(write(list(islice(entries, count))))
    hostile: dict[str, str] = papers.write_hostile(folder)
    return Counter(file.suffix[1:] for file in folder.iterdir()), hostile


def handbook_entries() -> Iterator[Entry]:
    """Title and text, a domain after the other; economics comes first."""
    folders = sorted(HANDBOOKS.iterdir(), key=lambda one: (one.name != "economics", one.name))
    for folder in folders:
        for file in sorted(folder.glob("*.md")):
            for title, text in _ENTRY.findall(file.read_text("utf-8")):
                yield title, " ".join(text.split())


def _writers(papers: Any) -> list[tuple[str, Callable[[list[Entry]], bytes], int]]:  # noqa: ANN401
    """Suffix, what writes it, how many entries go in."""

    def page(entry: Entry) -> str:
        lines = [entry[0], *wrap(entry[1], 90)]
        return (
            "\n".join(re.sub(r"([()\\])", r"\\\1", line) for line in lines).encode("ascii", "ignore").decode()
        )

    def html(entries: list[Entry]) -> bytes:
        body = "".join(f"<h2>{escape(title)}</h2><p>{escape(text)}</p>" for title, text in entries)
        return f"<html><body>{body}</body></html>".encode()

    def paragraphs(entries: list[Entry]) -> list[tuple[str, str]]:
        return [pair for title, text in entries for pair in (("Heading1", escape(title)), ("", escape(text)))]

    def rows(entries: list[Entry]) -> list[list[str]]:
        return [["Subject", "Note"], *([title, text] for title, text in entries)]

    def table(entries: list[Entry], separator: str) -> bytes:
        quoted = (
            separator.join(f'"{cell.replace(chr(34), chr(39))}"' for cell in row) for row in rows(entries)
        )
        return "\n".join(quoted).encode()

    def text(entries: list[Entry], heading: str) -> bytes:
        return "\n".join(f"{heading}{title}\n\n{told}\n" for title, told in entries).encode()

    return [
        ("md", lambda some: text(some, "## "), 2),
        ("pdf", lambda some: papers.pdf([page(one) for one in some]), 2),
        ("docx", lambda some: papers.docx(paragraphs(some)), 2),
        ("txt", lambda some: text(some, ""), 1),
        ("html", html, 2),
        ("xlsx", lambda some: papers.xlsx(rows(some), sheet="Notes"), 3),
        ("pptx", papers.pptx, 2),
        ("csv", lambda some: table(some, ","), 2),
        ("epub", lambda some: papers.epub([(escape(a), escape(b)) for a, b in some]), 2),
        ("rst", lambda some: text(some, ""), 1),
        ("tsv", lambda some: table(some, "\t"), 1),
        ("py", lambda some: "".join(f"# {a}: {b}\n" for a, b in some).encode(), 1),
    ]


if __name__ == "__main__":
    main()
