"""Next month's documents, end to end: `python -m benchmarks.versions [--json FILE]`; minutes on one core.

A council of the starter's models over two of its handbooks is promoted. Then numbers in one handbook change,
the draft is ingested, compared with `council regress`, promoted with `council promote`, and taken over by the
running council while it is asked. Shown: changed facts that are answered newly, answers that changed though
nothing else did, requests lost.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from proxycouncil.council import starter
from proxycouncil.council.cli.app import run
from proxycouncil.council.council import Council
from proxycouncil.council.versions.store import Store
from proxycouncil.eval.splits import Question, load_questions, read_records

CHANGED, KEPT = "economics", "law"
CARDS = {card["name"]: card for card in starter.domain_cards()}


def write_council(folder: Path) -> Path:
    """council.toml and the two handbooks."""
    family = starter.DIRECTORY / "family"
    lines = [
        f'[family]\nbase = "{family / "base"}"\nantiexpert = "{family / "antiexpert"}"',
        'device = "cpu"\nthreads = 1',
        f'[generalist]\nexpert = "{family / "experts" / "general"}"',
        "[council]\nunsure_below = 0.9",
    ]
    for name in (CHANGED, KEPT):
        shutil.copytree(starter.HANDBOOKS / name, folder / "handbooks" / name)
        described = json.dumps(CARDS[name]["description"]), json.dumps(CARDS[name]["examples"])
        lines.append(
            f'[specialists.{name}]\nexpert = "{family / "experts" / name}"\n'
            f'documents = ["./handbooks/{name}"]\ndescription = {described[0]}\nexamples = {described[1]}'
        )
    file = folder / "council.toml"
    file.write_text("\n\n".join(lines), encoding="utf-8")
    return file


def change_facts(folder: Path, questions: list[Question], count: int) -> dict[str, str]:
    """Add 3 to so many numbers that one question each is about; question id → the new number."""
    changed: dict[str, str] = {}
    files = {file: file.read_text(encoding="utf-8") for file in sorted((folder / CHANGED).glob("*.md"))}
    touched: set[str] = set()
    for question in questions:
        number = next(iter(question.accepted), "")
        if len(changed) == count or question.entry in touched or not re.fullmatch(r"\d{2,4}", number):
            continue
        for file, text in files.items():
            section = re.search(rf"^## {re.escape(question.entry)}\n.*?(?=^## |\Z)", text, re.M | re.S)
            if section and len(re.findall(rf"\b{number}\b", section[0])) == 1:
                new = str(int(number) + 3)
                files[file] = text.replace(section[0], re.sub(rf"\b{number}\b", new, section[0]))
                changed[question.id] = new
                touched.add(question.entry)
    for file, text in files.items():
        file.write_text(text, encoding="utf-8")
    return changed


def write_questions(file: Path, questions: list[Question], changed: dict[str, str]) -> None:
    """What the new documents say is right."""
    lines = [
        {
            "id": one.id,
            "question": one.text,
            "accepted": [changed[one.id]] if one.id in changed else list(one.accepted),
            "kind": one.kind,
            "entry": one.entry,
            "domain": "changed facts" if one.id in changed else one.domain,
        }
        for one in questions
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """The result and its seconds."""
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


def council(file: Path, *arguments: str) -> int:
    """One command; its exit code."""
    return run([arguments[0], "--config", str(file), *arguments[1:]])


def taken_over(running: Council, question: str) -> dict[str, Any]:
    """Reload while two threads ask; how long it took, and what became of the questions."""
    answers: list[Any] = []
    stop = threading.Event()

    def keep_asking() -> None:
        while not stop.is_set():
            answers.append(running.ask(question).decision)

    threads = [threading.Thread(target=keep_asking) for _ in range(2)]
    for thread in threads:
        thread.start()
    while not answers:
        time.sleep(0.01)
    _, seconds = timed(running.reload)
    after = len(answers)
    while len(answers) < after + 3:
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    return {
        "reload_seconds": seconds,
        "asked": len(answers),
        "lost": sum(answer.outcome == "error" for answer in answers),
        "versions": sorted({str(answer.version) for answer in answers}),
    }


def measure(folder: Path, *, facts: int, others: int, seed: int) -> dict[str, Any]:
    """The whole way."""
    file = write_council(folder)
    pool = [one for one in load_questions(starter.DIRECTORY / "questions") if one.domain in (CHANGED, KEPT)]
    random.Random(seed).shuffle(pool)
    codes = [council(file, "ingest", name) for name in (CHANGED, KEPT)] + [council(file, "promote")]
    first = Store(file).current
    changed = change_facts(folder / "handbooks", [one for one in pool if one.domain == CHANGED], facts)
    entries = {one.entry for one in pool if one.id in changed}
    kept = [one for one in pool if one.part == "test" and one.entry not in entries][:others]
    write_questions(folder / "asked.jsonl", [one for one in pool if one.id in changed] + kept, changed)
    with Council.from_file(file) as running:
        running.ask(kept[0].text)
        codes.append(council(file, "ingest", CHANGED))
        code, seconds = timed(lambda: council(file, "promote", "--questions", str(folder / "asked.jsonl")))
        found = taken_over(running, kept[0].text)
    entry = Store(file).journal()[-1]
    return {
        "exit_codes": [*codes, code],
        "promote_seconds": seconds,
        "changed_parts": entry.changes,
        "verdict": entry.verdict,
        **answers_of(folder / "versions" / "runs", str(first), entry.version, set(changed)),
        **found,
    }


def answers_of(runs: Path, old: str, new: str, changed: set[str]) -> dict[str, Any]:
    """How many changed facts each version gives as they are now, and how many other answers differ."""
    from proxycouncil.eval.runs import decided_right, same_answer

    before, after = (
        {one["id"]: one for one in read_records(next(runs.glob(f"{name}-*.jsonl")))} for name in (old, new)
    )
    rest = [name for name in before if name not in changed]
    return {
        "facts_changed": len(changed),
        "facts_right_before": sum(decided_right(before[name]) for name in changed),
        "facts_right_after": sum(decided_right(after[name]) for name in changed),
        "others": len(rest),
        "others_changed": sum(not same_answer(before[name], after[name]) for name in rest),
    }


def main() -> None:
    """A line for everything that was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=int, default=12)
    parser.add_argument("--others", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = measure(Path(folder), facts=options.facts, others=options.others, seed=options.seed)
    for name, value in found.items():
        print(f"{name:<20} {value}")
    if options.json:
        options.json.write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
