"""A specialist that the starter has not, by the commands alone, and its second version: docs/own-council.md.

    python -m benchmarks.seventh CORPUS [--book TITLE] [--domain NAME] [--json FILE] [--keep DIR]

Modules of one CC BY textbook of the corpus (`text/*.jsonl.zst`, a record a paragraph) become a folder of
Markdown. `council new`, `ingest`, `questions` and `tune` make the specialist, which is then compared with the
generalist on the test part of its questions; `calibrate` and `promote` make the first version. Numbers in the
documents change, `ingest` and `promote` make the second, `rollback` goes back. Each command is a process of
its own, with its seconds and those of a core. Prints what each version answers to what changed and the rest.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from training.corpus import Record, read_texts

from benchmarks.commands import Ran, council, told
from benchmarks.versions import answers_of
from proxycouncil.council.versions.store import Store
from proxycouncil.eval.splits import read_records

BOOK, DOMAIN = "Introduction to Anthropology", "anthropology"
_ASKED = "What belongs in the gap? "
_NUMBER = re.compile(r"\d{2,4}")


def main() -> None:
    """Walk the way and print what it came to."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--book", default=BOOK)
    parser.add_argument("--domain", default=DOMAIN)
    parser.add_argument("--modules", type=int, default=32, help="of the book, each a file (32)")
    parser.add_argument("--tune", default="", help="further options of `council tune`, in one string")
    parser.add_argument("--facts", type=int, default=12, help="numbers that change (12)")
    parser.add_argument("--others", type=int, default=40, help="other questions asked of both versions (40)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work there and leave everything")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.keep or Path(folder)
        write_documents(options.corpus, home / options.domain, book=options.book, modules=options.modules)
        found = measure(home, options.domain, tune=options.tune.split())
        found |= second_version(
            home, options.domain, facts=options.facts, others=options.others, seed=options.seed
        )
    for name, value in found.items():
        print(f"{name:<20} {value if not isinstance(value, dict) else json.dumps(value)[:300]}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def write_documents(corpus: Path, folder: Path, *, book: str, modules: int) -> None:
    """A Markdown file a module; headings as in the book."""
    folder.mkdir(parents=True)
    records = (one for one in read_texts(corpus) if one["book"] == book)
    found = ((title, list(some)) for title, some in groupby(records, key=lambda one: str(one["title"])))
    named = ((title, some) for title, some in found if title != "Introduction")
    for number, (title, some) in enumerate(islice(named, modules), start=1):
        name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
        (folder / f"{number:02d}-{name}.md").write_text("\n".join(_lines(title, some)), encoding="utf-8")


def _lines(title: str, records: Sequence[Record]) -> Iterator[str]:
    yield f"# {title}\n"
    for heading, some in groupby(records, key=lambda one: str(one["heading"])):
        if heading != title:
            yield f"## {heading}\n"
        for record in some:
            yield f"{record['text']}\n"


def measure(home: Path, domain: str, *, tune: Sequence[str]) -> dict[str, Any]:
    """The first version: how the new specialist compares with the generalist, and what each command took."""
    mine = home / "mine"
    made = [
        council("new", "mine", "--specialist", f"{domain}=./{domain}", within=home),
        council("ingest", within=mine),
        council("questions", within=mine),
        council("tune", domain, "--use", *tune, within=mine),
    ]
    compared = compare_members(mine, domain)
    made.append(council("calibrate", "questions/calibration/all.jsonl", "--use", within=mine))
    made.append(council("promote", within=mine))
    return {
        "made": {one.command: one.out.splitlines() for one in made},
        "making": _took(made),
        "members": compared,
        **told(made),
    }


def compare_members(mine: Path, domain: str) -> dict[str, Any]:
    """Right answers of the new specialist less those of the generalist, paired, on the test part."""
    for member in ("general", domain):
        asked = ("ask", "--file", "questions/test/all.jsonl", "--members", member)
        council(*asked, "--save", f"{member}.runs.jsonl", within=mine)
    ran = council(
        "regress", "general.runs.jsonl", f"{domain}.runs.jsonl", "--json", within=mine, codes=(0, 1)
    )
    first: dict[str, Any] = json.loads(ran.out)["overall"][0]
    return first


def second_version(home: Path, domain: str, *, facts: int, others: int, seed: int) -> dict[str, Any]:
    """Documents change; what the versions answer, and the way back."""
    mine = home / "mine"
    pool = [one for one in read_records(mine / "questions" / "test" / "all.jsonl") if one["accepted"]]
    random.Random(seed).shuffle(pool)
    changed = change_numbers(home / domain, pool, facts)
    entries = {one["entry"] for one in pool if one["id"] in changed}
    rest = [one for one in pool if one["entry"] not in entries][:others]
    write_questions(mine / "asked.jsonl", [one for one in pool if one["id"] in changed] + rest, changed)
    first = Store(mine / "council.toml").current
    ran = [
        council("ingest", within=mine),
        council("promote", "--questions", "asked.jsonl", within=mine, codes=(0, 1)),
    ]
    entry = Store(mine / "council.toml").journal()[-1]
    found = answers_of(mine / "versions" / "runs", str(first), entry.version, set(changed))
    ran.append(council("rollback", within=mine, codes=(0, 2)))
    return {"renewing": _took(ran), "said": ran[1].out.splitlines(), "verdict": entry.verdict, **found}


def change_numbers(folder: Path, questions: Sequence[Record], count: int) -> dict[str, str]:
    """Add 3 to so many numbers that a gap was made of; question id → the new number."""
    changed: dict[str, str] = {}
    texts = {file: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.md"))}
    for question in questions:
        number, asked = str(question["accepted"][0]), str(question["question"])
        if len(changed) == count or not _NUMBER.fullmatch(number) or not asked.startswith(_ASKED):
            continue
        gapped = asked.removeprefix(_ASKED)
        for sentence in (gapped, gapped.partition(": ")[2]):
            before, new = sentence.replace("____", number), str(int(number) + 3)
            holders = [file for file, text in texts.items() if sentence and text.count(before) == 1]
            if len(holders) == 1:
                after = sentence.replace("____", new)
                texts[holders[0]] = texts[holders[0]].replace(before, after)
                changed[str(question["id"])] = new
                break
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8")
    return changed


def write_questions(file: Path, questions: Sequence[Record], changed: dict[str, str]) -> None:
    """What is right once the documents have changed; the changed are a domain of their own."""
    lines = [
        json.dumps({**one, "accepted": [changed[one["id"]]], "domain": "changed facts"})
        if one["id"] in changed
        else json.dumps(one)
        for one in questions
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _took(ran: Sequence[Ran]) -> dict[str, float]:
    """Seconds by the clock and of a core."""
    return {"wall_s": sum(one.wall_s for one in ran), "cpu_s": sum(one.cpu_s for one in ran)}


if __name__ == "__main__":
    main()
