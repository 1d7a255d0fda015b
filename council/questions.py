"""A question as it comes in, and as it is allowed to go on."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict, Unpack

from proxycouncil.errors import QuestionError
from proxycouncil.graphs.planning import steps_of

if TYPE_CHECKING:
    from proxycouncil.graphs.run_settings import RunSettings
    from proxycouncil.graphs.state import CouncilInput, Message

MAX_CHARACTERS = 4_000
"""A question longer than this is a document: more than any slate that would be read beside it."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the conversation it belongs to, and who may be asked (nobody named: the router chooses).

    A caller that keeps the conversation itself hands over its `history` instead of naming a `thread`.
    """

    text: str
    thread: str | None = None
    members: tuple[str, ...] = ()
    history: tuple[Message, ...] = ()
    settings: RunSettings | None = None
    """What this question sets otherwise than the council."""
    plan: bool | tuple[str, ...] | None = None
    """Whether to ask it part by part, where it has several; or the parts to ask instead. None: as the
    settings say."""
    user: str | None = None
    """Whose memories are read; None: nobody's."""
    id: str = ""
    """Names the question where its answer is saved."""
    marking: Mapping[str, Any] = field(default_factory=dict)
    """What says which answers are right, for whoever saves it; nobody who answers sees it."""

    def as_input(self) -> CouncilInput:
        """What the graph is given; a history of its own only where the caller keeps one."""
        given: CouncilInput = {"question": self.text, "members": list(self.members)}
        if isinstance(self.plan, tuple):
            given["sub_questions"] = list(self.plan)
        return {**given, "history": list(self.history)} if self.history else given


class Asked(TypedDict, total=False):
    """What a question that is given as text may say beside it; fields as in `Question`."""

    thread: str | None
    members: Sequence[str] | None
    plan: bool | Sequence[str] | None
    user: str | None


def as_question(question: str | Question, **asked: Unpack[Asked]) -> Question:
    """A `Question` as it is, or one made of its text."""
    if isinstance(question, Question):
        return question
    members, plan = tuple(asked.get("members") or ()), asked.get("plan")
    parts = plan if plan is None or isinstance(plan, bool) else tuple(plan)
    return Question(question, asked.get("thread"), members, plan=parts, user=asked.get("user"))


def checked(question: Question) -> Question:
    """The question as it may go on.

    Raises:
        QuestionError: it, or one of the parts to ask instead, is empty or too long.
        UsageError: those parts are no plan.
    """
    plan = question.plan
    if isinstance(plan, tuple):
        plan = tuple(cleaned(part) for part in plan)
        steps_of(plan)
    return replace(question, text=cleaned(question.text), plan=plan)


def cleaned(text: str) -> str:
    """The question without control characters, its white space single.

    Raises:
        QuestionError: nothing is left of it, or it is too long to be a question.
    """
    visible = "".join(
        " " if unicodedata.category(character) in ("Cc", "Cs") else character for character in text
    )
    question = " ".join(visible.split())
    if not question:
        raise QuestionError(
            "the question is empty", hint='ask something, as in: council ask "What is inflation?"'
        )
    if len(question) > MAX_CHARACTERS:
        raise QuestionError(
            f"the question has {len(question):,} characters, more than {MAX_CHARACTERS:,}",
            hint="ask a shorter question; documents go in with `council ingest`",
        )
    return question
