"""Model files on disk: where they are, whether they are whole, what they weigh, what identifies them.

Knows safetensors' layout and hub ids; never loads a tensor, never imports torch.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

from proxycouncil.errors import FamilyError

Header: TypeAlias = dict[str, Any]

_HUB_FILES = ["*.json", "*.safetensors", "*.jinja", "*.txt", "tokenizer.model"]
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
)
_TWO_BYTES = {"BF16": "bfloat16", "F16": "float16"}
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_SAMPLES, _SAMPLE_BYTES = 256, 65_536


@dataclass(frozen=True)
class Checkpoint:
    """A directory with a model or a LoRA adapter whose files have been checked."""

    path: Path
    weights: tuple[Path, ...]

    @property
    def is_adapter(self) -> bool:
        """Whether it is a PEFT adapter over another model."""
        return (self.path / "adapter_config.json").is_file()

    @property
    def has_tokenizer(self) -> bool:
        """Whether a tokenizer lies beside the weights."""
        return (self.path / "tokenizer.json").is_file()

    @cached_property
    def tokenizer_digest(self) -> str:
        """Equal for equal tokenizers: hash of their files, chat template included."""
        digest = hashlib.sha256()
        for name in _TOKENIZER_FILES:
            file = self.path / name
            digest.update(name.encode() + (file.read_bytes() if file.is_file() else b""))
        return digest.hexdigest()

    @cached_property
    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor by name."""
        shapes: dict[str, tuple[int, ...]] = {}
        for file in self.weights:
            entries = _read_header(file).items()
            shapes.update({name: tuple(entry["shape"]) for name, entry in entries if name != "__metadata__"})
        return shapes

    @cached_property
    def number_format(self) -> str:
        """torch's name for what all weights are stored in; "float32" if they differ or are something else."""
        entries = [entry for file in self.weights for entry in _read_header(file).items()]
        found = {entry["dtype"] for name, entry in entries if name != "__metadata__"}
        return _TWO_BYTES.get(found.pop(), "float32") if len(found) == 1 else "float32"

    @property
    def parameters(self) -> int:
        """Number of weights stored."""
        return sum(prod(shape) for shape in self.tensors.values())

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the settings and of the weights: header, size and evenly spread samples of the bytes.

        Weights up to 16 MB are hashed whole.
        """
        digest = hashlib.sha256()
        for file in sorted(self.path.glob("*.json")):
            digest.update(file.name.encode() + file.read_bytes())
        for file in self.weights:
            digest.update(file.name.encode())
            _hash_samples(file, digest)
        return digest.hexdigest()


def open_checkpoint(source: str | Path) -> Checkpoint:
    """Find a local directory or a hub id (`org/name`, `org/name@revision`) and check its files.

    Raises:
        FamilyError: nothing there, weights missing, truncated or not safetensors.
    """
    path = _locate(source)
    adapter = (path / "adapter_config.json").is_file()
    if not adapter and not (path / "config.json").is_file():
        raise FamilyError(
            f"{path} holds no model: config.json and adapter_config.json are missing",
            hint="name the directory that save_pretrained wrote",
        )
    weights = _weight_files(path, "adapter_model" if adapter else "model")
    for file in weights:
        _check_whole(file)
    return Checkpoint(path, weights)


def _locate(source: str | Path) -> Path:
    local = Path(source).expanduser()
    if local.is_dir():
        return local.resolve()
    if isinstance(source, Path) or source.startswith((".", "/", "~")) or source.count("/") != 1:
        raise FamilyError(
            f"{local} is not a directory", hint="check the path, or name a hub id such as org/name"
        )
    return _from_hub(source)


def _from_hub(source: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    name, _, revision = source.partition("@")
    try:
        folder = snapshot_download(
            name, revision=revision or None, allow_patterns=_HUB_FILES, ignore_patterns=["*/*"]
        )
    except (OSError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise FamilyError(
            f"{source} is neither a directory nor a model that the hub gives: {error}",
            hint="check the name and the network, or download it once and name the directory",
        ) from error
    return Path(folder)


def _weight_files(path: Path, stem: str) -> tuple[Path, ...]:
    index = path / f"{stem}.safetensors.index.json"
    if index.is_file():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    else:
        names = [f"{stem}.safetensors"]
    for name in names:
        if not (path / name).is_file():
            raise _missing(path, name)
    return tuple(path / name for name in names)


def _missing(path: Path, name: str) -> FamilyError:
    pickles = sorted(found.name for pattern in _PICKLES for found in path.glob(pattern))
    if pickles:
        return FamilyError(
            f"{path} has its weights only as a pickle ({pickles[0]}), which can run code when it is read",
            hint=f"load it where you trust it and save_pretrained(…) it: that writes {name}",
        )
    return FamilyError(f"{path / name} is missing", hint="copy or download the weights again")


def _check_whole(file: Path) -> None:
    header = _read_header(file)
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    expected = _header_bytes(file) + max(ends, default=0)
    size = file.stat().st_size
    if size != expected:
        raise _damaged(file, f"{size} bytes where its header promises {expected}")


def _header_bytes(file: Path) -> int:
    with file.open("rb") as stream:
        prefix = stream.read(8)
    if len(prefix) < 8:
        raise _damaged(file, "no header")
    return 8 + int(struct.unpack("<Q", prefix)[0])


def _read_header(file: Path) -> Header:
    length = _header_bytes(file)
    if length > file.stat().st_size:
        raise _damaged(file, "the header is cut off")
    with file.open("rb") as stream:
        stream.seek(8)
        raw = stream.read(length - 8)
    try:
        header: Header = json.loads(raw)
    except ValueError as error:
        raise _damaged(file, "the header is not readable") from error
    return header


def _damaged(file: Path, what: str) -> FamilyError:
    return FamilyError(
        f"{file} is truncated or damaged: {what}",
        hint="copy or download it again (a Git LFS pointer also looks like this: run `git lfs pull`)",
    )


def _hash_samples(file: Path, digest: hashlib._Hash) -> None:
    size = file.stat().st_size
    digest.update(struct.pack("<Q", size))
    step = max(_SAMPLE_BYTES, size // _SAMPLES)
    with file.open("rb") as stream:
        for start in range(0, size, step):
            stream.seek(start)
            digest.update(stream.read(_SAMPLE_BYTES))
