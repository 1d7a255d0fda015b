"""What tuning teaches: the form of an answer, or its content? Base, anti-expert, expert and steered base.

    python -m benchmarks.form_and_content [--config council.toml --questions FILE] [--limit N] [--json FILE]

Every reader gets the same slate and writes freely, so that nothing but the reader makes the form. A reply has
*form* where it ends by itself, is as short as its kind of question wants, says more than the question does,
and is of the kind that is asked for (a number, a yes or no). It has *content* where an accepted answer stands
in it, however long it is. Models tuned on other models' replies were found to learn the first before the
second (Gudibande et al. 2023, arXiv:2305.15717). Differences are paired, with intervals.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from proxycouncil.council.council import Council
from proxycouncil.council.questions import Question as Asked
from proxycouncil.council.specialist import read
from proxycouncil.council.starter import DIRECTORY
from proxycouncil.eval.metrics import paired_bootstrap, wilson
from proxycouncil.eval.reader import (
    Reader,
    Steering,
    Task,
    antiexpert_alone,
    expert_alone,
    steered,
    unsteered,
)
from proxycouncil.eval.splits import Question, load_questions, read_questions
from proxycouncil.eval.starter import spread
from proxycouncil.graphs.answers import canonical, is_refusal
from proxycouncil.specialists.questions import is_short, mentions
from proxycouncil.specialists.request import Generation, Prompt, Sampling

_ASPECTS = ("form", "content", "both")
_GAINS = (("expert", "anti-expert"), ("steered", "base"))
_KINDS = frozenset({"number", "date", "yesno"})
"""Of an answer, which a reply may miss although it is short."""


def main() -> None:
    """Print a table; with --json also write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, help="a council of one's own (the starter)")
    parser.add_argument("--questions", type=Path, help="its questions, as `council questions` writes them")
    parser.add_argument("--limit", type=int, help="questions, evenly spread (all)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.questions:
        known = list(read_questions(options.questions))
    else:
        known = load_questions(DIRECTORY / "questions", only="test")
    questions = spread([one for one in known if one.accepted], options.limit)
    with Council.from_file(options.config) if options.config else Council.starter() as council:
        tasks = [_task(one, council) for one in questions]
        said = dict(replies(tasks, council))
    figures = {"readable": readable(tasks, questions), **report(said, questions)}
    for line in table(figures):
        print(line)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _task(question: Question, council: Council) -> Task:
    """What the question's specialist reads."""
    prompt = read(council, question.domain, Asked(question.text)).request.prompt
    if not isinstance(prompt, Prompt):
        raise TypeError("a specialist is asked by Prompt")
    return Task(prompt, question.domain)


def readable(tasks: Sequence[Task], questions: Sequence[Question]) -> float:
    """Share of questions whose answer stands in what is read."""
    found = [
        any(mentions(snippet.text, question.accepted) for snippet in task.prompt.snippets)
        for task, question in zip(tasks, questions, strict=True)
    ]
    return sum(found) / len(found)


def replies(tasks: Sequence[Task], council: Council) -> Iterator[tuple[str, list[Generation]]]:
    """What each reader writes, all from the same excerpts."""
    for name, steering in _readers(council.alphas[tasks[0].expert]).items():
        reader = Reader(council.generator, steering, Sampling(max_new_tokens=48))
        yield name, list(reader.read(tasks))


def _readers(alpha: float) -> Mapping[str, Steering]:
    return {
        "anti-expert": antiexpert_alone,
        "expert": expert_alone,
        "base": unsteered,
        "steered": steered(alpha),
    }


def has_form(generation: Generation, question: Question) -> bool:
    """Whether a reply looks like an answer to this question, true or not."""
    text = generation.text.strip()
    ended = generation.finish_reason == "stop" and not is_refusal(text)
    if not ended or not is_short(text, question.kind):
        return False
    said, wanted = (canonical(one, question=question.text) for one in (text, question.accepted[0]))
    says_something = bool(said.content.words or said.amounts or said.dates or said.polarity)
    of_its_kind = wanted.kind not in _KINDS or bool(said.amounts or said.dates or said.polarity)
    return says_something and of_its_kind


def has_content(generation: Generation, question: Question) -> bool:
    """Whether an accepted answer stands in it, at any length."""
    return mentions(generation.text, question.accepted)


def report(said: Mapping[str, Sequence[Generation]], questions: Sequence[Question]) -> dict[str, Any]:
    """Shares and paired differences of each aspect."""
    found = {name: _aspects(generations, questions) for name, generations in said.items()}
    return {
        "questions": len(questions),
        "readers": {
            name: {aspect: asdict(wilson(sum(oks), len(oks))) for aspect, oks in aspects.items()}
            for name, aspects in found.items()
        },
        "gains": {
            f"{tuned} − {before}": {
                aspect: asdict(paired_bootstrap(found[tuned][aspect], found[before][aspect]))
                for aspect in _ASPECTS
            }
            for tuned, before in _GAINS
        },
    }


def _aspects(said: Sequence[Generation], questions: Sequence[Question]) -> dict[str, list[bool]]:
    pairs = list(zip(said, questions, strict=True))
    form, content = ([judge(*pair) for pair in pairs] for judge in (has_form, has_content))
    return {
        "form": form,
        "content": content,
        "both": [one and other for one, other in zip(form, content, strict=True)],
    }


def table(figures: dict[str, Any]) -> Iterator[str]:
    """Lines for people."""
    yield (
        f"{figures['questions']} questions, percent with their 95 % intervals; the answer stands in what is "
        f"read for {figures['readable']:.1%}"
    )
    yield f"{'':<22}" + "".join(f"{aspect:>24}" for aspect in _ASPECTS)
    for name, aspects in {**figures["readers"], **figures["gains"]}.items():
        cells = (
            tuple(100 * aspects[aspect][key] for key in ("estimate", "low", "high")) for aspect in _ASPECTS
        )
        sign = "+" if name in figures["gains"] else ""
        yield f"{name:<22}" + "".join(
            f"{f'{mid:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]':>24}" for mid, low, high in cells
        )


if __name__ == "__main__":
    main()
