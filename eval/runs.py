"""Votes on disk: reads a council's own saved runs and the plain form of anybody's, one JSON object a line.

The plain form is `{"id", "gold", "answers": {member: answer or null}}`, with "question" if it likes. An own
run is what `--save` wrote: `{"id", "question", "ballots", "tally", "route", …}`, and how it is marked:
"accepted" with "kind" (the rule that experts are tuned to), or "gold" (any wording that means the same). A
line with neither is unlabelled; an empty list, or null, says that nothing is right. Knows no rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

from proxycouncil.errors import UsageError
from proxycouncil.eval.fitting import VotedRun
from proxycouncil.eval.metrics import is_right
from proxycouncil.eval.polls import LabelledPoll, members_of
from proxycouncil.eval.splits import read_records
from proxycouncil.graphs.answers import canonical
from proxycouncil.graphs.grouping import group, same
from proxycouncil.graphs.poll import Poll, poll_of, weighed_poll
from proxycouncil.graphs.state import Tally

Record: TypeAlias = Mapping[str, Any]

_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")


def read_polls(file: Path, *, members: Sequence[str] = ()) -> list[LabelledPoll]:
    """Every line as a poll, of all members or of those named.

    Raises:
        UsageError: a line that is neither form, an id that comes twice, a member that never voted.
    """
    cases = [_labelled(record, file, number) for number, record in enumerate(read_records(file), start=1)]
    if not cases:
        raise UsageError(f"{file} holds no votes", hint='one {"id", "gold", "answers"} a line')
    _distinct_ids(cases, file)
    return select(cases, members) if members else cases


def select(cases: Sequence[LabelledPoll], members: Sequence[str]) -> list[LabelledPoll]:
    """The polls as these members alone would have cast them."""
    known = members_of(cases)
    unknown = [name for name in members if name not in known]
    if unknown:
        raise UsageError(f"nobody called {unknown[0]!r} voted", hint=f"members are {', '.join(known)}")
    return [case.only(members) for case in cases]


def run_record(answer: Record, *, id: str, marking: Record | None = None) -> dict[str, Any]:  # noqa: A002
    """What `--save` writes of an answer: question, route, ballots with evidence and signals, the decision.

    Args:
        answer: a council's answer as plain data.
        id: of the question; folds go by it.
        marking: what says which answers are right: `accepted` and `kind`, or `gold`; `entry`, `domain`.
    """
    decision = answer["decision"]
    return {
        "v": 1,
        "id": id,
        "question": decision["question"],
        "standalone": decision["standalone"],
        **{key: value for key, value in (marking or {}).items() if key in MARKS},
        **{key: answer[key] for key in ("route", "ballots", "tally", "decision", "seconds")},
    }


def is_marked(record: Record) -> bool:
    """Whether a run says what is right."""
    return "accepted" in record or "gold" in record


def leader_is_right(record: Record, tally: Tally | None = None) -> bool:
    """Whether the answer that leads the count is right; by default the count that was kept."""
    return _is_right((tally or record["tally"])["groups"][0]["text"], record, asked_of(record))


def answer_of(record: Record) -> str:
    """What the council said in the end; "" where it said nothing."""
    return _text(record["decision"]["text"])


def decided_right(record: Record) -> bool:
    """Whether what was decided is right: an answer that is, or silence where no answer would be."""
    right = _text(record.get("gold")) if "accepted" not in record else record["accepted"]
    if not right:
        return not answer_of(record) and record["decision"]["outcome"] == "abstain"
    return bool(answer_of(record)) and _is_right(answer_of(record), record, asked_of(record))


def same_answer(one: Record, other: Record) -> bool:
    """Whether two runs of a question say the same, or both nothing."""
    first, second = answer_of(one), answer_of(other)
    if not (first and second) or first == second:
        return first == second
    question = asked_of(one)
    return same(canonical(first, question=question), canonical(second, question=question))


MARKS = ("gold", "accepted", "kind", "entry", "domain", "locale")
"""What of a question's own fields is kept with its answer."""


def line_of(record: Record) -> str:
    """One line of a file of runs: ASCII only, so no character of a text can look like the end of a line."""
    return json.dumps(record, ensure_ascii=True) + "\n"


