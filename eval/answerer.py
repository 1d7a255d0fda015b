"""Whatever answers questions can be measured: one reading, one member, the council, a search engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from proxycouncil.graphs.state import Citation


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; an empty text is a refusal."""

    text: str
    confidence: float = 0.0
    citations: tuple[Citation, ...] = ()
    tokens: int | None = None
    """Read and written for it, a prompt as often as it was read; None: not counted."""

    @property
    def declined(self) -> bool:
        """Whether nothing was answered."""
        return not self.text


class Answerer(Protocol):
    """One arm of a comparison."""

    def answers(self, questions: Sequence[str]) -> Iterator[Reply]:
        """Replies in the order of the questions."""
        ...
