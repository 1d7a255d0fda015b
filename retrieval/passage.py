"""What retrieval hands out: passages, and excerpts of them, each with its exact place in the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Standing: TypeAlias = Literal["stands", "changed", "missing", "gone"]
"""Of a passage that was cited: as it was read; its document has changed since; is not where it lay; the
library does not hold it any more."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document. `source[start:end] == text`, in characters of the decoded file, or of the text
    that was extracted from it (`Library.text_of`)."""

    id: str
    """Content hash: the same text at the same place of the same document has the same id."""
    text: str
    title: str
    heading_path: tuple[str, ...]
    source: str
    """Path of the document, relative to the library's root where it lies under it."""
    start: int
    end: int
    domain: str
    score: float = 0.0
    """What the search gave it: reciprocal rank fusion, higher is better."""
    place: str = ""
    """Page, slide or cells of a document that has such parts."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A span of a passage as a member reads it: the whole passage, or one sentence of it."""

    passage: Passage
    text: str
    start: int
    """Character offsets in the source: `source[start:end] == text`."""
    end: int
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Affinity:
    """How near a question is to one domain; the router's features."""

    best: float
    """Largest cosine to a passage of the domain."""
    mean3: float
    """Mean of the three largest."""
    example: float
    """Largest cosine to the domain's description and example questions; 0.0 without any."""
    bm25: float
    """Largest BM25 score of a passage of the domain."""
    sentence: float = 0.0
    """Largest cosine to a sentence of the domain; `best` where sentences have no vectors. It tells questions
    that no domain covers better than `best` does (docs/retrieval.md)."""
