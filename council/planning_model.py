"""A chat model of LangChain that splits a question into sub-questions: one prompt, and how a reply is read.

The model only plans: it answers nothing, and what it proposes is checked like a caller's plan.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_PROMPT = """\
Split a question into the fewest sub-questions that answer it, in the order in which they must be asked. \
Each must be understood alone; where it needs the answer to an earlier one, write that answer's number in \
braces. If one question is enough, repeat it unchanged. Answer nothing. Reply with one numbered line for \
each. An example for "Who wrote the Wealth of Nations, and in which town was he born?":
1. Who wrote the Wealth of Nations?
2. In which town was {1} born?"""
_LINE = re.compile(r"^\s*\d+[.)]\s+(.+?)\s*$", re.MULTILINE)


class ChatPlanner:
    """Question → sub-questions.

    Args:
        model: "provider:name", opened with the first question; or a chat model.
    """

    def __init__(self, model: str | BaseChatModel) -> None:
        self._model = model
        self._lock = threading.Lock()

    def __call__(self, question: str) -> list[str]:
        """Sub-questions; what can't be read as such raises, and whoever asked goes by rules."""
        reply = self._opened().invoke([("system", _PROMPT), ("human", question)])
        found = _LINE.findall(str(reply.text))
        if not found:
            raise ValueError(f"the reply holds no numbered line: {str(reply.text)[:80]!r}")
        return found

    def _opened(self) -> BaseChatModel:
        with self._lock:
            if isinstance(self._model, str):
                from proxycouncil.council.question_models import open_model

                self._model = open_model(self._model)
            return self._model
