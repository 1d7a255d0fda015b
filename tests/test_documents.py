"""Documents as they are: every kind read and cited, hostile ones refused one by one, changes followed."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import papers
import pytest
from shelving import HashingEncoder, python

from proxycouncil.council.cli.watching import follow, touched
from proxycouncil.errors import LibraryLockedError, UsageError
from proxycouncil.retrieval.extracting import ReadingProcess
from proxycouncil.retrieval.library import Library
from proxycouncil.retrieval.passage import Passage
from proxycouncil.retrieval.pdf import reflowed


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library(tmp_path / "library", embedder=HashingEncoder()) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "docs"
    made.mkdir()
    return made


def by_source(library: Library) -> dict[str, list[Passage]]:
    found: dict[str, list[Passage]] = {}
    for passage in library.passages():
        found.setdefault(Path(passage.source).name, []).append(passage)
    return found


def test_every_kind_is_read_and_cited_by_its_place(library: Library, folder: Path) -> None:
    pages = ["The keel is the lowest\nbeam of a ship.", "Ballast keeps a ship upright."]
    (folder / "ships.pdf").write_bytes(papers.pdf(pages))
    (folder / "notes.docx").write_bytes(papers.docx([("Heading1", "Winch"), ("", "A winch pulls ropes.")]))
    rows = [["Port", "Ships", "Year"], ["Bergen", 120, 2021], ["Turku", 7.5, 2022]]
    (folder / "ports.xlsx").write_bytes(papers.xlsx(rows))
    (folder / "ports.csv").write_text("Port;Depth\nOslo;12 m\n", encoding="utf-8")
    slides = [("Sails", "A jib is a sail."), ("Knots", "A bowline makes a loop.")]
    (folder / "talk.pptx").write_bytes(papers.pptx(slides))
    (folder / "page.html").write_text(
        "<title>Tides</title><body><script>x()</script><p>Tides come <a href='/m'>twice</a> a day.</p>",
        encoding="utf-8",
    )
    (folder / "book.epub").write_bytes(papers.epub([("Harbours", "A pier reaches into the water.")]))
    (folder / "moor.py").write_text(
        "def moor(ship):\n    return ship.tie()  # no %PDF-1.4\n", encoding="utf-8"
    )

    report = library.ingest("ships", folder)
    assert not report.failed
    assert len(report.added) == 8
    found = by_source(library)
    assert [(one.place, one.text) for one in found["ships.pdf"]] == [
        ("page 1", "The keel is the lowest beam of a ship."),
        ("page 2", pages[1]),
    ]
    (ports,) = found["ports.xlsx"]
    assert ports.place == "Sales!A2:C3"
    assert "Port: Bergen; Ships: 120; Year: 2021" in ports.text
    assert found["ports.csv"][0].text == "Port: Oslo; Depth: 12 m"
    assert [(one.title, one.place) for one in found["talk.pptx"]] == [
        ("Sails", "slide 1"),
        ("Knots", "slide 2"),
    ]
    assert [(one.title, one.text) for one in found["notes.docx"]] == [("Winch", "A winch pulls ropes.")]
    assert [(one.title, one.text) for one in found["page.html"]] == [("Tides", "Tides come twice a day.")]
    assert ("Harbours", "A pier reaches into the water.") in [(o.title, o.text) for o in found["book.epub"]]
    for passage in library.passages():
        assert library.text_of(passage.source)[passage.start : passage.end] == passage.text
    originals = {hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    kept = [json.loads(file.read_text()) for file in (folder.parent / "library/extracted").iterdir()]
    assert len(kept) == 7
    assert {one["sha256"] for one in kept} < originals


def test_thirty_hostile_files_cost_nothing_but_themselves(library: Library, folder: Path) -> None:
    expected = papers.write_hostile(folder)
    assert len(expected) >= 30
    good = {f"{letter}{n}.md": f"# {letter}\n\nSentence {n} of {letter}.\n" for n, letter in enumerate("amz")}
    for name, text in good.items():
        (folder / name).write_text(text, encoding="utf-8")
    report = library.ingest("all", folder)
    said = {Path(source).name: why for source, why in report.failed.items()}
    said |= {Path(source).name: "; ".join(notes) for source, notes in report.notes.items()}
    for name, wanted in expected.items():
        assert wanted in said.get(name, ""), f"{name}: {said.get(name)!r}"
    found = by_source(library)
    assert [found[name][0].text for name in good] == [f"Sentence {n} of {c}." for n, c in enumerate("amz")]
    # What can be read of the troublesome is read.
    for name in ("half-scanned.pdf", "macros.docm", "really-a-pdf.docx", "really-word.xlsx", "deep.html"):
        assert found[name], name
    assert library.ingest("all", folder).passages == 0


def test_a_reader_that_dies_or_hangs_costs_one_file(tmp_path: Path) -> None:
    endless, sound = tmp_path / "endless.pdf", tmp_path / "sound.pdf"
    sound.write_bytes(papers.pdf(["All is well."]))
    process = ReadingProcess(seconds=60)
    try:
        assert "All is well." in process.read(sound, "pdf").text
        child = process._child
        assert child is not None
        child.send_signal(signal.SIGSTOP)
        process._seconds = 0.2
        with pytest.raises(UsageError, match=r"could not be read in 0 s|died"):
            process.read(endless, "pdf")
        process._seconds = 60
        assert "All is well." in process.read(sound, "pdf").text
        child = process._child
        assert child is not None
        child.kill()
        child.wait()
        with pytest.raises(UsageError, match="died"):
            process.read(sound, "pdf")
        assert "All is well." in process.read(sound, "pdf").text
    finally:
        process.close()


def test_words_and_paragraphs_of_a_page_are_made_whole() -> None:
    page = "A con-\ntract is an agree\x02\nment between two\nparties.\n\nIt binds them.\nShort line\nNext"
    assert reflowed(page) == (
        "A contract is an agreement between two parties.\n\nIt binds them.\nShort line\nNext"
    )


def test_a_heading_on_a_page_is_no_beginning_of_a_sentence() -> None:
    page = "Bailment\nA bailment is a delivery of goods for a\npurpose, after which they are returned."
    assert reflowed(page) == (
        "Bailment\n\nA bailment is a delivery of goods for a purpose, after which they are returned."
    )


def test_a_moved_file_and_an_edited_one_keep_the_vectors_of_what_they_keep(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    sections = [f"## S{n}\n\nSentence number {n} stands here.\n" for n in range(4)]
    (folder / "a.md").write_text("\n".join(sections), encoding="utf-8")
    (folder / "b.md").write_text("## B\n\nAnother one.\n", encoding="utf-8")
    counting = HashingEncoder()
    with Library(tmp_path / "library", embedder=counting) as library:
        library.ingest("d", folder, sentences=False)
    counting.texts.clear()
    (folder / "a.md").rename(folder / "z.md")
    (folder / "b.md").write_text("## B\n\nAnother one.\n\n## C\n\nA new one.\n", encoding="utf-8")
    with Library(tmp_path / "library", embedder=counting) as library:
        report = library.ingest("d", folder, sentences=False)
        assert report.moved == {"docs/z.md": "docs/a.md"}
        assert (report.added, report.changed, report.removed) == ((), ("docs/b.md",), ())
        assert counting.texts == ["C: A new one."]
        assert {one.source for one in library.passages()} == {"docs/z.md", "docs/b.md"}
        assert library.search("Sentence number 2", mode="dense", limit=1)[0].title == "S2"


def test_a_citation_says_what_became_of_its_passage(library: Library, folder: Path) -> None:
    (folder / "a.md").write_text("A keel.\n", encoding="utf-8")
    (folder / "b.pdf").write_bytes(papers.pdf(["A mast."]))
    library.ingest("d", folder)
    text, page = (by_source(library)[name][0] for name in ("a.md", "b.pdf"))
    assert library.standing(text.id, domain="d") == library.standing(page.id, domain="d") == "stands"
    (folder / "a.md").write_text("A hull.\n", encoding="utf-8")
    (folder / "b.pdf").write_bytes(papers.pdf(["A boom."]))
    assert library.standing(text.id, domain="d") == library.standing(page.id, domain="d") == "changed"
    (folder / "a.md").unlink()
    assert library.standing(text.id, domain="d") == "missing"
    library.ingest("d", folder)
    assert library.standing(text.id, domain="d") == library.standing(page.id, domain="d") == "gone"
    assert library.standing(page.id, domain="nowhere") == "gone"
    assert len(list((folder.parent / "library/extracted").iterdir())) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from proxycouncil.retrieval import ingest
from proxycouncil.retrieval.library import Library
from shelving import HashingEncoder
ingest._GROUP_ROWS = 2
folder = Path(sys.argv[1])
def stop(advance):
    if advance.passages >= 5:
        os.kill(os.getpid(), signal.SIGKILL)
with Library(folder / "library", embedder=HashingEncoder()) as library:
    library.ingest("d", folder / "docs", progress=stop)
"""


