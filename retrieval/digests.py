"""SHA-256 of files and texts; of large files once, then from a stamp in the user's cache folder.

A stamp holds for a file of the same path, size and modification time. It saves time at every start; it is no
defence against someone who can write to the user's own folders.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import platformdirs

_WORTH_A_STAMP = 4_000_000
"""Bytes; less is hashed in a few milliseconds."""


def file_sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal digits."""
    state = path.stat()
    if state.st_size < _WORTH_A_STAMP:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    identity: list[str | int] = [str(path.resolve()), state.st_size, state.st_mtime_ns]
    stamp = _stamp_of(path)
    return _read_stamp(stamp, identity) or _compute_and_stamp(path, stamp, identity)


def text_digest(text: str) -> bytes:
    """16 bytes that stand for a text."""
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()


def _stamp_of(path: Path) -> Path:
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]
    return platformdirs.user_cache_path("proxycouncil") / "digests" / f"{name}.json"


def _read_stamp(stamp: Path, identity: list[str | int]) -> str | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        held = json.loads(stamp.read_text(encoding="utf-8"))
        if held["file"] == identity:
            return str(held["sha256"])
    return None


def _compute_and_stamp(path: Path, stamp: Path, identity: list[str | int]) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with suppress(OSError):  # a home that can't be written costs time at each start, nothing else
        stamp.parent.mkdir(parents=True, exist_ok=True)
        replace_file(stamp, json.dumps({"file": identity, "sha256": digest}).encode())
    return digest


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old or the new one, never half of one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
