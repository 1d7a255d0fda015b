"""`council questions`: from a domain's passages to questions that may teach and measure, each checked.

Content and form are judged apart. Content: the passage holds the answer verbatim. Form: it is a question, it
does not give its answer away, the answer is short enough to count. Then duplicates go, and what stands on
both sides of the split, so that nothing is tuned on that is measured later.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from proxycouncil.council.question_rules import GAP, LONGEST_ANSWER, Candidate, candidates
from proxycouncil.errors import UsageError
from proxycouncil.specialists.questions import (
    Part,
    Question,
    is_right,
    mentions,
    of_part,
    part,
    read_questions,
)

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from proxycouncil.retrieval.passage import Passage

_SHINGLE = 5
_SHARED = 0.5
"""Share of a sentence's runs of five words that stand on the other side: then it is the same sentence."""
_SHARED_TITLE = 3
"""A title that more passages have, a file's name for example, says too little of what a question is about."""
_FIRST_WORDS = 6
_PARTS: tuple[Part, ...] = ("test", "calibration", "tuning")
"""Who keeps a question that stands on both sides: what is measured, rather than what is tuned on."""
_WRITTEN_OUT: tuple[Part, ...] = ("calibration", "test")
"""Parts that get a file of their own over all domains, for `council calibrate` and `council ask --file`."""


@dataclass(slots=True)
class Made:
    """The questions of one domain, and why others are not among them."""

    domain: str
    passages: int
    questions: list[Question] = field(default_factory=list)
    proposed: Counter[str] = field(default_factory=Counter)
    """By kind."""
    dropped: Counter[str] = field(default_factory=Counter)
    """By reason."""

    @property
    def kept(self) -> Counter[str]:
        """By kind."""
        return Counter(question.kind for question in self.questions)

    @property
    def parts(self) -> Counter[str]:
        """By part of the split."""
        return Counter(part(self.domain, question.entry) for question in self.questions)


def make_questions(
    domain: str,
    passages: Sequence[Passage],
    *,
    model: BaseChatModel | None = None,
    per_passage: int = 4,
    seed: int = 0,
) -> Made:
    """Questions about the passages of one domain.

    Args:
        domain: whose they are; the split depends on it.
        passages: what may be asked about.
        model: asked for more of them; without one, rules alone.
        per_passage: kept of each passage, at most; a seeded choice that takes every kind in turn.
        seed: of that choice.
    """
    made = Made(domain, len(passages))
    entries = _entries(passages)
    found = _proposed(passages, model)
    checked: list[tuple[Passage, Candidate]] = []
    for passage, proposed in found:
        made.proposed.update(one.kind for one in proposed)
        good = [one for one in proposed if not _noted(made, fault(one, passage.text))]
        chosen = _in_turn(good, per_passage, random.Random(f"{seed} {passage.id}"))
        made.dropped["enough of the passage"] += len(good) - len(chosen)
        checked += [(passage, one) for one in chosen]
    made.questions = list(_numbered(domain, _apart(made, checked, entries)))
    made.dropped = +made.dropped
    return made


def fault(one: Candidate, text: str) -> str:
    """Why a candidate can't be kept; "" where it can. Content first, then form."""
    flat = " ".join(text.split())
    if one.answer not in flat and one.answer not in text and one.kind not in ("term",):
        return "content: the answer does not stand in the passage"
    if not mentions(flat, one.accepted):
        return "content: the accepted words do not stand in the passage"
    probe = Question(id="", entry="", kind=_scored(one.kind), question="", answer=None, accepted=one.accepted)
    if not is_right(one.answer, probe):
        return "form: the answer is too long to count as right"
    if mentions(one.question, one.accepted):
        return "form: the question gives the answer away"
    if not (one.question.endswith("?") or GAP in one.question) or len(one.question.split()) < 3:
        return "form: not a question"
    return "" if len(one.question.split()) <= LONGEST_ANSWER + 10 else "form: the question is too long"


