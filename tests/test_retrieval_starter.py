"""The starter's library: complete, found again, built once by whoever comes first."""

import json
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from shelving import embedder, python

from proxycouncil.council.starter import DIRECTORY, EMBEDDINGS, open_library
from proxycouncil.council.starter.embed import missing_texts
from proxycouncil.retrieval.digests import file_sha256, text_digest
from proxycouncil.retrieval.embedder import PINNED_WEIGHTS, Embedder

OPEN = """
import sys
from proxycouncil.council.starter import open_library
with open_library(sys.argv[1]) as library:
    print(len(library.passages()), library.stats().place)
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_two_processes_at_once_build_one_library(cache: Path) -> None:
    with python(OPEN, cache) as first, python(OPEN, cache) as second:
        assert first.communicate()[0] == second.communicate()[0] != ""
    assert len(list(cache.iterdir())) == 1  # and nothing half-built beside it


def test_every_text_has_its_vector() -> None:
    assert missing_texts(embedder()) == 0


def test_the_vectors_are_the_embedders(cache: Path) -> None:
    with open_library(cache) as library:
        passages = library.passages()[::100]
        texts = [f"{passage.title}: {passage.text}" for passage in passages]
        shipped = library._encoder.known(texts)
    assert shipped is not None
    assert np.allclose((shipped * embedder().encode(texts)).sum(axis=1), 1, atol=1e-3)


def test_it_finds_and_cites(cache: Path) -> None:
    with open_library(cache) as library:
        assert library.domains == ("computing", "economics", "law", "medicine", "physics", "psychology")
        best = library.slate("What is opportunity cost?")[0]
        assert best.passage.title == "Opportunity cost"
        source = (DIRECTORY / best.passage.source).read_text(encoding="utf-8")
        assert source[best.start : best.end] == best.text
        near = library.affinities("What is opportunity cost?")
        assert max(near, key=lambda domain: near[domain].best) == "economics"


def test_nothing_is_embedded_but_the_question(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    encode = Embedder.encode
    monkeypatch.setattr(
        Embedder, "encode", lambda self, texts: asked.append(list(texts)) or encode(self, texts)
    )
    with open_library(cache) as library:
        library.affinities("why does ice float?")
        library.slate("why does ice float?", domains=["physics"])
    assert asked == [["why does ice float?"]]


def test_what_is_shipped_is_small() -> None:
    assert EMBEDDINGS.stat().st_size < 3_000_000


# Digests


def test_the_weights_are_pinned_and_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_: tmp_path)
    weights = embedder().directory / "model.safetensors"
    assert file_sha256(weights) == PINNED_WEIGHTS
    (stamp,) = (tmp_path / "digests").iterdir()
    held = json.loads(stamp.read_text())
    stamp.write_text(json.dumps({**held, "sha256": "from the stamp"}))
    assert file_sha256(weights) == "from the stamp"
    stamp.write_text("{")
    assert file_sha256(weights) == PINNED_WEIGHTS
    stamp.write_text(json.dumps({"file": ["another", 1, 2], "sha256": "of another"}))
    assert file_sha256(weights) == PINNED_WEIGHTS


def test_digests_take_any_text() -> None:
    assert len({text_digest(text) for text in ("", "a", "\ud800", "猫")}) == 4