def test_an_ingest_killed_in_the_middle_goes_on_where_it_was(tmp_path: Path, folder: Path) -> None:
    for number in range(8):
        (folder / f"{number}.txt").write_text(f"Sentence number {number} stands here.\n", encoding="utf-8")
    with python(KILLED, tmp_path) as child:
        assert child.wait() == -signal.SIGKILL
    with Library(tmp_path / "library", embedder=HashingEncoder()) as library:
        assert len(library.passages()) == 4
        report = library.ingest("d", folder)
        assert len(report.unchanged) == len(report.added) == 4
        assert len(library.passages()) == 8
        assert library.slate("Sentence number 7", limit=1)[0].passage.source == "docs/7.txt"


def test_progress_ends_at_the_end(library: Library, folder: Path) -> None:
    for number in range(3):
        (folder / f"{number}.md").write_text(f"Sentence {number}.\n" * 200 * (number + 1), encoding="utf-8")
    (folder / "bad.txt").write_bytes(b"\xff")
    told = []
    report = library.ingest("d", folder, sentences=False, progress=told.append)
    assert [one.passages for one in told] == sorted(one.passages for one in told)
    last = told[-1]
    assert (last.passages, last.files_done, last.files) == (report.passages, 4, 4)
    assert last.bytes_done == last.bytes


def test_watching_follows_what_changes_and_tries_again_where_it_is_locked() -> None:
    asked: list[str] = []

    def again(domain: str) -> None:
        asked.append(domain)
        if asked == ["law"]:
            raise LibraryLockedError("somebody reads")

    follow([{"law"}, set(), set(), {"tax"}], again)
    assert asked == ["law", "law", "tax"]


def test_watching_says_whose_documents_changed(folder: Path) -> None:
    (folder / "law").mkdir()
    events = touched({"law": [folder / "law"]})
    changed: set[str] = set()
    for number, seen in enumerate(_writing(events, folder / "law")):
        changed |= seen
        if changed or number > 3:
            break
    assert changed == {"law"}


def _writing(events: Iterator[set[str]], folder: Path) -> Iterator[set[str]]:
    """The events, while a thread writes as soon as somebody looks."""
    import threading

    timer = threading.Timer(0.5, lambda: (folder / "a.md").write_text("A.", encoding="utf-8"))
    timer.start()
    yield from events
