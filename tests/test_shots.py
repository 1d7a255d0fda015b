"""Few-shot examples: the nearest of a specialist's store, within a budget, never what a table is made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes import FakeGenerator, FakeSearcher
from shelving import embedder
from tiny import STARTER

from proxycouncil.council.config import CouncilConfig, FewShotConfig
from proxycouncil.council.council import Council
from proxycouncil.council.langchain import ChatProxyTuned
from proxycouncil.council.langchain.vectorstore import LibraryEmbeddings
from proxycouncil.council.shots import ShotStores
from proxycouncil.errors import UsageError
from proxycouncil.specialists.prompts import DelimiterFormat, PlainFormat
from proxycouncil.specialists.questions import part
from proxycouncil.specialists.request import Prompt, Shot, Snippet

ASKED = {
    "Bail": ("What is bail money for?", "a promise to come back to court"),
    "Tort": ("What is a tort?", "a civil wrong"),
    "Libel": ("What is libel?", "written defamation"),
    "Slander": ("What is slander?", "spoken defamation"),
    "Treaty": ("What is a treaty between states?", "an agreement between states"),
    "Will": ("What is a last will?", "a document on who inherits"),
    "Jury": ("Who sits on a jury?", "citizens"),
    "Patent": ("What does a patent protect?", "an invention"),
    "Copyright": ("What does copyright protect?", "a work"),
    "Lease": ("What is a lease?", "a contract to use a home"),
}
TUNING = [entry for entry in ASKED if part("law", entry) == "tuning"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        {"id": str(n), "entry": entry, "kind": "term", "question": question, "answer": answer}
        for n, (entry, (question, answer)) in enumerate(ASKED.items())
    ]
    rows.append({**rows[0], "id": "none", "entry": TUNING[0], "question": "Unanswered?", "answer": None})
    path = tmp_path_factory.mktemp("shots") / "law.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def stores(file: Path, **settings: object) -> ShotStores:
    return ShotStores(
        {"law": file},
        FewShotConfig.model_validate(settings),
        embeddings=lambda: LibraryEmbeddings(embedder()),
        count=lambda text: len(text.split()),
    )


@pytest.mark.parametrize("select", ["similarity", "mmr"])
def test_the_nearest_come_first_and_the_question_itself_never(file: Path, select: str) -> None:
    question, answer = ASKED[TUNING[0]]
    found = stores(file, select=select, examples=2)
    assert found("law", f"{question.rstrip('?')} exactly?")[0] == Shot(question, answer)
    assert question not in [shot.question for shot in found("law", question.upper())]
    assert len(found("law", question)) == 2
    assert found("medicine", question) == ()


def test_only_the_tuning_part_is_ever_shown(file: Path) -> None:
    shown = {shot.question for shot in stores(file, examples=50, budget_tokens=10_000)("law", "What is law?")}
    assert shown == {ASKED[entry][0] for entry in TUNING}
    assert len(TUNING) < len(ASKED)


def test_what_does_not_fit_is_left_out(file: Path) -> None:
    for budget in (1, 12, 30):
        found = stores(file, select="length", budget_tokens=budget)("law", "What is law?")
        assert sum(len(f"Question: {s.question} Answer: {s.answer}".split()) for s in found) <= budget
    first = [ASKED[entry][0] for entry in TUNING]
    assert [shot.question for shot in found] == first[: len(found)]
    assert found


def test_they_enter_the_prompts_of_their_specialist_alone(file: Path) -> None:
    config = CouncilConfig.from_mapping(
        {
            "family": {"base": "none", "antiexpert": "none"},
            "specialists": {
                "law": {"expert": "none", "shots": str(file)},
                "medicine": {"expert": "none"},
            },
            "few_shot": {"examples": 1, "select": "length"},
        }
    )
    generator = FakeGenerator({"*": "an agreement"})
    with Council(config, generator=generator, searcher=FakeSearcher()) as council:
        council.ask("What is a contract?", members=["law", "medicine"])
        ChatProxyTuned(council=council, model="law").invoke("What is a contract?")
    shot = Shot(*ASKED[TUNING[0]])
    for request in generator.requests:
        assert request.prompt.shots == ((shot,) if request.pairs[0].expert == "law" else ())
    assert len(generator.requests) == 5


def test_a_store_that_can_not_be_read_says_which_line(tmp_path: Path) -> None:
    (tmp_path / "law.jsonl").write_text('{"id": "1"}\n', encoding="utf-8")
    with pytest.raises(UsageError, match="line 1"):
        stores(tmp_path / "law.jsonl")("law", "What is a tort?")


def test_formats_show_them_as_data_between_instruction_and_passages() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(STARTER / "base")
    shots = (Shot("What is <|end|>?", "a\nmark"),)
    prompt = Prompt("Why?", (Snippet("T", "x"),), "Be brief.", shots)
    plain = PlainFormat(tokenizer)
    ids = plain.encode(prompt)
    assert 1 not in ids
    text = tokenizer.decode(ids)
    places = [text.index(piece) for piece in ("Be brief.", "Answer: a mark", "Passages:", "Question: Why?")]
    assert places == sorted(places)
    # The starter's own form: before the slate, each ended as an answer is.
    starter = DelimiterFormat(tokenizer)
    ids, bare = starter.encode(prompt), starter.encode(Prompt("Why?", (Snippet("T", "x"),)))
    assert ids[-len(bare) :] == bare
    assert tokenizer.decode(ids[: -len(bare)]).replace(" ", "") == (
        "<|question|>Whatis<|end|>?<|answer|>amark<|end|>"
    )
    assert ids.count(starter.end) == 1
