"""Passages → vectors, their sentences' too, computing only what no one has computed before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from proxycouncil.retrieval.digests import text_digest
from proxycouncil.retrieval.embedder import TextEncoder, Vectors
from proxycouncil.retrieval.passage import Passage
from proxycouncil.retrieval.sentences import sentence_texts

Vector: TypeAlias = NDArray[np.float32]
Stored: TypeAlias = Callable[[str], Sequence[tuple[Passage, Vector]]]
"""What is stored of a document, with its vectors."""

_AT_ONCE = 64


class Embedding:
    """Embeds the passages of an ingest.

    Args:
        encoder: of passages and sentences.
        stored: so that what did not change in a changed or moved document keeps its vectors.
        sentences: embed them too.
    """

    def __init__(self, encoder: TextEncoder, stored: Stored, *, sentences: bool) -> None:
        self._encoder = encoder
        self._stored = stored
        self._sentences = sentences

    def embed(
        self, passages: Sequence[Passage], stale: Sequence[str], done: Callable[[int], None]
    ) -> tuple[Vectors, dict[bytes, Vector]]:
        """Vectors `[n, d]` of the passages, and those of their sentences by digest.

        Args:
            passages: in the order of the vectors.
            stale: documents whose passages these replace.
            done: called with the number of passages embedded so far.
        """
        known = {
            embedded_text(passage): vector for source in stale for passage, vector in self._stored(source)
        }
        vectors: list[Vectors] = []
        sentences: dict[bytes, Vector] = {}
        for start in range(0, len(passages), _AT_ONCE):
            part = passages[start : start + _AT_ONCE]
            vectors.append(self._encode([embedded_text(passage) for passage in part], known))
            if self._sentences:
                texts = [text for passage in part for text in sentence_texts(passage.text)]
                sentences.update(zip(map(text_digest, texts), self._encoder.encode(texts), strict=True))
            done(start + len(part))
        return np.concatenate(vectors), sentences

    def _encode(self, texts: Sequence[str], known: Mapping[str, Vector]) -> Vectors:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        made = dict(zip(new, self._encoder.encode(new), strict=True)) if new else {}
        return np.stack([known[text] if text in known else made[text] for text in texts])


def embedded_text(passage: Passage) -> str:
    """What of a passage is embedded: its title says what "it" is."""
    return f"{passage.title}: {passage.text}"
