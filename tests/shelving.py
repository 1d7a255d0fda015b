"""What the retrieval tests share: one embedder a process, small documents, small disks."""

import os
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from proxycouncil.retrieval.embedder import Embedder, Vectors

PETS = """# Animals

This chapter is about animals.

## Cat

A cat is a small carnivore. It purrs at 25 hertz. Cats sleep thirteen hours a day.

## Dog

A dog barks at strangers. Dogs were domesticated 15,000 years ago, e.g. in Siberia. They smell 3.5 % more.
"""
SHIPS = """# Ships

## Keel

The keel is the lowest beam of a ship. It runs from bow to stern.

## Ballast

Ballast keeps a ship upright. It was once stone, and is water now.
"""


@cache
def embedder() -> Embedder:
    """The bundled one; loading it takes seconds."""
    return Embedder()


class HashingEncoder:
    """A crude embedder for tests that are not about finding: words fall into 64 bins. It keeps its texts."""

    name, fingerprint = "hashing", "hashing-64"

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.texts += texts
        vectors = np.zeros((len(texts), 64), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, zlib.crc32(word.encode()) % 64] += 1
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.maximum(norms, 1e-9) if len(texts) else vectors


def write_documents(folder: Path) -> Path:
    """`docs/pets/animals.md` and `docs/ships/ships.md`; returns `docs`."""
    for name, text in (("pets/animals.md", PETS), ("ships/ships.md", SHIPS)):
        path = folder / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "docs"


@contextmanager
def small_disk(folder: Path, *, megabytes: int) -> Iterator[Path]:
    """A tmpfs of that size; the test is skipped where mounting isn't permitted."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("mounting a tmpfs isn't permitted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def make_read_only(folder: Path) -> None:
    """Remount a small disk so that not even root can write.

    The kernel may hold a file that was just closed or unmapped a moment longer, and then calls it busy.
    """
    command = ["mount", "-o", "remount,ro", folder]
    for _ in range(100):
        if not subprocess.run(command, capture_output=True, check=False).returncode:
            return
        time.sleep(0.1)
    subprocess.run(command, check=True)


@contextmanager
def python(code: str, *arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """Another process that runs the code with the package at hand; killed in the end."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()
