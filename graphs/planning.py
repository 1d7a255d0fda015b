"""A question of several parts: the plan of sub-questions, the next one to ask, and what all say together.

After PEARL (Sun et al. 2023), small: the parts are found by rule or by whoever plans, each runs through the
ordinary graph, and its answer feeds those that need it. Pure functions of plan and decided parts.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from math import prod
from typing import TypeAlias

from proxycouncil.errors import UsageError
from proxycouncil.graphs.evidence import distinct
from proxycouncil.graphs.filling import About, about, explained, filled, refers
from proxycouncil.graphs.naming import named_in
from proxycouncil.graphs.parts import split_parts
from proxycouncil.graphs.state import Decision, Message, Outcome, Part, Plan, PlanStep, Said

Planner: TypeAlias = Callable[[str], Sequence[str]]
"""Question → sub-questions, one if it needs no plan. Blocks: called in a thread."""

MOST_STEPS = 8
"""Sub-questions of one question; more is a document's work (`council read`)."""
NOT_KNOWN = "not known"
_PLACE = re.compile(r"\{(\d+)\}")
_log = logging.getLogger(__name__)


def planned(question: str, *, given: Sequence[str] = (), planner: Planner | None = None) -> Plan | None:
    """The plan for a question that stands alone; None where it is best asked whole.

    Args:
        question: the whole.
        given: sub-questions that the caller wants instead of any that would be made here.
        planner: splits it; None, or where it fails: by rule.

    Raises:
        UsageError: the given sub-questions are no plan.
    """
    if given:
        return Plan(standalone=question, steps=steps_of(given), made_by="caller")
    if planner is not None:
        try:
            steps = steps_of(planner(question))
        except Exception as error:  # noqa: BLE001 (every provider of models has its own kinds)
            _log.warning("the planner failed, so the question is split by rule: %s", error)
        else:
            return Plan(standalone=question, steps=steps, made_by="model") if len(steps) > 1 else None
    steps = steps_of(split_parts(question)[:MOST_STEPS])
    return Plan(standalone=question, steps=steps, made_by="rules") if len(steps) > 1 else None


def steps_of(questions: Sequence[str]) -> list[PlanStep]:
    """Sub-questions with what each needs.

    Raises:
        UsageError: none, too many, an empty one, or one that needs a step not before it.
    """
    if not questions or len(questions) > MOST_STEPS:
        raise UsageError(f"a plan of {len(questions)} sub-questions", hint=f"give 1 to {MOST_STEPS} of them")
    steps: list[PlanStep] = []
    thing: About | None = None
    for number, question in enumerate(questions, start=1):
        plain = " ".join(question.split())
        needs = sorted({int(place) for place in _PLACE.findall(plain)})
        if not plain or any(not 1 <= place < number for place in needs):
            raise UsageError(
                f"sub-question {number} can't be asked: {plain or 'it is empty'}",
                hint="{1} stands for the answer to the first; only earlier ones can be named",
            )
        resolved = explained(plain, thing) if thing else plain
        thing = about(resolved) or (thing if resolved != plain else None)
        if not needs and steps and refers(resolved, steps[-1]["question"]):
            needs = [number - 1]
        steps.append(PlanStep(question=resolved, needs=needs))
    return steps


def next_question(plan: Plan, parts: Sequence[Part]) -> str | None:
    """The next step as it is asked, with the answers it needs; None where one of those is not known."""
    step = plan["steps"][len(parts)]
    if any(not parts[place - 1]["decision"]["text"] for place in step["needs"]):
        return None
    text = step["question"]
    for place in step["needs"]:
        text = text.replace(f"{{{place}}}", _name(parts[place - 1]))
    if text == step["question"] and step["needs"]:
        before = parts[step["needs"][-1] - 1]
        text = filled(text, before["standalone"], before["decision"]["text"], title=_title(before))
    return text


def missing(plan: Plan, parts: Sequence[Part]) -> Decision:
    """What is decided of a step that could not be asked."""
    needs = plan["steps"][len(parts)]["needs"]
    lacking = [str(place) for place in needs if not parts[place - 1]["decision"]["text"]]
    return Decision(
        outcome="abstain",
        text="",
        confidence=0.0,
        calibrated=False,
        agreement=None,
        citations=[],
        dissent=[],
        reason=f"It needs the answer to part {' and '.join(lacking)}, which is not known.",
        degraded=False,
    )


def composed(parts: Sequence[Part]) -> Decision:
    """All parts as one decision.

    Confident only as far as all its answered parts are right together, as if they were independent; nobody
    measured that, so it is not called calibrated.
    """
    decisions = [part["decision"] for part in parts]
    answered = [one for one in decisions if one["text"]]
    agreements = [one["agreement"] for one in answered if one["agreement"] is not None]
    return Decision(
        outcome=_outcome(decisions),
        text=_text(parts) if answered else "",
        confidence=prod(one["confidence"] for one in answered) if answered else 0.0,
        calibrated=len(parts) == 1 and decisions[0]["calibrated"],
        agreement=min(agreements, default=None),
        citations=distinct(cited for one in answered for cited in one["citations"]),
        dissent=[lost for one in decisions for lost in one["dissent"]],
        reason=_reason(decisions),
        degraded=any(one["degraded"] for one in decisions),
    )


def said(parts: Sequence[Part]) -> list[Said]:
    """The parts as the conversation remembers them."""
    return [
        Said(standalone=part["standalone"], answer=part["decision"]["text"], subject=_title(part))
        for part in parts
    ]


def turns(history: Sequence[Message]) -> list[Message]:
    """The conversation with every part of a turn as a turn: a follow-up is about the last of them."""
    found: list[Message] = []
    for turn in history:
        found += [_as_turn(part) for part in turn.get("parts", [])] or [turn]
    return found


def _as_turn(part: Said) -> Message:
    return Message(
        question=part["standalone"],
        standalone=part["standalone"],
        answer=part["answer"],
        subject=part["subject"],
    )


def _name(part: Part) -> str:
    answer = part["decision"]["text"]
    return named_in(part["standalone"], answer) or _title(part) or answer.rstrip(". ")


def _title(part: Part) -> str:
    citations = part["decision"]["citations"]
    return citations[0]["title"] if citations else ""


def _text(parts: Sequence[Part]) -> str:
    if len(parts) == 1:
        return parts[0]["decision"]["text"]
    lines = [part["decision"]["text"].strip() or f"{NOT_KNOWN}: {part['standalone']}" for part in parts]
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, start=1))


def _outcome(decisions: Sequence[Decision]) -> Outcome:
    outcomes = {one["outcome"] for one in decisions}
    if not any(one["text"] for one in decisions):
        return "error" if "error" in outcomes else "abstain"
    return "consensus" if outcomes == {"consensus"} else "plurality"


def _reason(decisions: Sequence[Decision]) -> str:
    """One sentence: which parts are known, and why the first of the others is not."""
    if len(decisions) == 1:
        return decisions[0]["reason"]
    known = [str(place) for place, one in enumerate(decisions, start=1) if one["text"]]
    lost = [(place, one) for place, one in enumerate(decisions, start=1) if not one["text"]]
    if not lost:
        return f"All {len(decisions)} parts are answered."
    place, first = lost[0]
    why = f"part {place} is not: {first['reason']}"
    if not known:
        return f"No part is answered; {why}"
    several = len(known) > 1
    return f"Part{'s' if several else ''} {', '.join(known)} {'are' if several else 'is'} answered; {why}"