def write_questions(made: Made, file: Path) -> Path:
    """Write a domain's questions, and beside them two parts of those of all domains in that folder.

    Returns the file for `council calibrate`, calibration/all.jsonl; test/all.jsonl lies beside it.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(map(_line, made.questions)), encoding="utf-8")
        calibration, _ = (_write_part(file.parent, wanted) for wanted in _WRITTEN_OUT)
    except OSError as error:
        raise UsageError(f"can't write {file}: {error.strerror}", hint="--out names another") from error
    return calibration


def _write_part(folder: Path, wanted: Part) -> Path:
    """All domains' questions of that part, each with its domain."""
    target = folder / wanted / "all.jsonl"
    target.parent.mkdir(exist_ok=True)
    lines = [
        json.dumps(question.model_dump(mode="json") | {"domain": other.stem}, ensure_ascii=False) + "\n"
        for other in sorted(folder.glob("*.jsonl"))
        for question in of_part(read_questions(other), other.stem, wanted)
    ]
    target.write_text("".join(lines), encoding="utf-8")
    return target


def _proposed(
    passages: Sequence[Passage], model: BaseChatModel | None
) -> Iterator[tuple[Passage, list[Candidate]]]:
    if model is None:
        yield from ((passage, list(candidates(passage.title, passage.text))) for passage in passages)
        return
    from proxycouncil.council.question_models import written_by

    written = written_by(model, [(passage.title, passage.text) for passage in passages])
    for passage, more in zip(passages, written, strict=True):
        yield passage, [*candidates(passage.title, passage.text), *more]


def _noted(made: Made, why: str) -> bool:
    if why:
        made.dropped[why] += 1
    return bool(why)


def _in_turn(good: Sequence[Candidate], limit: int, draw: random.Random) -> list[Candidate]:
    """At most so many, one of each kind before a second of any."""
    shuffled = draw.sample(list(good), len(good))
    seen: Counter[str] = Counter()
    ranked = []
    for number, one in enumerate(shuffled):
        ranked.append((seen[one.kind], number, one))
        seen[one.kind] += 1
    return [one for _, _, one in sorted(ranked, key=lambda entry: entry[:2])[:limit]]


def _apart(
    made: Made, checked: Sequence[tuple[Passage, Candidate]], entries: dict[str, str]
) -> Iterator[tuple[str, Candidate]]:
    """Entry and candidate of what is new, and whose evidence stands on no other side of the split."""
    side = {identity: part(made.domain, entry) for identity, entry in entries.items()}
    asked: set[str] = set()
    owner: dict[str, Part] = {}
    order = sorted(range(len(checked)), key=lambda n: (_PARTS.index(side[checked[n][0].id]), n))
    kept = []
    for number in order:
        passage, one = checked[number]
        runs = _runs(one.evidence)
        elsewhere = sum(owner.get(run, side[passage.id]) != side[passage.id] for run in runs)
        if _words(one.question) in asked:
            made.dropped["asked before"] += 1
        elif elsewhere > _SHARED * len(runs):
            made.dropped["stands on the other side of the split too"] += 1
        else:
            asked.add(_words(one.question))
            owner.update((run, side[passage.id]) for run in runs if run not in owner)
            kept.append(number)
    for number in sorted(kept):
        yield entries[checked[number][0].id], checked[number][1]


def _entries(passages: Sequence[Passage]) -> dict[str, str]:
    """What each passage's questions are about, by its id: its title, and more where many share that.

    The split hangs on it, so it holds no path, which changes with the machine, and no offset, which changes
    with every edit before it: a passage stays on its side when the documents are ingested again.
    """
    shared = Counter(passage.title for passage in passages)
    return {
        passage.id: passage.title
        if shared[passage.title] <= _SHARED_TITLE
        else f"{passage.title}, {_told_apart(passage)}"
        for passage in passages
    }


def _told_apart(passage: Passage) -> str:
    """Its file and page, sheet or slide; its first words where it has none of those."""
    return f"{Path(passage.source).name}: {passage.place or ' '.join(passage.text.split()[:_FIRST_WORDS])}"


def _numbered(domain: str, kept: Iterable[tuple[str, Candidate]]) -> Iterator[Question]:
    for number, (entry, one) in enumerate(kept, start=1):
        yield Question(
            id=f"{domain}-{number:04d}",
            entry=entry,
            kind=_scored(one.kind),
            question=one.question,
            answer=one.answer,
            accepted=one.accepted,
        )


def _scored(kind: str) -> str:
    """The kind as answers are scored by: names and numbers must be short."""
    return {"name": "span", "number": "span", "cloze": "span"}.get(kind, kind)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _runs(text: str) -> set[str]:
    words = _words(text).split()
    return {" ".join(words[n : n + _SHINGLE]) for n in range(max(1, len(words) - _SHINGLE + 1))}


def _line(question: Question) -> str:
    return json.dumps(question.model_dump(mode="json"), ensure_ascii=False) + "\n"
