"""Reading alone, without search: terms never tuned on, their sentence among others or left out.

Knows cases with known answers and when a reply is right. Refuses to know where the cases come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from proxycouncil.eval.metrics import Interval, is_right, paired_bootstrap, wilson
from proxycouncil.eval.reader import Reader, Task, said
from proxycouncil.specialists.cases import Case, read_cases
from proxycouncil.specialists.request import Prompt

GENERALIST = "general"
"""The expert that reads what belongs to no domain."""


@dataclass(frozen=True, slots=True)
class ReadingScore:
    """How one arm read. Shares are of all cases with the answer, or of all without it."""

    arm: str
    right: Interval
    term_for_meaning: Interval
    meaning_of_term: Interval
    wrongly_declined: Interval
    declined_without_answer: Interval


@dataclass(frozen=True, slots=True)
class ReadingSet:
    """Cases whose slate holds the answer, and the same without it."""

    answerable: tuple[Case, ...]
    unanswerable: tuple[Case, ...]

    @classmethod
    def load(cls, path: Path) -> ReadingSet:
        """Those in a file of cases."""
        cases = read_cases(path)
        return cls(
            tuple(case for case in cases if not case.is_refusal),
            tuple(case for case in cases if case.is_refusal),
        )

    def right(self, reader: Reader) -> tuple[list[bool], list[bool]]:
        """For the answerable ones: which are answered right, and which are declined."""
        texts = read(reader, self.answerable)
        return [right(*pair) for pair in zip(texts, self.answerable, strict=True)], [
            not text for text in texts
        ]

    def score(self, name: str, reader: Reader) -> tuple[ReadingScore, list[bool]]:
        """An arm's shares, and which answerable cases it got right."""
        oks, declined = self.right(reader)
        terms = [ok for ok, case in zip(oks, self.answerable, strict=True) if asks_for_term(case)]
        meanings = [ok for ok, case in zip(oks, self.answerable, strict=True) if not asks_for_term(case)]
        refused = [not text for text in read(reader, self.unanswerable)]
        shares = (oks, terms, meanings, declined, refused)
        return ReadingScore(name, *(wilson(sum(share), len(share)) for share in shares)), oks


def read(reader: Reader, cases: Sequence[Case]) -> list[str]:
    """What is answered to each case; nothing for a refusal."""
    tasks = [Task(Prompt(case.question, case.snippets), GENERALIST) for case in cases]
    return [said(generation) for generation in reader.read(tasks)]


def asks_for_term(case: Case) -> bool:
    """Whether the meaning is given and the term asked for, rather than the other way round."""
    return case.answer.lower() == case.entry


def right(reply: str, case: Case) -> bool:
    """The term in at most 12 words, or the whole meaning in at most 40."""
    if asks_for_term(case):
        return is_right(reply, [case.answer], "term")
    # "Term is meaning.": the verb may be another one, the meaning not.
    meaning = case.answer[len(case.entry) :].strip().partition(" ")[2].rstrip(".")
    return is_right(reply, [meaning], "definition")


def reading_report(
    arms: Mapping[str, Reader], cases: ReadingSet, *, pairs: Sequence[tuple[str, str]] = ()
) -> dict[str, Any]:
    """Every arm's score and the named differences; plain data for JSON."""
    scored = {name: cases.score(name, reader) for name, reader in arms.items()}
    return {
        "answerable": len(cases.answerable),
        "unanswerable": len(cases.unanswerable),
        "arms": [asdict(score) for score, _ in scored.values()],
        "comparisons": [
            {
                "first": first,
                "second": second,
                "right": asdict(paired_bootstrap(scored[first][1], scored[second][1])),
            }
            for first, second in pairs
            if first in scored and second in scored
        ],
        "gap_closed": _gap_closed({name: score for name, (score, _) in scored.items()}),
    }


def _gap_closed(scores: Mapping[str, ReadingScore]) -> float | None:
    """(proxy − base) / (direct − base), Liu et al. 2024 §3: what share of direct tuning steering brings.

    None also where direct tuning brings nothing: then there is no gap.
    """
    if not {"base", "proxy 1", "base tuned directly"} <= scores.keys():
        return None
    base, proxy, direct = (scores[name].right.estimate for name in ("base", "proxy 1", "base tuned directly"))
    return (proxy - base) / (direct - base) if direct > base else None
