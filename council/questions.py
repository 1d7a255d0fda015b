"""A question as it comes in, and as it is allowed to go on."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from typing_extensions import TypedDict, Unpack

from proxycouncil.errors import QuestionError

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
    user: str | None = None
    """Whose memories are read; None: nobody's."""
    id: str = ""
    """Names the question where its answer is saved."""
    marking: Mapping[str, Any] = field(default_factory=dict)
    """What says which answers are right, for whoever saves it; nobody who answers sees it."""

    def as_input(self) -> CouncilInput:
        """What the graph is given; a history of its own only where the caller keeps one."""
        given: CouncilInput = {"question": self.text, "members": list(self.members)}
        return {**given, "history": list(self.history)} if self.history else given


class Asked(TypedDict, total=False):
    """What a question that is given as text may say beside it; fields as in `Question`."""

    thread: str | None
    members: Sequence[str] | None
    user: str | None


def as_question(question: str | Question, **asked: Unpack[Asked]) -> Question:
    """A `Question` as it is, or one made of its text."""
    if isinstance(question, Question):
        return question
    members = tuple(asked.get("members") or ())
    return Question(question, asked.get("thread"), members, user=asked.get("user"))


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
