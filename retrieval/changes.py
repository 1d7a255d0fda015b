"""A change to one domain, applied to a Chroma client and believed only when the index answers.

Chroma takes writes that it then can't keep without an exception (a file at its limit, a disk that is full),
so after a write the index is opened anew and asked for its number of passages and for one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from proxycouncil.errors import LibraryWriteError
from proxycouncil.retrieval.chroma import Row, Shelf, collection_name, create_shelf
from proxycouncil.retrieval.embedder import TextEncoder, Vectors

if TYPE_CHECKING:
    from chromadb.api.client import Client

_BYTES_A_ROW = 2_000
_BYTES_A_TEXT_BYTE = 8
_COPIES_OF_A_VECTOR = 2
_EMPTY_STORE_BYTES = 600_000


def _no_vectors() -> Vectors:
    return np.zeros((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of one domain."""

    domain: str
    remove: Sequence[str] = ()
    """Sources whose passages go."""
    rows: Sequence[Row] = ()
    vectors: Vectors = field(default_factory=_no_vectors)
    root: str = ""
    """What the sources are relative to; kept when the domain is new."""
    anew: bool = False
    """Drop the domain first; without rows it is gone."""

    @property
    def bytes(self) -> int:
        """About what it takes on disk, rather more than less (measured: 6 kB a passage of 500 characters)."""
        texts = sum(len(row.passage.text.encode()) for row in self.rows)
        fixed = _EMPTY_STORE_BYTES + _BYTES_A_ROW * len(self.rows)
        return fixed + _BYTES_A_TEXT_BYTE * texts + _COPIES_OF_A_VECTOR * self.vectors.nbytes


def apply_changes(
    changes: Iterable[Change], shelves: MutableMapping[str, Shelf], client: Client, encoder: TextEncoder
) -> dict[str, int]:
    """Write; returns how many passages each changed domain must hold now."""
    batch = client.get_max_batch_size()
    expected = {}
    for change in changes:
        if change.anew and change.domain in shelves:
            del shelves[change.domain]
            client.delete_collection(collection_name(change.domain))
        if change.anew and not change.rows:
            continue
        shelf = shelves.get(change.domain) or create_shelf(client, change.domain, encoder, root=change.root)
        shelves[change.domain] = shelf
        shelf.remove_sources(change.remove)
        expected[change.domain] = shelf.count() + len(change.rows)
        shelf.add(change.rows, change.vectors, batch=batch)
    return expected


def probe(changes: Iterable[Change], shelves: Mapping[str, Shelf], expected: Mapping[str, int]) -> None:
    """Ask the index for what was written.

    Raises:
        LibraryWriteError: it does not have it.
    """
    for change in changes:
        shelf = shelves.get(change.domain)
        held = shelf.count() if shelf else 0
        if held != expected.get(change.domain, 0):
            raise LibraryWriteError(
                f"{change.domain}: {held} passages are there, not {expected[change.domain]}"
            )
        if shelf and change.rows and not shelf.nearest(change.vectors[-1], 1):
            raise LibraryWriteError(f"{change.domain}: the index does not answer")
