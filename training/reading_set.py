"""Make the starter's reading set: terms never tuned on, in both directions, with and without the answer.

    python -m training.reading_set --corpus CORPUS --out council/starter

From the dev part of the glossaries, under CC BY and CC BY-SA only. Knows nothing of models.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from proxycouncil.specialists.cases import Case, write_cases
from training.corpus import is_creative_commons, read_glossary
from training.glossary import DIRECTIONS, GlossaryCases, is_usable

TERMS = 150
SHOWN = 4


def reading_set(corpus: Path, draw: random.Random) -> Iterator[Case]:
    """Each term's sentence among the three nearest of its field, then the slate without it."""
    entries = [entry for entry in read_glossary(corpus, "dev") if is_creative_commons(entry)]
    cases = GlossaryCases(entries, draw)
    for entry in draw.sample([entry for entry in entries if is_usable(entry)], TERMS):
        for direction in DIRECTIONS:
            for refuse in (False, True):
                yield cases.case(entry, shown=SHOWN, direction=direction, refuse=refuse)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the glossaries, write the set."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--corpus", type=Path, required=True, help="folder with glossary/")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    cases = list(reading_set(options.corpus, random.Random(options.seed)))
    write_cases(options.out / "reading-cases.jsonl.gz", cases)
    print(f"{len(cases):,} cases, {sum(case.is_refusal for case in cases):,} of them refusals")


if __name__ == "__main__":
    main()
