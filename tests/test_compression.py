"""What stands in for passages that are too long: exact spans, within the budget, nearest first."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxycouncil.retrieval.compression import Way, compressed, facts_of
from proxycouncil.retrieval.passage import Passage

SOURCE = (
    "Rust is a brown coating on iron; it forms in wet air. Ships lose 3 percent of their steel a year, "
    "because salt speeds it up. Robert Mallet wrote about it in 1838.\n"
    "Zinc protects steel from rust. Luigi Galvani gave his name to the method, which is old.\n"
)
LINES = SOURCE.splitlines(keepends=True)


def passages() -> list[Passage]:
    places = [0, len(LINES[0])]
    return [
        Passage(
            id=str(n), text=line.strip(), title=title, heading_path=(), source="a.md", start=start,
            end=start + len(line.strip()), domain="physics", score=0.02 - n / 1000,
        )
        for n, (line, title, start) in enumerate(zip(LINES, ("Rust", "Zinc"), places, strict=True))
    ]  # fmt: skip


def count(text: str) -> int:
    return len(text.split())


def near(wanted: str) -> object:
    def cosines(texts: Sequence[str]) -> list[float]:
        return [float(wanted in text) for text in texts]

    return cosines


def test_a_record_says_what_each_clause_holds() -> None:
    facts = facts_of(passages()[0])
    assert [(fact.kind, fact.text) for fact in facts.facts] == [
        ("definition", "Rust is a brown coating on iron"),
        ("relation", "it forms in wet air."),
        ("number", "Ships lose 3 percent of their steel a year"),
        ("relation", "salt speeds it up."),
        ("date", "Robert Mallet wrote about it in 1838."),
    ]


@settings(max_examples=40, deadline=None)
@given(budget=st.integers(0, 60), way=st.sampled_from(["cut", "sentences", "facts"]))
def test_what_is_kept_fits_and_stands_in_its_source(budget: int, way: Way) -> None:
    kept = compressed(passages(), way, budget_tokens=budget, count=count, near=near("zinc"))  # type: ignore[arg-type]
    assert sum(count(f"{one.passage.title}: {one.text}") for one in kept) <= budget
    assert all(SOURCE[one.start : one.end] == one.text for one in kept)


@pytest.mark.parametrize("way", ["sentences", "facts"])
def test_the_nearest_is_kept_where_cutting_off_loses_it(way: Way) -> None:
    budget = 18
    kept = compressed(passages(), way, budget_tokens=budget, count=count, near=near("Galvani"))  # type: ignore[arg-type]
    assert "Galvani" in kept[0].text
    cut = compressed(passages(), "cut", budget_tokens=budget, count=count, near=near("Galvani"))  # type: ignore[arg-type]
    assert [one.text for one in cut] == [" ".join(SOURCE.split()[:17])]
