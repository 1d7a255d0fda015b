"""Collections larger than one answer of Chroma's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shelving import HashingEncoder

from proxycouncil.retrieval import chroma
from proxycouncil.retrieval.chroma import Row, Shelf
from proxycouncil.retrieval.passage import Passage

SQLITE_TAKES = 32_766


def shelf_of(folder: Path, sources: dict[str, int]) -> Shelf:
    """So many passages of each source, with vectors of two numbers."""
    client = chroma.open_directory(folder.resolve())
    shelf = chroma.create_shelf(client, "many", HashingEncoder(), root=str(folder))
    rows = [_row(source, place) for source, count in sources.items() for place in range(count)]
    vectors = np.random.default_rng(0).normal(size=(len(rows), 2)).astype(np.float32)
    shelf.add(rows, vectors, batch=client.get_max_batch_size())
    return shelf


def _row(source: str, place: int) -> Row:
    passage = Passage(
        f"{source}-{place}", f"text {place}", "Title", (), source, place, place + 1, domain="many"
    )
    return Row(passage, "state")


@pytest.mark.parametrize("page", [1, 3, 7, 100])
def test_pages_are_read_and_forgotten_whole(
    page: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chroma, "PAGE", page)
    shelf = shelf_of(tmp_path, {"a": 7, "b": 5})
    assert [(row.passage.source, row.passage.start) for row in shelf.rows()] == [
        *(("a", n) for n in range(7)),
        *(("b", n) for n in range(5)),
    ]
    assert sorted(passage.start for passage, _ in shelf.vectors("a")) == list(range(7))
    shelf.remove_sources(["a"])
    assert {row.passage.source for row in shelf.rows()} == {"b"}
    assert shelf.count() == 5


@pytest.mark.slow
def test_more_than_sqlite_takes_at_once_are_read_and_forgotten(tmp_path: Path) -> None:
    shelf = shelf_of(tmp_path, {"large": SQLITE_TAKES + 1, "small": 2})
    assert len(shelf.rows()) == SQLITE_TAKES + 3
    assert len(shelf.vectors("large")) == SQLITE_TAKES + 1
    shelf.remove_sources(["large"])
    assert shelf.count() == 2
