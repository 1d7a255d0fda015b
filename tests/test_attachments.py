"""Documents of one conversation: read in it, unseen by every other, gone with it. Real libraries on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import REFUSAL, FakeGenerator
from shelving import embedder, write_documents

from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.errors import UsageError
from proxycouncil.retrieval.library import Library
from proxycouncil.specialists.request import Prompt, Request

QUESTION = "How long was the zeppelin LZ 129?"
TEXT = "# Airships\n\n## LZ 129\n\nThe zeppelin LZ 129 was 245 metres long. It burnt in 1937.\n"


def reads(member: str, request: Request) -> str:
    """Says what stands on the slate, if it does."""
    assert isinstance(request.prompt, Prompt)
    return "245 metres" if any("245 metres" in one.text for one in request.prompt.snippets) else REFUSAL


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library of two domains."""
    folder = tmp_path_factory.mktemp("attachments")
    docs = write_documents(folder)
    with Library(folder / "library", embedder=embedder(), root=docs) as library:
        for domain in ("pets", "ships"):
            library.ingest(domain, docs / domain)
    (folder / "airships.md").write_text(TEXT, encoding="utf-8")
    return folder


def council_of(stocked: Path, **settings: str) -> Council:
    config = CouncilConfig.from_mapping(
        {
            "family": {"base": "none", "antiexpert": "none"},
            "specialists": {name: {"expert": "none"} for name in ("pets", "ships")},
            "generalist": {"expert": "none"},
            "council": settings,
        }
    )
    return Council(
        config,
        generator=FakeGenerator(reads),
        searcher=lambda: Library(stocked / "library", embedder=embedder(), root=stocked / "docs"),
    )


@pytest.fixture
def council(stocked: Path) -> Iterator[Council]:
    with council_of(stocked) as made:
        yield made


def test_what_is_attached_is_read_and_cited_in_its_own_conversation_alone(
    council: Council, stocked: Path
) -> None:
    assert council.attach("mine", stocked / "airships.md") == ("airships.md",)
    answer = council.ask(QUESTION, thread="mine")
    assert answer.text == "245 metres"
    citation = answer.citations[0]
    assert citation["domain"] == "attached"
    text = Path(citation["source"]).read_text(encoding="utf-8")
    assert text[citation["start"] : citation["end"]] == citation["quote"]
    for thread in ("yours", None):
        council.generator.requests.clear()
        assert council.ask(QUESTION, thread=thread).outcome == "abstain"
        read = [one for request in council.generator.requests for one in request.prompt.snippets]
        assert not any("LZ 129" in one.text for one in read)
    assert council.attached("mine") == ("airships.md",)
    assert council.attached("yours") == ()


def test_it_goes_with_its_conversation(council: Council, stocked: Path) -> None:
    council.attach("mine", stocked / "airships.md")
    source = Path(council.ask(QUESTION, thread="mine").citations[0]["source"])
    council.forget("mine")
    assert council.attached("mine") == ()
    assert council.history("mine") == []
    assert not source.exists()
    assert council.ask(QUESTION, thread="mine").outcome == "abstain"


def test_it_is_kept_beside_the_conversations_database(stocked: Path, tmp_path: Path) -> None:
    kept = {"checkpoints": f"sqlite:///{tmp_path}/council.db"}
    thread = "../../somewhere else"
    with council_of(stocked, **kept) as council:
        council.attach(thread, stocked / "airships.md")
    with council_of(stocked, **kept) as council:
        assert council.attached(thread) == ("airships.md",)
        assert council.ask(QUESTION, thread=thread).text == "245 metres"
        (folder,) = (tmp_path / "council.db.attachments").iterdir()
        council.forget(thread)
        assert not folder.exists()


def test_without_a_database_it_ends_with_the_council(council: Council, stocked: Path) -> None:
    council.attach("mine", stocked / "airships.md")
    source = Path(council.ask(QUESTION, thread="mine").citations[0]["source"])
    council.close()
    assert not source.exists()


def test_a_file_that_can_not_be_read_is_refused_and_nothing_is_attached(
    council: Council, stocked: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    (tmp_path / "empty.md").write_text(" \n", encoding="utf-8")
    for name, words in (("a.pdf", "is no .pdf"), ("gone.md", "No such file"), ("empty.md", "no text")):
        with pytest.raises(UsageError, match=words):
            council.attach("mine", stocked / "airships.md", tmp_path / name)
    assert council.attached("mine") == ()


def test_a_file_of_the_same_name_takes_the_place_of_the_earlier(council: Council, tmp_path: Path) -> None:
    for length in (245, 236):
        file = tmp_path / "note.md"
        file.write_text(TEXT.replace("245", str(length)), encoding="utf-8")
        council.attach("mine", file)
    assert council.attached("mine") == ("note.md",)
    assert council.ask(QUESTION, thread="mine").outcome == "abstain"
