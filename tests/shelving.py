"""What the retrieval tests share: one embedder a process, small documents, small disks."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from proxycouncil.retrieval.embedder import Embedder

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
    """Remount a small disk so that not even root can write."""
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)


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
