"""`council ingest` and `council inspect --cited`: what they say, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import papers
import pytest
from fakes import FakeGenerator
from shelving import HashingEncoder

from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.graphs.brief import record
from proxycouncil.graphs.citing import citation
from proxycouncil.retrieval.library import Library
from proxycouncil.retrieval.passage import Excerpt


@pytest.fixture
def process(tmp_path: Path) -> Process:
    """A council of two specialists with a folder each, over a real library."""
    for name in ("law", "sea"):
        (tmp_path / name).mkdir()
    settings: dict[str, Any] = {
        "family": {"base": "none"},
        "specialists": {name: {"documents": [f"./{name}"]} for name in ("law", "sea")},
    }

    def opener(_: Path | None) -> Council:
        config = CouncilConfig.from_mapping(settings, directory=tmp_path)
        library = Library(tmp_path / "library", embedder=HashingEncoder())
        return Council(config, generator=FakeGenerator({}), searcher=library)

    return Process(opener)


def test_without_a_domain_every_specialist_s_documents_go_in(tmp_path, process, capsys):
    (tmp_path / "law" / "tort.md").write_text("# Tort\n\nA tort is a civil wrong.\n", encoding="utf-8")
    (tmp_path / "sea" / "keel.pdf").write_bytes(papers.pdf(["A keel is a beam.", ""]))
    (tmp_path / "sea" / "hull.docx").write_bytes(b"no word")
    (tmp_path / "sea" / "sail.png").write_bytes(b"\x89PNG")
    assert run(["ingest"], process) == 2
    out, err = capsys.readouterr()
    assert "law: 1 added, 0 changed, 0 unchanged, 0 removed; 1 passages written" in out
    assert "sea: 1 added" in out
    assert "skipped, of no readable kind: sea/sail.png" in err
    assert "note: sea/keel.pdf: no text on page 2" in err
    assert "error: sea/hull.docx" in err
    (tmp_path / "sea" / "hull.docx").unlink()
    (tmp_path / "sea" / "keel.pdf").rename(tmp_path / "sea" / "beam.pdf")
    assert run(["ingest", "sea"], process) == 0
    out, err = capsys.readouterr()
    assert "1 moved" in out
    assert "moved: sea/keel.pdf → sea/beam.pdf" in err


def test_an_empty_folder_is_said_to_be_empty(process, capsys):
    assert run(["ingest", "law"], process) == 0
    assert "nothing to read in" in capsys.readouterr().err


def test_saved_answers_are_checked_against_what_the_library_holds_now(tmp_path, process, capsys):
    (tmp_path / "sea" / "keel.pdf").write_bytes(papers.pdf(["A keel is a beam.", "A mast stands on it."]))
    (tmp_path / "sea" / "tide.md").write_text("The tide comes twice a day.\n", encoding="utf-8")
    assert run(["ingest", "sea"], process) == 0
    with process.open(None) as council:
        assert isinstance(council.library, Library)
        cited = [
            citation(record(Excerpt(one, one.text, one.start, one.end))) for one in council.library.passages()
        ]
    assert {one.get("place", "") for one in cited} == {"", "page 1", "page 2"}
    saved = tmp_path / "answers.jsonl"
    saved.write_text(json.dumps({"type": "decision", "citations": cited}) + "\n", encoding="utf-8")
    assert run(["inspect", "--cited", str(saved)], process) == 0
    assert "3 of 3 citations stand" in capsys.readouterr().out
    (tmp_path / "sea" / "tide.md").write_text("The tide comes once a day.\n", encoding="utf-8")
    (tmp_path / "sea" / "keel.pdf").unlink()
    assert run(["ingest", "sea"], process) == 0
    (tmp_path / "sea" / "tide.md").unlink()
    capsys.readouterr()
    assert run(["inspect", "--cited", str(saved)], process) == 0
    out = capsys.readouterr().out
    assert "0 of 3 citations stand" in out
    assert "sea/keel.pdf, page 2 (the library does not hold this passage any more): “A mast" in out
