"""Make what the starter family is trained on: reading cases of many kinds, and plain text, as tokens.

    python -m training.build_corpus --corpus CORPUS --out WORK

Reads the corpus and the recipe, never a handbook. Writes `cases.npz`, `held_out.npz` and `text.npz`
(token ids, two bytes each), the same for the same seed. Knows nothing of models.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from proxycouncil.specialists.cases import Case
from proxycouncil.specialists.prompts import choose_format
from proxycouncil.specialists.request import Prompt
from training.claims import claim_cases
from training.corpus import Record, read_claims, read_dictionary, read_glossary, read_reading, read_texts
from training.glossary import GlossaryCases
from training.reading import ReadingCases
from training.recipe import DataRecipe, Recipe
from training.sheets import sheet_cases
from training.synonyms import Synonyms
from training.tokens import Exercises, Text

if TYPE_CHECKING:
    from proxycouncil.specialists.prompts import PromptFormat


def reading_cases(
    records: Sequence[Record], recipe: DataRecipe, synonyms: Synonyms, draw: random.Random
) -> Iterator[Case]:
    """Each record as often as its kind is worth, each time with other sentences shown."""
    maker = ReadingCases(records, draw)
    for record in tqdm(records, desc="reading", disable=None, file=sys.stderr):
        kind = record["source"] if record["kind"] == "crowd" else record["kind"]
        for _ in range(_times(recipe.repeats.get(kind, 1.0), draw)):
            if case := maker.case(record):
                yield reworded(case, recipe, synonyms, draw)


def reworded(case: Case, recipe: DataRecipe, synonyms: Synonyms, draw: random.Random) -> Case:
    """Now and then another word in the question, now and then another order of what is shown."""
    if draw.random() < recipe.reworded:
        case = replace(case, question=synonyms.reword(case.question, draw, keep=case.answer))
    if draw.random() < recipe.shuffled:
        case = replace(case, snippets=tuple(draw.sample(case.snippets, len(case.snippets))))
    return case


def all_cases(corpus: Path, recipe: DataRecipe, draw: random.Random) -> Iterator[Case]:
    """Every kind of case, one kind after the other."""
    dictionary = read_dictionary(corpus)
    synonyms = Synonyms(dictionary)
    yield from reading_cases(read_reading(corpus), recipe, synonyms, draw)
    glossary = GlossaryCases(read_glossary(corpus), draw)
    for _ in range(recipe.glossary_rounds):
        yield from (reworded(case, recipe, synonyms, draw) for case in glossary(sys.maxsize))
    senses = GlossaryCases(dictionary, draw)
    yield from (reworded(case, recipe, synonyms, draw) for case in senses(recipe.dictionary))
    yield from claim_cases(read_claims(corpus), draw)
    yield from sheet_cases(recipe.sheets, draw)


def held_out_cases(corpus: Path, recipe: DataRecipe, draw: random.Random) -> Iterator[Case]:
    """A few cases of kinds whose passages or terms are never trained on."""
    synonyms = Synonyms(())
    records = draw.sample(read_reading(corpus, "dev"), recipe.held_out)
    yield from reading_cases(records, recipe, synonyms, draw)
    yield from GlossaryCases(read_glossary(corpus, "dev"), draw)(recipe.held_out // 2)


def encode(cases: Iterable[Case], form: PromptFormat, longest: int) -> Exercises:
    """Tokens of all cases that are no longer than `longest`."""
    packed = Exercises.empty()
    for case in tqdm(cases, desc="tokens", disable=None, file=sys.stderr):
        prompt = form.encode(Prompt(case.question, case.snippets))
        packed.append(prompt, form.target_ids(case.answer), longest=longest)
    return packed


def encode_text(records: Iterable[Record], form: PromptFormat) -> Text:
    """All paragraphs, one after the other, each ended as an answer is."""
    paragraphs = ([*form.encoder.data(" " + record["text"]), form.end] for record in records)
    return Text.of(paragraphs)


def _times(worth: float, draw: random.Random) -> int:
    """2.3 is twice, and three times in three of ten."""
    return int(worth) + (draw.random() < worth % 1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the corpus, write the tokens."""
    from transformers import AutoTokenizer

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--corpus", type=Path, required=True, help="folder with reading/, glossary/, text/ …")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--recipe", type=Path, default=Recipe.path(), help="default: %(default)s")
    options = parser.parse_args(arguments)
    recipe = Recipe.read(options.recipe)
    form = choose_format(AutoTokenizer.from_pretrained(recipe.family / "base"))
    draw = random.Random(recipe.seed)
    cases = list(all_cases(options.corpus, recipe.data, draw))
    draw.shuffle(cases)
    options.out.mkdir(parents=True, exist_ok=True)
    encode(cases, form, recipe.data.longest).save(options.out / "cases.npz")
    held_out = list(held_out_cases(options.corpus, recipe.data, draw))
    encode(held_out, form, recipe.data.longest).save(options.out / "held_out.npz")
    texts = encode_text(read_texts(options.corpus), form)
    texts.save(options.out / "text.npz")
    refusals = sum(case.is_refusal for case in cases)
    print(f"{len(cases):,} cases ({refusals:,} refusals), {len(texts.ids):,} tokens of text")
    for source, count in Counter(case.source for case in cases).most_common():
        print(f"{count:8,}  {source}")


if __name__ == "__main__":
    main()
