"""Questions of two parts: asked whole and asked part by part, on the same questions.

A line of the file is `{"id", "question", "parts", "accepted", "relation"}`; `accepted` lists what is right
for each part, `relation` is "dependent" where the second part needs the first one's answer. Knows replies and
the short-answer rule; knows no council.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from proxycouncil.errors import UsageError
from proxycouncil.eval.metrics import is_right, mcnemar, paired_bootstrap, wilson
from proxycouncil.eval.splits import read_records
from proxycouncil.graphs.planning import planned

KIND = "two-part"
MOST_WORDS = 40
"""Of a whole reply, however it was made: an arm that says more is not right."""
GROUPS = ("all", "dependent", "independent")


@dataclass(frozen=True, slots=True)
class TwoPart:
    """One question."""

    id: str
    text: str
    parts: tuple[str, ...]
    accepted: tuple[tuple[str, ...], ...]
    dependent: bool


@dataclass(frozen=True, slots=True)
class Told:
    """One reply. `parts` are the texts for each part, "" where it is not known; none: it was asked whole."""

    text: str
    parts: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    """The parts as they were put."""
    seconds: float = 0.0

    @property
    def texts(self) -> tuple[str, ...]:
        """What was said, without numbers and questions."""
        return self.parts or (self.text,)


def load_two_part(file: Path) -> list[TwoPart]:
    """Every line.

    Raises:
        UsageError: a line is no such question.
    """
    try:
        found = [
            TwoPart(
                id=str(record["id"]),
                text=str(record["question"]),
                parts=tuple(record["parts"]),
                accepted=tuple(tuple(one) for one in record["accepted"]),
                dependent=record["relation"] == "dependent",
            )
            for record in read_records(file)
        ]
    except (KeyError, TypeError) as wrong:
        raise UsageError(
            f"{file}: not a question of two parts: {type(wrong).__name__} {wrong}",
            hint='a line is {"id", "question", "parts", "accepted", "relation"}',
        ) from wrong
    if not found or any(len(one.parts) != len(one.accepted) for one in found):
        raise UsageError(
            f"{file}: no questions, or parts without accepted answers", hint="see docs/planning.md"
        )
    return found


def parts_right(told: Told, case: TwoPart) -> list[bool]:
    """Which parts are answered rightly: each by its own reply, or all by the one there is."""
    texts = told.parts if len(told.parts) == len(case.parts) else (" ".join(told.texts),) * len(case.parts)
    return [is_right(text, one, KIND) for text, one in zip(texts, case.accepted, strict=True)]


def all_right(told: Told, case: TwoPart) -> bool:
    """Every part, in at most forty words together."""
    return all(parts_right(told, case)) and len(" ".join(told.texts).split()) <= MOST_WORDS


def two_part_report(
    cases: Sequence[TwoPart],
    replies: Mapping[str, Sequence[Told]],
    *,
    pairs: Sequence[tuple[str, str]] = (),
) -> dict[str, Any]:
    """Every arm in every group of questions, the named pairs compared; plain data for JSON."""
    return {
        "questions": {name: len(_places(cases, name)) for name in GROUPS},
        "arms": [_arm(name, told, cases) for name, told in replies.items()],
        "comparisons": [
            _comparison((first, second), replies, cases, group)
            for first, second in pairs
            if first in replies and second in replies
            for group in GROUPS
        ],
        "replies": {
            case.id: {name: _record(told[place], case) for name, told in replies.items()}
            for place, case in enumerate(cases)
        },
    }


def split_report(cases: Sequence[TwoPart], singles: Iterable[str] = ()) -> dict[str, Any]:
    """What the rules make of the questions alone, without asking anybody.

    `singles`: questions of one part, which are to be left whole.
    """
    plans = [planned(case.text) for case in cases]
    found = [
        plan is not None and len(plan["steps"]) == len(c.parts) for plan, c in zip(plans, cases, strict=True)
    ]
    told = [
        plan is not None and any(step["needs"] for step in plan["steps"]) == case.dependent
        for plan, case in zip(plans, cases, strict=True)
    ]
    whole = list(singles)
    split = [text for text in whole if planned(text) is not None]
    return {
        "as_many_parts": asdict(wilson(sum(found), len(cases))),
        "dependence_seen": asdict(wilson(sum(told), len(cases))),
        "singles": len(whole),
        "singles_split": split,
    }


def _arm(name: str, replies: Sequence[Told], cases: Sequence[TwoPart]) -> dict[str, Any]:
    return {
        "arm": name,
        "seconds": sum(told.seconds for told in replies),
        "groups": {group: _figures(replies, cases, _places(cases, group)) for group in GROUPS},
    }


def _figures(replies: Sequence[Told], cases: Sequence[TwoPart], places: Sequence[int]) -> dict[str, Any]:
    chosen = [(replies[place], cases[place]) for place in places]
    right = [parts_right(told, case) for told, case in chosen]
    given = [
        ok
        for (told, _), oks in zip(chosen, right, strict=True)
        for ok, text in _by_part(told, oks)
        if text.strip()
    ]
    known = [[bool(text.strip()) for text in told.texts] for told, _ in chosen]
    shares = {
        "both_right": [all_right(told, case) for told, case in chosen],
        "first_right": [oks[0] for oks in right],
        "second_right": [oks[-1] for oks in right],
        "answered": [all(one) for one in known],
        "in_part": [any(one) and not all(one) for one in known],
        "right_of_given": given,
    }
    words = sum(len(" ".join(told.texts).split()) for told, _ in chosen)
    return {name: asdict(wilson(sum(oks), len(oks))) for name, oks in shares.items()} | {
        "words": words / max(1, len(chosen))
    }


def _by_part(told: Told, oks: Sequence[bool]) -> list[tuple[bool, str]]:
    """Each thing said with whether it is right; a whole reply is right if it is right in some part."""
    if len(told.parts) == len(oks):
        return list(zip(oks, told.parts, strict=True))
    return [(any(oks), " ".join(told.texts))]


def _comparison(
    names: tuple[str, str],
    replies: Mapping[str, Sequence[Told]],
    cases: Sequence[TwoPart],
    group: str,
) -> dict[str, Any]:
    places = _places(cases, group)
    one, other = ([all_right(replies[name][place], cases[place]) for place in places] for name in names)
    return {
        "first": names[0],
        "second": names[1],
        "group": group,
        "both_right": asdict(paired_bootstrap(one, other)),
        "p_value": mcnemar(one, other),
    }


def _places(cases: Sequence[TwoPart], group: str) -> list[int]:
    return [
        place
        for place, case in enumerate(cases)
        if group == "all" or (group == "dependent") == case.dependent
    ]


def _record(told: Told, case: TwoPart) -> dict[str, Any]:
    return {"asked": list(told.asked), "texts": list(told.texts), "right": parts_right(told, case)}
