"""A plan over a long document: actions in an order, as lines that people may edit.

After PEARL (Sun et al. 2023): questions of a kind need actions of a kind; a plan names them before anything
is read. The actions are few and fixed here, since each must be carried out by a council; which of them a
question needs is found by rule, or by a chat model. Knows no document.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from proxycouncil.errors import UsageError
from proxycouncil.graphs.parts import split_parts

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

Action: TypeAlias = Literal["find", "list", "count", "compare", "summarise"]
MEANINGS: dict[Action, str] = {
    "find": "a question with one short answer, asked of the whole document",
    "list": "a question whose answers are collected from every part that may hold one",
    "count": "the number of an earlier list step: how many different items it has",
    "compare": "the numbers of two or more earlier steps, whose results are put side by side",
    "summarise": "a subject: the sentences that say most about it, in the order of the document",
}
_REFERRING = ("count", "compare")
_LINE = re.compile(r"^\s*(?:(\d+)[.)]\s*)?([a-z]+)\s*:\s*(.+?)\s*$", re.IGNORECASE)
_LISTING = re.compile(
    r"^(?:what|which|who) are (?:all )?the (?:\w+ ){0,2}\w+s\b|\ball (?:of )?the\b|"
    r"\bevery \w+ that\b|^(?:what|which) \w+s (?:are|were|have|do|did)\b",
    re.IGNORECASE,
)
_NAMING = re.compile(r"^(?:list|enumerate|name) (?:all )?(?:of )?(?:the )?(.+)$", re.IGNORECASE)
_COUNTING = re.compile(
    r"^how many (.+?) (?:are|were) (?:named|mentioned|listed|described|discussed)", re.IGNORECASE
)
_COMPARING = re.compile(
    r"^(?:compare (?P<one>.+?) (?:and|with|to) (?P<other>.+?)"
    r"|what is the difference between (?P<this>.+?) and (?P<that>.+?)"
    r"|how do(?:es)? (?P<first>.+?) (?:differ from|compare (?:with|to)) (?P<second>.+?)"
    r"|how do (?P<left>.+?) and (?P<right>.+?) (?:differ|compare))$",
    re.IGNORECASE,
)
_SUMMING = re.compile(
    r"^(?:summari[sz]e|give (?:me )?(?:a summary|an overview) of|what is said about) ", re.IGNORECASE
)

_PROMPT = """\
Plan how to answer a question about a long document that you have not seen. Actions:
{actions}
Reply with the plan only, one numbered line a step, as few as it takes. An example for "Which inventors are \
named, how many are there, and who was first?":
1. list: Which inventors are named?
2. count: 1
3. find: Who was the first inventor?"""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a plan."""

    action: Action
    text: str
    """What is asked; of `count` and `compare` the numbers of earlier steps."""

    @property
    def refers_to(self) -> tuple[int, ...]:
        """Earlier steps, counted from 1."""
        found = re.findall(r"\d+", self.text) if self.action in _REFERRING else []
        return tuple(map(int, found))


def plan_by_rule(question: str) -> list[Step]:
    """Steps for each part of the question."""
    steps: list[Step] = []
    for part in split_parts(question):
        steps += _steps(part.rstrip("?"), before=len(steps))
    if not steps:
        raise UsageError("the question is empty", hint='council read FILE "…"')
    return steps


def plan_by_model(question: str, model: BaseChatModel) -> list[Step]:
    """Steps that a chat model proposes; by rule where its reply is no plan."""
    actions = "\n".join(f"- {name}: {meaning}" for name, meaning in MEANINGS.items())
    reply = model.invoke([("system", _PROMPT.format(actions=actions)), ("human", question)])
    try:
        return parse_plan("\n".join(line for line in reply.text.splitlines() if _LINE.match(line)))
    except UsageError:
        return plan_by_rule(question)


def format_plan(steps: Sequence[Step]) -> str:
    """Lines that `parse_plan` reads."""
    return "".join(f"{number}. {step.action}: {step.text}\n" for number, step in enumerate(steps, start=1))


def parse_plan(text: str) -> list[Step]:
    """The steps of a plan as people edit it; empty lines and those that begin with # say nothing.

    Raises:
        UsageError: a line is no step, or refers to none before it.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    steps = [_step(line, before=number) for number, line in enumerate(lines)]
    if not steps:
        raise UsageError("the plan is empty", hint="a line reads: 1. find: Who signed the treaty?")
    return steps


def _step(line: str, *, before: int) -> Step:
    found = _LINE.match(line)
    action = next((one for one in get_args(Action) if found and one == found[2].lower()), None)
    if not found or action is None:
        raise UsageError(
            f"no step of a plan: {line.strip()}", hint=f"NUMBER. ACTION: …, of {', '.join(MEANINGS)}"
        )
    step = Step(action, found[3])
    wanted = 1 if action == "count" else 2
    if action in _REFERRING and (
        len(step.refers_to) < wanted or not all(1 <= one <= before for one in step.refers_to)
    ):
        raise UsageError(
            f"{line.strip()}: {action} names {wanted} or more earlier steps by their numbers",
            hint="as in: 2. count: 1",
        )
    return step


def _steps(part: str, *, before: int) -> list[Step]:
    if found := _COUNTING.match(part):
        return [Step("list", f"Which {found[1]} are named?"), Step("count", str(before + 1))]
    if found := _COMPARING.match(part):
        pair = [Step("find", f"What is {one}?") for one in found.groups() if one]
        return [*pair, Step("compare", f"{before + 1}, {before + 2}")]
    if _SUMMING.match(part):
        return [Step("summarise", _SUMMING.sub("", part))]
    if found := _NAMING.match(part):
        return [Step("list", f"Which {found[1]} are named?")]
    action: Action = "list" if _LISTING.search(part) else "find"
    return [Step(action, f"{part[:1].upper()}{part[1:]}?")]
