"""A real library as LangChain's Chroma vector store: the distances and relevances that it was made with."""

import pytest
from shelving import embedder, write_documents

from proxycouncil.council.langchain.vectorstore import LibraryEmbeddings, as_chroma
from proxycouncil.errors import UnknownDomainError
from proxycouncil.retrieval.library import Library


@pytest.fixture
def library(tmp_path):
    documents = write_documents(tmp_path)
    with Library(tmp_path / "library", embedder=embedder()) as opened:
        opened.ingest("pets", documents / "pets")
        opened.ingest("ships", documents / "ships")
        yield opened


def test_relevance_is_the_cosine_that_the_library_finds(library):
    question = "Which animal purrs?"
    store = as_chroma(library, "pets")
    found = store.similarity_search_with_relevance_scores(question, k=2)
    (vector,) = embedder().encode([question])
    nearest = library._store.nearest("pets", vector, 2)
    assert [document.id for document, _ in found] == [identity for identity, _ in nearest]
    assert [score for _, score in found] == pytest.approx([cosine for _, cosine in nearest], abs=1e-4)
    assert 1.0 >= found[0][1] > found[1][1] >= 0.0


def test_a_threshold_keeps_what_is_near(library):
    store = as_chroma(library, "pets")
    scored = store.similarity_search_with_relevance_scores("Which animal purrs?", k=3)
    between = (scored[0][1] + scored[1][1]) / 2
    retriever = store.as_retriever(
        search_type="similarity_score_threshold", search_kwargs={"score_threshold": between, "k": 3}
    )
    assert [one.id for one in retriever.invoke("Which animal purrs?")] == [scored[0][0].id]


def test_a_collection_that_is_not_there_is_not_made(library):
    with pytest.raises(UnknownDomainError):
        as_chroma(library, "cars")
    assert library.domains == ("pets", "ships")


def test_its_embedder_is_the_librarys(library):
    embeddings = LibraryEmbeddings(library.encoder)
    (first, second) = embeddings.embed_documents(["a cat", "a ship"])
    assert embeddings.embed_query("a cat") == pytest.approx(first, abs=1e-6)
    assert sum(value * value for value in second) == pytest.approx(1.0, abs=1e-3)
