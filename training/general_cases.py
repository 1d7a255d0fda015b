"""Make the small set of general reading cases that `council tune` mixes with a domain's own.

    python -m training.general_cases --corpus CORPUS --out council/starter

Takes works under CC BY and CC BY-SA only and writes down which. Knows nothing of models, tokens or the
handbooks.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from proxycouncil.specialists.cases import Case, write_cases
from training.corpus import Work, is_creative_commons, read_glossary, read_reading, read_works
from training.glossary import GlossaryCases
from training.reading import ReadingCases

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
        *reading_cases([*filter(is_creative_commons, read_reading(options.corpus))], draw),
        *GlossaryCases([*filter(is_creative_commons, read_glossary(options.corpus))], draw)(GLOSSARY_QUOTA),
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
