"""Sentence vectors beside the index, one bank a domain. A cache: losing it loses ranking, never text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from proxycouncil.errors import LibraryError
from proxycouncil.retrieval.bank import VectorBank
from proxycouncil.retrieval.chroma import collection_name
from proxycouncil.retrieval.digests import text_digest
from proxycouncil.retrieval.embedder import TextEncoder

_FOLDER = "sentence-vectors"


class Keepsakes:
    """The banks of one library directory; none where there is no directory that can be written."""

    def __init__(self, directory: Path | None, fingerprint: str) -> None:
        self._folder = directory / _FOLDER if directory else None
        self._fingerprint = fingerprint
        self._banks: dict[Path, VectorBank] = {}

    def load(self) -> Iterator[VectorBank]:
        """Every bank of this embedder; what can't be used is made anew by the next ingest."""
        for path in sorted(self._folder.glob("*.safetensors")) if self._folder else ():
            with suppress(LibraryError):
                self._banks[path] = VectorBank.load(path, fingerprint=self._fingerprint)
                yield self._banks[path]

    def bank(self, domain: str) -> VectorBank | None:
        """What was last loaded, added or kept of a domain."""
        path = self._path(domain)
        return self._banks.get(path) if path else None

    def add(self, domain: str, vectors: Mapping[bytes, NDArray[np.float32]]) -> VectorBank:
        """Store these beside what is kept of a domain."""
        return self._store(domain, (self.bank(domain) or VectorBank(self._fingerprint)).with_coarse(vectors))

    def keep(self, domain: str, texts: Sequence[str], encoder: TextEncoder) -> VectorBank:
        """Embed the sentences of a domain and store them in place of what was kept of it."""
        vectors = encoder.encode(texts)
        coarse = dict(zip(map(text_digest, texts), vectors, strict=True))
        return self._store(domain, VectorBank(self._fingerprint, coarse=coarse))

    def _store(self, domain: str, bank: VectorBank) -> VectorBank:
        if path := self._path(domain):
            path.parent.mkdir(exist_ok=True)
            bank.save(path)
            self._banks[path] = bank
        return bank

    def forget(self, domain: str) -> None:
        """Delete what was kept of a domain."""
        if path := self._path(domain):
            path.unlink(missing_ok=True)
            self._banks.pop(path, None)

    def _path(self, domain: str) -> Path | None:
        return self._folder / f"{collection_name(domain)}.safetensors" if self._folder else None
