"""What examples in the prompt are worth, beside as many tokens of further sentences.

    python -m benchmarks.shots [--limit N] [--form delimiters|plain] [--json FILE]

The starter's test questions, each read once by the likeliest domain's expert at α = 1: the four best
sentences alone; with the nearest examples of that domain's tuning part before them (`[few_shot]`, by
similarity); and with further sentences instead, until they take as many tokens as the examples did.
`--form plain` asks the same models in plain lines, as a hub's family without a chat template is asked.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from proxycouncil import Council
from proxycouncil.council import starter
from proxycouncil.council.config import CouncilConfig, FewShotConfig
from proxycouncil.council.langchain.vectorstore import LibraryEmbeddings
from proxycouncil.council.measure import nearest_specialist, questions_folder
from proxycouncil.council.shots import ShotStores
from proxycouncil.eval import starter as questions_table
from proxycouncil.eval.arms import ReadingArm, Shelf
from proxycouncil.eval.reader import Reader, Task, steered
from proxycouncil.graphs.state import ExcerptRecord
from proxycouncil.specialists.request import Sampling, Shot

Form = Literal["delimiters", "plain"]
ALONE, SHOTS, LONGER = "sentences", "examples and sentences", "more sentences"
PAIRS = ((SHOTS, ALONE), (SHOTS, LONGER), (LONGER, ALONE))
_MOST_SENTENCES = 24


@dataclass(frozen=True, slots=True)
class ExampleShelf(Shelf):
    """Slates with the asked expert's examples before them."""

    examples: Callable[[str, str], tuple[Shot, ...]] = lambda _, __: ()

    def task(self, question: str, slate: Sequence[ExcerptRecord]) -> Task:
        """The question with its slate and its examples."""
        plain = Shelf.task(self, question, slate)
        return replace(plain, prompt=replace(plain.prompt, shots=self.examples(plain.expert, question)))


@dataclass(frozen=True, slots=True)
class LongerShelf(Shelf):
    """Slates that are longer by what the examples would have taken."""

    tokens: Callable[[str], int] = len
    examples: Callable[[str, str], tuple[Shot, ...]] = lambda _, __: ()

    def find(self, question: str) -> list[ExcerptRecord]:
        """As many further sentences as fit into the examples' tokens."""
        shots = self.examples(self.expert(question), question)
        left = sum(self.tokens(f"{shot.question} {shot.answer}") for shot in shots)
        found = replace(self, excerpts=_MOST_SENTENCES).longest(question)
        kept = found[: self.excerpts]
        for one in found[self.excerpts :]:
            left -= self.tokens(f"{one['title']}: {one['text']}")
            if left < 0:
                break
            kept.append(one)
        return kept

    def longest(self, question: str) -> list[ExcerptRecord]:
        """All that could be taken."""
        return Shelf.find(self, question)


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--limit", type=int, help="an even spread of so many questions")
    parser.add_argument("--form", choices=("delimiters", "plain"), default="delimiters")
    parser.add_argument("--examples", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    figures = measured(options.form, limit=options.limit, examples=options.examples)
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def measured(form: Form, *, limit: int | None, examples: int) -> dict[str, Any]:
    """The table of the three arms, with the tokens that a prompt took beside the four sentences."""
    with asked_in(form) as council:
        family = council.family
        if family is None:
            raise SystemExit("the starter has models of its own")
        stores = ShotStores(
            {name: questions_folder() / f"{name}.jsonl" for name in council.config.specialists},
            FewShotConfig(examples=examples),
            embeddings=lambda: LibraryEmbeddings(council.library.encoder),  # type: ignore[attr-defined]
            count=family.count_tokens,
        )
        reader = Reader(council.generator, steered(1.0), Sampling(max_new_tokens=48))
        expert = nearest_specialist(council)
        shelves: Mapping[str, Shelf] = {
            ALONE: Shelf(council.library, expert),
            SHOTS: ExampleShelf(council.library, expert, examples=stores),
            LONGER: LongerShelf(council.library, expert, tokens=family.count_tokens, examples=stores),
        }
        material = questions_table.load_material(questions_folder(), limit=limit)
        arms = {name: ReadingArm(reader, shelf) for name, shelf in shelves.items()}
        table = questions_table.report(arms, material, pairs=PAIRS, progress=told)
        asked = [one.text for one in material.inside]
        tokens = {name: mean_tokens(shelf, asked, family.count_tokens) for name, shelf in shelves.items()}
        return {"form": form, "examples": examples, "prompt_tokens": tokens, **table}


def asked_in(form: Form) -> Council:
    """The starter, its models asked in that form."""
    config = CouncilConfig.load(starter.DIRECTORY / "council.toml")
    family = config.family.model_copy(update={"prompt": form})
    return Council(config.model_copy(update={"family": family}), searcher=starter.open_library)


def mean_tokens(shelf: Shelf, questions: Sequence[str], count: Callable[[str], int]) -> float:
    """Tokens of what a prompt holds beside its question."""
    prompts = [shelf.task(question, shelf.find(question)).prompt for question in questions]
    pieces = [
        [f"{one.title}: {one.text}" for one in prompt.snippets]
        + [f"{shot.question} {shot.answer}" for shot in prompt.shots]
        for prompt in prompts
    ]
    return sum(count(piece) for piece_list in pieces for piece in piece_list) / max(1, len(pieces))


def told(arm: str, done: int, every: int) -> None:
    """A line for every hundred."""
    if done % 100 == 0 or done == every:
        print(f"{arm}: {done}/{every}", flush=True)


if __name__ == "__main__":
    main()
