"""Vectors computed before, by what was embedded: a bank on disk, a memory of the latest, the embedder behind.

Knows texts by their digest alone and one embedder's vectors alone. A bank is a cache: what it lacks is
computed, and losing it loses time, nothing else. Two precisions: float16 for passages and descriptions,
where routing and ranking read small differences, int8 for sentences, of which there are many (an error of
about 0.001 in a cosine).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from proxycouncil.errors import EmbedderMismatchError, LibraryError
from proxycouncil.retrieval.digests import replace_file, text_digest
from proxycouncil.retrieval.embedder import TextEncoder, Vectors

DIGEST_BYTES = 16
_INT8 = 127.0


class VectorBank:
    """Digest → vector, in memory as on disk.."""

    def __init__(
        self,
        fingerprint: str,
        *,
        fine: Mapping[bytes, NDArray[np.float32]] | None = None,
        coarse: Mapping[bytes, NDArray[np.float32]] | None = None,
    ) -> None:
        self.fingerprint = fingerprint
        self._tensors = {**_pack("fine", fine or {}, np.float16), **_pack("coarse", coarse or {}, np.int8)}
        self._rows, self._scales = _rows(self._tensors), _scales(self._tensors)

    @classmethod
    def load(cls, path: Path, *, fingerprint: str) -> VectorBank:
        """Read a bank of that embedder.

        Raises:
            EmbedderMismatchError: it is another's.
            LibraryError: the file is damaged.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                written_by = (file.metadata() or {}).get("embedder", "")
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise LibraryError(
                f"{path} can't be read: {error}", hint="delete it; it is made again"
            ) from error
        if written_by != fingerprint:
            raise EmbedderMismatchError(
                f"{path} holds vectors of the embedder {written_by or '?'}, not of {fingerprint}",
                hint="delete it, or use the embedder it was made with",
            )
        bank = cls(fingerprint)
        bank._tensors, bank._rows, bank._scales = tensors, _rows(tensors), _scales(tensors)
        return bank

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        from safetensors.numpy import save

        replace_file(path, save(self._tensors, metadata={"embedder": self.fingerprint}))

    def get(self, digest: bytes) -> NDArray[np.float32] | None:
        """The unit vector, or None."""
        place = self._rows.get(digest)
        if place is None:
            return None
        table, row = place
        vector: NDArray[np.float32] = self._tensors[f"{table}.vectors"][row] * self._scales[table][row]
        return vector

    def with_coarse(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> VectorBank:
        """These too, all of them coarse."""
        held = {digest: vector for digest in self._rows if (vector := self.get(digest)) is not None}
        return VectorBank(self.fingerprint, coarse={**held, **vectors})

    def __len__(self) -> int:
        return len(self._rows)


def _pack(
    table: str, vectors: Mapping[bytes, NDArray[np.float32]], kind: type[np.float16] | type[np.int8]
) -> dict[str, NDArray[np.generic]]:
    if not vectors:
        return {}
    digests = sorted(vectors)
    rows = np.stack([vectors[digest] for digest in digests])
    if kind is np.int8:  # one scale a row would be stored in vain: unit vectors are made unit again
        rows = np.rint(rows / np.abs(rows).max(axis=1, keepdims=True) * _INT8)
    keys = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES)
    return {f"{table}.digests": keys, f"{table}.vectors": rows.astype(kind)}


def _rows(tensors: Mapping[str, NDArray[np.generic]]) -> dict[bytes, tuple[str, int]]:
    return {
        digest.tobytes(): (table, row)
        for table in ("coarse", "fine")
        for row, digest in enumerate(tensors.get(f"{table}.digests", ()))
    }


def _scales(tensors: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.float32]]:
    """What makes each stored row a unit vector again."""
    tables = [name.removesuffix(".vectors") for name in tensors if name.endswith(".vectors")]
    return {
        table: 1.0 / np.linalg.norm(tensors[f"{table}.vectors"].astype(np.float32), axis=1)
        for table in tables
    }


class RememberingEncoder:
    """An embedder that computes a text once: it looks into banks and into a bounded memory first."""

    def __init__(
        self, encoder: TextEncoder, banks: Iterable[VectorBank] = (), *, capacity: int = 16_384
    ) -> None:
        self._encoder = encoder
        self._banks = [bank for bank in banks if len(bank)]
        self._capacity = capacity
        self._memory: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The embedder's."""
        return self._encoder.name

    @property
    def fingerprint(self) -> str:
        """The embedder's."""
        return self._encoder.fingerprint

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors `[n, d]`, computing only what is not known."""
        digests = [text_digest(text) for text in texts]
        known = {digest: vector for digest in digests if (vector := self._look_up(digest)) is not None}
        missing = {digest: text for digest, text in zip(digests, texts, strict=True) if digest not in known}
        if missing or not texts:
            computed = self._encoder.encode(list(missing.values()))
            if not texts:
                return computed
            known.update(zip(missing, computed, strict=True))
            self._remember({digest: known[digest] for digest in missing})
        return np.stack([known[digest] for digest in digests])

    def known(self, texts: Sequence[str]) -> Vectors | None:
        """Their vectors if none has to be computed."""
        vectors = []
        for text in texts:
            vector = self._look_up(text_digest(text))
            if vector is None:
                return None
            vectors.append(vector)
        return np.stack(vectors) if vectors else None

    def add_bank(self, bank: VectorBank, *, instead_of: VectorBank | None = None) -> None:
        """Look into this one too, or in place of another."""
        self._banks = [*(held for held in self._banks if held is not instead_of), bank]

    def _look_up(self, digest: bytes) -> NDArray[np.float32] | None:
        with self._lock:
            if digest in self._memory:
                self._memory.move_to_end(digest)
                return self._memory[digest]
        for bank in self._banks:
            if (vector := bank.get(digest)) is not None:
                return vector
        return None

    def _remember(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        with self._lock:
            self._memory.update(vectors)
            while len(self._memory) > self._capacity:
                self._memory.popitem(last=False)
