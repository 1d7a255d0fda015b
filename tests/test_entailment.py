"""Answers that say one thing in other words: joined by an entailment model, never against the guards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ballots import TURN, ballot, route_of, votes
from fakes import FakeGenerator, FakeSearcher

from proxycouncil.council.assembly import open_entailer
from proxycouncil.council.config import CouncilConfig
from proxycouncil.errors import ConfigError
from proxycouncil.eval.pairs import best_cosine, score_pairs
from proxycouncil.graphs.answers import canonical
from proxycouncil.graphs.context import CouncilContext
from proxycouncil.graphs.grouping import group
from proxycouncil.graphs.state import CouncilState
from proxycouncil.graphs.vote import count, entailments
from proxycouncil.graphs.weighing import tally
from proxycouncil.retrieval.entailment import Entailer

QUESTION = "Why did the bridge fall?"
SAME = ("Its cables had rusted through", "Corrosion destroyed the steel ropes")
OTHER = "A flood undermined the pillars"


class StubEncoder:
    """What a cross-encoder looks like: labels in its configuration, three scores a pair."""

    def __init__(self, follows: Sequence[tuple[str, str]], labels: Sequence[str] = ()) -> None:
        self.asked: list[tuple[str, str]] = []
        self._follows = set(follows)
        names = labels or ("contradiction", "entailment", "neutral")
        self.config = SimpleNamespace(id2label=dict(enumerate(names)))

    def predict(self, pairs: Sequence[Sequence[str]], **_: Any) -> np.ndarray[Any, Any]:
        self.asked += [(first, second) for first, second in pairs]
        return np.array([[0.0, 4.0 if (a, b) in self._follows else -4.0, 1.0] for a, b in pairs])


def entailer(*follows: tuple[str, str], question: str = QUESTION) -> tuple[Entailer, StubEncoder]:
    stub = StubEncoder([(f"{question} {a}", f"{question} {b}") for a, b in follows])
    return Entailer("stub", model=stub), stub  # type: ignore[arg-type]


def grouped(texts: Sequence[str], *follows: tuple[str, str], question: str = QUESTION) -> list[list[int]]:
    found = entailments(entailer(*follows, question=question)[0], sorted(set(texts)), question)
    return group([canonical(text, question=question) for text in texts], texts=texts, entailed=found)


def both(a: str, b: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (a, b), (b, a)


def test_paraphrases_join_if_each_follows_from_the_other() -> None:
    texts = [*SAME, OTHER]
    assert grouped(texts) == [[0], [1], [2]]
    assert grouped(texts, *both(*SAME)) == [[0, 1], [2]]


def test_one_way_is_not_enough() -> None:
    assert grouped(SAME, SAME) == [[0], [1]]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("42 dollars", "24 dollars"),
        ("5 mg of the drug", "50 mg of the drug"),
        ("the drug is contraindicated", "the drug is not contraindicated"),
        ("Yes, it is safe", "No, it is not safe"),
        ("the port is UTF-8", "the port is UTF-16"),
        ("Tony Hoare", "Edsger Dijkstra"),
        ("12 March 2024", "13 March 2024"),
    ],
)
def test_no_model_overrules_the_guards(a: str, b: str) -> None:
    assert grouped([a, b], *both(a, b), question="What is it?") == [[0], [1]]


def test_links_are_complete() -> None:
    """A and B, B and C follow from each other, A and C do not: never all three."""
    texts = [*SAME, "Rust weakened the suspension"]
    parts = grouped(texts, *both(*SAME), *both(texts[1], texts[2]))
    assert sorted(map(len, parts)) == [1, 2]


def test_only_what_words_leave_open_is_asked() -> None:
    model, stub = entailer()
    entailments(model, ["42 dollars", "24 dollars", "forty-two dollars", "Yes.", "No."], "How much?")
    assert stub.asked == []
    entailments(model, sorted(SAME), QUESTION)
    assert len(stub.asked) == 2


def test_the_tally_says_how_it_was_grouped() -> None:
    cast = votes(law=SAME[0], physics=SAME[1], general=OTHER)
    asked = ["law", "physics", "general"]
    route = route_of(asked)
    counted = {
        how: tally(cast, route=route, turn=TURN, asked=asked, question=QUESTION, entailed=found)
        for how, found in (("words", None), ("entailment", dict.fromkeys(both(*SAME), 0.9)))
    }
    assert [counted[how]["grouped_by"] for how in counted] == list(counted)
    assert len(counted["words"]["groups"]) == 3
    assert counted["entailment"]["groups"][0]["members"] == ["law", "physics"]


async def test_a_model_that_fails_leaves_a_degraded_vote_by_words() -> None:
    def gone(_: Sequence[tuple[str, str]]) -> list[float]:
        raise OSError("the model is gone")

    asked = ["law", "physics"]
    state = CouncilState(
        ballots=votes(law=SAME[0], physics=SAME[1]), route=route_of(asked), turn=TURN, standalone=QUESTION
    )
    context = CouncilContext(generator=FakeGenerator(), searcher=FakeSearcher(), members={}, entails=gone)
    found = await count(state, context)
    assert found["degraded"]
    assert found["grouped_by"] == "words"
    assert len(found["groups"]) == 2


def test_a_model_without_such_a_label_is_refused() -> None:
    ranker = Entailer("ranker", model=StubEncoder([], labels=("LABEL_0",)))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no label"):
        ranker([("a", "b")])


def test_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't load"):
        Entailer(str(tmp_path / "none"))([("a", "b")])


def test_the_setting_names_the_model() -> None:
    fields: dict[str, Any] = {"family": {"base": "none"}}
    assert open_entailer(CouncilConfig.from_mapping(fields)) is None
    fields["council"] = {"entailment": "./nli"}
    assert open_entailer(CouncilConfig.from_mapping(fields)) is not None


def test_pairs_are_scored_with_a_model_beside_the_others(tmp_path: Path) -> None:
    lines = [
        {"question": QUESTION, "a": SAME[0], "b": SAME[1], "label": "same"},
        {"question": QUESTION, "a": SAME[0], "b": OTHER, "label": "contradicting"},
    ]
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    scores = score_pairs(
        file,
        entails=entailer(*both(*SAME))[0],
        similarity=lambda texts: [[1.0, 0.9 if OTHER in texts else 0.2], [0.0, 1.0]],
    )
    assert scores["grouping"]["all"]["recall"] == 0.0
    assert scores["grouping_entailment"]["all"]["recall"] == 1.0
    assert scores["grouping_entailment"]["all"]["contradicting_merged"] == 0.0
    assert scores["best_cosine"]["all"]["merged"] == 2


def test_the_best_cosine_is_the_best_there_is() -> None:
    pairs: list[Any] = [
        {"question": "", "a": "a", "b": str(place), "label": label}
        for place, label in enumerate(["same", "same", "different", "same", "different"])
    ]
    cosines = [0.9, 0.8, 0.7, 0.6, 0.1]
    rule = best_cosine(pairs, lambda texts: [[1.0, cosines[int(texts[1])]], [0.0, 1.0]])
    assert [rule(pair) for pair in pairs] == [True, True, True, True, False]


def test_a_missing_member_is_decisive_where_its_vote_could_have_won() -> None:
    asked = ["law", "physics", "general"]

    def decisive(**texts: str | None) -> list[str]:
        return tally(votes(**texts), route=route_of(asked), turn=TURN, asked=asked)["decisive"]

    assert "general" in decisive(law="Rome", physics="Oslo", general=None)
    assert "general" not in decisive(law="Rome", physics="Rome", general="Rome")
    sure = [ballot(name, "Rome", confidence=1.0, support=1.0) for name in ("law", "physics")]
    lost = [*sure, ballot("general", status="failed")]
    assert "general" not in tally(lost, route=route_of(asked), turn=TURN, asked=asked)["decisive"]
