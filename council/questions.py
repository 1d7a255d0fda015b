"""A question as it comes in, and as it is allowed to go on."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proxycouncil.errors import QuestionError

MAX_CHARACTERS = 4_000
"""A question longer than this is a document: more than any slate that would be read beside it."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the conversation it belongs to, and who may be asked (nobody named: the router chooses)."""

    text: str
    thread: str | None = None
    members: tuple[str, ...] = ()
    id: str = ""
    """Names the question where its answer is saved."""
    marking: Mapping[str, Any] = field(default_factory=dict)
    """What says which answers are right, for whoever saves it; nobody who answers sees it."""


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
