"""Sentence vectors beside the index, one bank a domain. A cache: losing it loses ranking, never text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

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

    def load(self) -> Iterator[VectorBank]:
        """Every bank of this embedder; what can't be used is made anew by the next ingest."""
        for path in sorted(self._folder.glob("*.safetensors")) if self._folder else ():
            with suppress(LibraryError):
                yield VectorBank.load(path, fingerprint=self._fingerprint)

    def keep(self, domain: str, texts: Sequence[str], encoder: TextEncoder) -> VectorBank:
        """Embed the sentences of a domain and store them in place of what was kept of it."""
        vectors = encoder.encode(texts)
        bank = VectorBank(self._fingerprint, coarse=dict(zip(map(text_digest, texts), vectors, strict=True)))
        if path := self._path(domain):
            path.parent.mkdir(exist_ok=True)
            bank.save(path)
        return bank

    def forget(self, domain: str) -> None:
        """Delete what was kept of a domain."""
        if path := self._path(domain):
            path.unlink(missing_ok=True)

    def _path(self, domain: str) -> Path | None:
        return self._folder / f"{collection_name(domain)}.safetensors" if self._folder else None
