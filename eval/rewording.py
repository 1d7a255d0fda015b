"""The same questions in other words: what is lost when people don't ask as the documents' authors would.

Knows pairs of questions and replies; refuses to know what an arm is made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from proxycouncil.errors import UsageError
from proxycouncil.eval.answerer import Answerer
from proxycouncil.eval.metrics import paired_bootstrap
from proxycouncil.eval.splits import REWORDED, Question, load_questions, read_records
from proxycouncil.eval.starter import Material, Progress, put_to, score, spread
from proxycouncil.specialists.questions import Part


@dataclass(frozen=True, slots=True)
class Reworded:
    """Questions as they are shipped and, place by place, in other words; what is right is the same."""

    as_written: Material
    in_other_words: Material

    @classmethod
    def load(cls, folder: Path, *, part: Part = "test", limit: int | None = None) -> Reworded:
        """Those of one part of the split, from lines of `reworded.jsonl` with the question they are `of`.

        Raises:
            UsageError: a line is of no question.
        """
        known = {question.id: question for question in load_questions(folder)}
        pairs: list[tuple[Question, Question]] = []
        for record in read_records(folder / f"{REWORDED}.jsonl"):
            of = known.get(record["of"])
            if of is None:
                raise UsageError(f"{record['id']} is of no question: {record['of']!r}", hint="mend that line")
            if of.part == part:
                pairs.append((of, replace(of, id=record["id"], text=record["question"])))
        chosen = spread(pairs, limit)
        written, other = (tuple(pair[place] for pair in chosen) for place in (0, 1))
        return cls(Material(written, ()), Material(other, ()))


def rewording_report(
    arms: Mapping[str, Answerer], asked: Reworded, *, progress: Progress = lambda *_: None
) -> dict[str, Any]:
    """Every arm's two scores and how much rarer it is right in other words; plain data for JSON."""
    return {
        "questions": len(asked.as_written.inside),
        "arms": [_arm(name, arm, asked, progress) for name, arm in arms.items()],
    }


def _arm(name: str, arm: Answerer, asked: Reworded, progress: Progress) -> dict[str, Any]:
    both: Sequence[Material] = (asked.as_written, asked.in_other_words)
    written, other = (put_to(name, arm, material, progress) for material in both)
    lost = paired_bootstrap(other.right(both[1].inside), written.right(both[0].inside))
    return {
        "arm": name,
        "as_written": asdict(score(written, both[0])),
        "in_other_words": asdict(score(other, both[1])),
        "difference": asdict(lost),
    }
