"""The library over a real Chroma directory with the real embedder."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from shelving import PETS, HashingEncoder, embedder, write_documents

from proxycouncil.errors import (
    DistanceMismatchError,
    EmbedderMismatchError,
    LibraryError,
    QuestionError,
    UnknownDomainError,
)
from proxycouncil.graphs.protocols import Searcher
from proxycouncil.retrieval.bank import RememberingEncoder, VectorBank
from proxycouncil.retrieval.digests import text_digest
from proxycouncil.retrieval.embedder import Embedder, Vectors
from proxycouncil.retrieval.library import Library
from proxycouncil.retrieval.reembed import reembed

PURR = "At how many hertz does a cat purr?"


class ShuffledEmbedder:
    """Another embedder: the same vectors with their components in another order."""

    name = "shuffled"
    fingerprint = "shuffled-1"

    def encode(self, texts: list[str]) -> Vectors:
        return np.ascontiguousarray(embedder().encode(texts)[:, ::-1])


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("stocked")
    documents = write_documents(folder)
    with Library(folder / "library", embedder=embedder()) as library:
        library.ingest("pets", documents / "pets")
        library.ingest("ships", documents / "ships")
        library.describe("pets", description="Questions about animals.", examples=["why do cats purr"])
        yield library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library", embedder=embedder()) as fresh:
        yield fresh


def found(library: Library, question: str) -> list[str]:
    return [passage.title for passage in library.search(question, limit=3)]


# Searching


def test_it_is_the_searcher_of_the_graph(stocked: Library) -> None:
    searcher: Searcher = stocked
    assert searcher.domains == ("pets", "ships")
    assert searcher.embedder_fingerprint == embedder().fingerprint


@pytest.mark.parametrize("mode", ["hybrid", "dense", "bm25"])
def test_each_way_of_searching_finds_it(stocked: Library, mode: str) -> None:
    best = stocked.search(PURR, mode=mode, limit=2)
    assert best[0].title == "Cat"
    assert best[0].domain == "pets"
    assert best[0].score >= best[-1].score > 0


def test_spans_stand_in_the_documents(stocked: Library) -> None:
    for passage in stocked.passages():
        source = stocked.resolve(passage.source).read_text(encoding="utf-8")
        assert source[passage.start : passage.end] == passage.text
    for excerpt in stocked.slate(PURR, limit=6):
        source = stocked.resolve(excerpt.passage.source).read_text(encoding="utf-8")
        assert source[excerpt.start : excerpt.end] == excerpt.text


def test_the_best_sentence_comes_first(stocked: Library) -> None:
    assert stocked.slate(PURR, limit=3)[0].text == "It purrs at 25 hertz."


def test_slates_keep_to_their_domains_and_orders(stocked: Library) -> None:
    assert {e.passage.domain for e in stocked.slate(PURR, domains=["ships"], limit=8)} == {"ships"}
    first = stocked.slate(PURR, form="passages", limit=3)
    assert stocked.slate(PURR, form="passages", limit=3, order="best_last") == first[::-1]
    assert stocked.slate(PURR, limit=3, order="shuffled", seed=1) == stocked.slate(
        PURR, limit=3, order="shuffled", seed=1
    )


def test_affinities_tell_domains_apart(stocked: Library) -> None:
    near = stocked.affinities(PURR)
    assert near["pets"].best > near["ships"].best
    assert near["pets"].mean3 <= near["pets"].best
    assert near["pets"].sentence > near["ships"].sentence
    assert near["pets"].bm25 > near["ships"].bm25
    assert near["pets"].example > 0.5 > near["ships"].example == 0.0


def test_similarity_is_a_cosine(stocked: Library) -> None:
    table = stocked.similarity(["a cat", "a cat", "the keel of a ship"])
    assert table[0][1] == pytest.approx(1.0, abs=1e-5)
    assert table[0][2] == pytest.approx(table[2][0])
    assert table[0][2] < 0.5


def test_a_question_is_embedded_once(tmp_path: Path) -> None:
    class Counting(Embedder):
        calls = 0

        def encode(self, texts: list[str]) -> Vectors:  # type: ignore[override]
            self.calls += 1
            return super().encode(texts)

    counting = Counting()
    with Library(tmp_path / "library", embedder=counting) as library:
        library.ingest("pets", write_documents(tmp_path) / "pets")
        before = counting.calls
        library.affinities(PURR)
        for seed in range(3):
            library.slate(PURR, order="shuffled", seed=seed)
        assert counting.calls == before + 1


def test_threads_get_what_one_gets(stocked: Library) -> None:
    questions = [PURR, "what is a keel", "who barks", "what is ballast made of"] * 4
    expected = [[e.text for e in stocked.slate(question)] for question in questions]
    got: dict[int, list[str]] = {}

    def work(number: int) -> None:
        stocked.affinities(questions[number])
        got[number] = [e.text for e in stocked.slate(questions[number])]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(questions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [got[number] for number in range(len(questions))] == expected


def test_odd_questions(stocked: Library) -> None:
    with pytest.raises(QuestionError):
        stocked.search(" \n")
    with pytest.raises(UnknownDomainError, match="law") as refused:
        stocked.search("x", domains=["law"])
    assert "pets, ships" in refused.value.hint
    for question in ("\ud800 \x00 cat", "猫はなぜ喉を鳴らす", "cat " * 5_000):
        assert stocked.slate(question)
    assert stocked.search("cat", limit=0) == []
    assert stocked.slate("cat", domains=[]) == []


def test_an_empty_library_answers_nothing(library: Library) -> None:
    assert library.domains == ()
    assert library.search("cat") == []
    assert library.affinities("cat") == {}


# Ingesting


def test_twice_changes_nothing(library: Library, tmp_path: Path) -> None:
    documents = write_documents(tmp_path)
    first = library.ingest("pets", documents / "pets")
    assert first.added == ("docs/pets/animals.md",)
    assert first.passages == 3
    before = library.passages()
    second = library.ingest("pets", documents / "pets")
    assert second.unchanged == first.added
    assert second.added == second.removed == ()
    assert second.passages == 0
    assert library.passages() == before


def test_sentence_vectors_are_written_when_something_changed_or_they_are_lost(tmp_path: Path) -> None:
    documents = write_documents(tmp_path)
    with Library(tmp_path / "own", embedder=HashingEncoder()) as library:
        library.ingest("pets", documents / "pets")
        (bank,) = (tmp_path / "own" / "sentence-vectors").iterdir()
        written = bank.stat().st_mtime_ns
        library.ingest("pets", documents / "pets")
        assert bank.stat().st_mtime_ns == written
    bank.unlink()
    with Library(tmp_path / "own", embedder=HashingEncoder()) as library:
        library.ingest("pets", documents / "pets")
    assert bank.is_file()


def test_changed_and_vanished_documents_are_noticed(library: Library, tmp_path: Path) -> None:
    documents = write_documents(tmp_path)
    library.ingest("all", documents)
    (documents / "pets/animals.md").write_text(PETS.replace("purrs at 25", "purrs at 30"), encoding="utf-8")
    (documents / "ships/ships.md").unlink()
    report = library.ingest("all", documents)
    assert report.changed == ("docs/pets/animals.md",)
    assert report.removed == ("docs/ships/ships.md",)
    assert library.slate(PURR)[0].text == "It purrs at 30 hertz."
    assert {passage.source for passage in library.passages()} == {"docs/pets/animals.md"}


def test_a_named_file_that_vanished_is_forgotten_and_others_stay(library: Library, tmp_path: Path) -> None:
    documents = write_documents(tmp_path)
    library.ingest("all", documents)
    (documents / "ships/ships.md").unlink()
    assert library.ingest("all", documents / "ships/ships.md").removed == ("docs/ships/ships.md",)
    assert found(library, PURR)[0] == "Cat"


def test_what_fails_is_named_and_the_rest_is_taken(library: Library, tmp_path: Path) -> None:
    documents = write_documents(tmp_path)
    (documents / "latin.txt").write_bytes(b"caf\xe9")
    (documents / "empty.md").write_text(" \n")
    (documents / "picture.png").write_bytes(b"\x89PNG")
    (documents / ".hidden.md").write_text("hidden")
    report = library.ingest("all", documents, tmp_path / "nowhere")
    assert len(report.added) == 2
    assert set(report.failed) == {"docs/latin.txt", "docs/empty.md", "nowhere"}
    assert "UTF-8" in report.failed["docs/latin.txt"]
    assert report.skipped == ("docs/picture.png",)


def test_a_document_that_can_no_longer_be_read_keeps_what_was_stored(
    library: Library, tmp_path: Path
) -> None:
    documents = write_documents(tmp_path)
    library.ingest("all", documents)
    (documents / "pets/animals.md").write_bytes(b"\xff\xfe")
    assert set(library.ingest("all", documents).failed) == {"docs/pets/animals.md"}
    assert found(library, PURR)[0] == "Cat"


@pytest.mark.parametrize("domain", ["ai", "C++", "droit français"])
def test_a_domain_may_have_any_name(library: Library, tmp_path: Path, domain: str) -> None:
    library.ingest(domain, write_documents(tmp_path) / "pets")
    assert library.domains == (domain,)
    assert library.search(PURR, domains=[domain])[0].domain == domain
    library.remove(domain)
    assert library.domains == ()
    with pytest.raises(UnknownDomainError):
        library.remove(domain)


def test_the_same_text_in_two_domains_is_shown_once(library: Library, tmp_path: Path) -> None:
    documents = write_documents(tmp_path)
    library.ingest("pets", documents / "pets")
    library.ingest("zoo", documents / "pets")
    titles = [passage.title for passage in library.search(PURR, limit=9)]
    assert sorted(titles) == ["Animals", "Cat", "Dog"]


def test_without_sentence_vectors_slates_are_the_same_sentences(tmp_path: Path) -> None:
    documents = write_documents(tmp_path)
    with Library(tmp_path / "library", embedder=embedder()) as library:
        library.ingest("pets", documents / "pets", sentences=False)
        plain = library.slate(PURR, limit=2)
        library.ingest("pets", documents / "pets", sentences=True)
        assert [e.text for e in library.slate(PURR, limit=2)] == [e.text for e in plain]
        assert list((tmp_path / "library/sentence-vectors").glob("*.safetensors"))
    with Library(tmp_path / "library", embedder=embedder()) as library:
        assert library.slate(PURR)[0].text == "It purrs at 25 hertz."


def test_the_library_may_move_with_its_documents(tmp_path: Path) -> None:
    old = tmp_path / "old"
    documents = write_documents(old)
    with Library(old / "library", embedder=embedder()) as library:
        library.ingest("pets", documents / "pets")
    shutil.move(old, tmp_path / "new")
    with Library(tmp_path / "new/library", embedder=embedder()) as library:
        assert library.resolve(library.search(PURR)[0].source).read_text(encoding="utf-8") == PETS
        with pytest.raises(LibraryError, match=r"gone\.md"):
            library.resolve("gone.md")


def test_a_closed_library_says_so(tmp_path: Path) -> None:
    library = Library(tmp_path / "library", embedder=embedder())
    library.close()
    library.close()
    with pytest.raises(LibraryError, match="closed"):
        library.ingest("pets", write_documents(tmp_path))


# Foreign indexes


def test_another_embedder_is_refused_until_the_texts_are_embedded_anew(tmp_path: Path) -> None:
    with Library(tmp_path / "library", embedder=embedder()) as library:
        library.ingest("pets", write_documents(tmp_path) / "pets")
        before = library.passages()
    with pytest.raises(EmbedderMismatchError, match="all-MiniLM-L6-v2") as refused:
        Library(tmp_path / "library", embedder=ShuffledEmbedder())
    assert "proxycouncil.retrieval.reembed" in refused.value.hint
    assert reembed(tmp_path / "library", ShuffledEmbedder()) == {"pets": 3}
    with Library(tmp_path / "library", embedder=ShuffledEmbedder()) as library:
        assert library.passages() == before
        assert library.search(PURR)[0].title == "Cat"


def test_another_distance_is_refused(tmp_path: Path) -> None:
    from chromadb import PersistentClient
    from chromadb.config import Settings

    path = tmp_path / "library"
    with PersistentClient(str(path), settings=Settings(anonymized_telemetry=False)) as client:
        client.create_collection(
            "law", metadata={"embedder": embedder().fingerprint}, embedding_function=None
        )
    with pytest.raises(DistanceMismatchError, match="'l2', not cosine"):
        Library(path, embedder=embedder())


def test_an_embedder_that_is_not_there_is_an_error_with_a_way_out() -> None:
    with pytest.raises(LibraryError, match="can't be loaded") as refused:
        Embedder("nobody/no-such-model").encode(["x"])
    assert "hf download" in refused.value.hint


# Vectors


def test_a_bank_gives_back_what_it_was_given(tmp_path: Path) -> None:
    texts = ["one", "two", "three", "four"]
    vectors = embedder().encode(texts)
    keys = [text_digest(text) for text in texts]
    bank = VectorBank(
        embedder().fingerprint,
        fine=dict(zip(keys[:2], vectors[:2], strict=True)),
        coarse=dict(zip(keys[2:], vectors[2:], strict=True)),
    )
    bank.save(tmp_path / "bank.safetensors")
    loaded = VectorBank.load(tmp_path / "bank.safetensors", fingerprint=embedder().fingerprint)
    encoder = RememberingEncoder(ShuffledEmbedder(), [loaded])
    assert np.allclose((encoder.encode(texts) * vectors).sum(axis=1), 1, atol=1e-3)
    assert np.allclose(np.linalg.norm(encoder.encode(texts), axis=1), 1, atol=1e-5)
    assert encoder.known(["one", "five"]) is None
    with pytest.raises(EmbedderMismatchError):
        VectorBank.load(tmp_path / "bank.safetensors", fingerprint="other")
    (tmp_path / "bank.safetensors").write_bytes(b"cut")
    with pytest.raises(LibraryError, match="can't be read"):
        VectorBank.load(tmp_path / "bank.safetensors", fingerprint="other")


def test_encoding_leaves_the_callers_threads_alone() -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert embedder().encode([]).shape == (0, 384)
        assert np.allclose(np.linalg.norm(embedder().encode(["a", "b"]), axis=1), 1, atol=1e-5)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