def _labelled(record: Record, file: Path, number: int) -> LabelledPoll:
    try:
        if "answers" in record:
            return _of_plain(record, str(record.get("id", number)))
        return _of_run(record, str(record.get("id", number)))
    except (KeyError, TypeError, AttributeError) as wrong:
        raise UsageError(
            f"{file}, line {number}: not a vote: {type(wrong).__name__} {wrong}",
            hint='a line is {"id", "gold", "answers": {member: answer or null}} or what --save wrote',
        ) from wrong


def _of_plain(record: Record, name: str) -> LabelledPoll:
    question, locale = str(record.get("question") or ""), str(record.get("locale") or "")
    answers = {member: _text(answer) for member, answer in record["answers"].items()}
    gold = _text(record.get("gold"))
    keys = _keys([*answers.values(), gold], question, locale)
    by_member = dict(zip(answers, keys, strict=False))
    order = sorted({key for key in by_member.values() if key is not None}, key=str)
    texts = {
        key: min(text for text, at in zip(answers.values(), keys, strict=False) if at == key) for key in order
    }
    poll = Poll(
        candidates=tuple(texts[key] for key in order),
        votes=tuple({m: 1.0 for m, at in sorted(by_member.items()) if at == key} for key in order),
        abstained={member: 1.0 for member, at in sorted(by_member.items()) if at is None},
    )
    return LabelledPoll(
        name,
        poll,
        right=frozenset(place for place, key in enumerate(order) if key == keys[-1]),
        labelled="gold" in record,
        question=question,
    )


def _keys(texts: Sequence[str], question: str, locale: str) -> list[str | None]:
    """One key for all texts that mean the same; None for blanks and refusals.

    Plain decimals are compared as decimals; anything else as the council's own vote compares it.
    """
    if not locale and all(not text or _DECIMAL.fullmatch(text) for text in texts):
        return [str(Decimal(text).normalize() + 0) if text else None for text in texts]
    answers = [canonical(text, question=question, locale=locale) for text in texts]
    keys: list[str | None] = [None] * len(texts)
    for indexes in group(answers):
        key = min(answers[index].value + "\0" + texts[index] for index in indexes)
        for index in indexes:
            keys[index] = key
    return keys


def voted_run(record: Record) -> VotedRun:
    """One of a council's own runs, its votes both equal and weighed by route and evidence."""
    name = str(record["id"])
    return VotedRun(_of_run(record, name), _of_run(record, name, weighed=True))


def ballots_of_turn(record: Record) -> list[Any]:
    """The ballots of the turn that was counted: one that came after it has another stamp."""
    ballots = record["ballots"]
    return [ballot for ballot in ballots if ballot["turn"] == ballots[0]["turn"]]


def asked_of(record: Record) -> str:
    """The question as it was understood."""
    return str(record.get("standalone") or record.get("question") or record["decision"]["question"])


def _of_run(record: Record, name: str, *, weighed: bool = False) -> LabelledPoll:
    ballots, tally = ballots_of_turn(record), record["tally"]
    question, marked = asked_of(record), is_marked(record)
    poll = (
        weighed_poll(tally, ballots, record["route"], question=question)
        if weighed
        else poll_of(tally, ballots)
    )
    right = frozenset(
        place for place, text in enumerate(poll.candidates) if marked and _is_right(text, record, question)
    )
    order = sorted(range(len(poll.candidates)), key=lambda place: poll.candidates[place])
    return LabelledPoll(
        name,
        Poll(
            tuple(poll.candidates[place] for place in order),
            tuple(poll.votes[place] for place in order),
            poll.abstained,
        ),
        right=frozenset(order.index(place) for place in right),
        labelled=marked,
        question=question,
        group=str(record.get("entry") or ""),
    )


def _is_right(text: str, record: Record, question: str) -> bool:
    if "accepted" in record:
        return is_right(text, tuple(record["accepted"] or ()), str(record.get("kind") or ""))
    gold, locale = _text(record["gold"]), str(record.get("locale") or "")
    said, right = (canonical(one, question=question, locale=locale) for one in (text, gold))
    return bool(gold) and same(said, right)


def _text(value: object) -> str:
    """An answer as text; numbers of JSON are taken as they are written."""
    return "" if value is None else str(value).strip()


def _distinct_ids(cases: Iterable[LabelledPoll], file: Path) -> None:
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise UsageError(f"{file}: the id {case.id!r} comes twice", hint="a question is voted on once")
        seen.add(case.id)
