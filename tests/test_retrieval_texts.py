"""Pure parts: reading, splitting, sentences, words, fusion, slates."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shelving import PETS

from proxycouncil.errors import UsageError
from proxycouncil.retrieval.fusion import reciprocal_rank_fusion
from proxycouncil.retrieval.lexical import LexicalIndex, share_said, tokens
from proxycouncil.retrieval.passage import Excerpt, Passage
from proxycouncil.retrieval.readers import decode, read_document
from proxycouncil.retrieval.sentences import sentence_spans, sentence_texts
from proxycouncil.retrieval.slate import (
    arrange,
    best_sentences,
    sentences_of,
    telling,
    within_budget,
    words_said,
)
from proxycouncil.retrieval.splitting import PASSAGE_CHARACTERS, split_document


def visible(text: str) -> str:
    return "".join(character for character in text if character.isprintable() and character != " ")


# Reading


def test_a_document_reads_as_pathlib_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_bytes("\ufeff# T\r\n\r\nOne.\rTwo.\n".encode())
    assert read_document(path).text == path.read_text(encoding="utf-8")


def test_bytes_that_are_not_utf8_are_named_with_their_place() -> None:
    with pytest.raises(UsageError, match="0xe9 at offset 7, line 2") as refused:
        decode(b"line 1\n\xe9t\xe9", "a.txt")
    assert "iconv" in refused.value.hint


@pytest.mark.parametrize("name", ["a.odt", "README"])
def test_other_kinds_of_file_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("text")
    with pytest.raises(UsageError, match="can't be read"):
        read_document(tmp_path / name)


def test_binary_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a\0b")
    with pytest.raises(UsageError, match="NUL"):
        read_document(tmp_path / "a.txt")
    with pytest.raises(UsageError, match="No such file"):
        read_document(tmp_path / "b.txt")


# Splitting


def test_an_entry_with_a_paragraph_is_one_passage() -> None:
    pieces = split_document(PETS, name="animals", markdown=True)
    assert [piece.title for piece in pieces] == ["Animals", "Cat", "Dog"]
    assert pieces[1].heading_path == ("Animals", "Cat")
    assert PETS[pieces[1].start : pieces[1].end].startswith("A cat is")
    assert PETS[pieces[1].start : pieces[1].end].endswith("hours a day.")


def test_repeated_text_is_found_at_its_own_places() -> None:
    paragraph = "The same words stand here again. " * 20
    text = "\n\n".join([paragraph.strip()] * 5)
    pieces = split_document(text, name="same", markdown=False)
    assert len(pieces) == 5
    assert len({piece.start for piece in pieces}) == 5


def test_a_comment_in_a_code_block_is_no_heading() -> None:
    text = "# Shell\n\n```sh\n# list files\nls\n\n```\n\nafter\n"
    (piece,) = split_document(text, name="x", markdown=True)
    assert "# list files" in text[piece.start : piece.end]


LINES = st.one_of(
    st.sampled_from(
        ["# One", "## Two", "### Three", "##", "#Tag", "```", "~~~", "", "", "  ", "- item", "\ufeff", "Law"]
    ),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=60),
    st.lists(st.sampled_from(["word", "Dr.", "3.5", "ends.", "C++", "。", "x" * 300]), max_size=80).map(
        " ".join
    ),
)


@given(st.lists(LINES, max_size=25).map("\n".join), st.booleans())
def test_spans_are_exact_ordered_and_miss_nothing(text: str, markdown: bool) -> None:
    text = text.replace("\r", "\n")
    pieces = split_document(text, name="x", markdown=markdown)
    position = 0
    for piece in pieces:
        assert position <= piece.start < piece.end <= len(text)
        assert piece.end - piece.start <= PASSAGE_CHARACTERS + 1
        body = text[piece.start : piece.end]
        assert visible(body[0])
        assert visible(body[-1])
        skipped = text[position : piece.start]
        assert not visible(skipped) or (markdown and "#" in skipped)
        position = piece.end
    assert not visible(text[position:]) or (markdown and "#" in text[position:])


# Sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. Smith paid $3.5 million, e.g. in the U.S. Senate. Yes.", 2),
        ("The U.S. is big. Roe v. Wade came from the U.S. It was in 1973.", 3),
        ("See Fig. 3 and no. 5. J. K. Rowling wrote it. So did I. He left.", 4),
        ("I. Newton et al. found it. It fell at 9.8 m/s.", 2),
        ("He said: “It is done.” Then he left. (He came back.) So what?", 4),
        ("- one item\n- another item\n\nA paragraph\nof two lines.", 3),
        ("水是液体。它会结冰。", ["水是液体。", "它会结冰。"]),
        ("Vitamin C. The next one is D. It is made in the skin.", 3),
        ("", []),
    ],
)
def test_sentences(text: str, sentences: list[str] | int) -> None:
    found = sentence_texts(text)
    assert (len(found) if isinstance(sentences, int) else found) == sentences, found


@given(st.text(max_size=300))
def test_sentences_hold_all_that_is_visible(text: str) -> None:
    spans = sentence_spans(text)
    assert all(a < b for a, b in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    gaps = [0, *(edge for span in spans for edge in span), len(text)]
    assert not "".join(text[a:b] for a, b in zip(gaps[::2], gaps[1::2], strict=True)).strip()


# Words


def test_terms_and_numbers_are_words() -> None:
    words = tokens("C++ and C#: -5 °C, 3.5% of 1,000,000; COVID-19, Newton's law, 2001–2005")
    expected = ["c++", "c#", "-5", "3.5%", "1000000", "covid", "19", "newton", "law", "2001", "2005"]
    assert [word for word in words if word in expected] == ["c++", "c#", "-5", *expected[3:]]


def test_a_question_of_stop_words_keeps_them() -> None:
    assert tokens("who is it") == ["who", "is", "it"]


def test_bm25_of_nothing_and_of_unknown_words_is_zero() -> None:
    assert LexicalIndex([]).scores("cat").shape == (0,)
    assert LexicalIndex([("", "")]).scores("cat").tolist() == [0.0]
    assert LexicalIndex([("cat", "purrs")]).scores("xyzzy").tolist() == [0.0]


def test_the_title_counts_twice() -> None:
    titled, mentioned = LexicalIndex([("keel", "a beam here"), ("beam", "a keel here")]).scores("keel")
    assert titled > mentioned > 0


WORDS = st.lists(st.sampled_from(["cat", "purr", "keel", "beam", "Cat", "the"]), max_size=6).map(" ".join)


@settings(deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS), max_size=6), WORDS, WORDS)
def test_the_share_said_counts_rare_words_for_more(
    documents: list[tuple[str, str]], question: str, text: str
) -> None:
    rarities = LexicalIndex(documents).rarities(question)
    holding = {
        word: sum(word in tokens(f"{title} {body}") for title, body in documents) for word in tokens(question)
    }
    assert rarities == pytest.approx(
        {word: math.log((len(documents) + 1) / (count + 0.5)) for word, count in holding.items()}
    )
    share = share_said(rarities, text)
    assert 0.0 <= share <= 1.0
    assert share_said(rarities, f"{text} {question}") >= share
    assert share_said(rarities, question) == (1.0 if tokens(question) else 0.0)


# Fusion


RANKINGS = st.lists(st.lists(st.text("abcdefgh", min_size=1, max_size=2), unique=True), max_size=4)


@given(RANKINGS)
def test_fusion_is_the_formula_whatever_the_order_of_rankings(rankings: list[list[str]]) -> None:
    fused = reciprocal_rank_fusion(rankings)
    expected = {
        key: sum(1 / (60 + ranking.index(key) + 1) for ranking in rankings if key in ranking)
        for ranking in rankings
        for key in ranking
    }
    assert dict(fused) == pytest.approx(expected)
    assert [key for key, _ in fused] == [key for key, _ in reciprocal_rank_fusion(rankings[::-1])]
    assert all((-a[1], a[0]) < (-b[1], b[0]) for a, b in pairwise(fused))


@given(RANKINGS.filter(bool))
def test_what_leads_every_ranking_leads(rankings: list[list[str]]) -> None:
    assert reciprocal_rank_fusion([["best", *ranking] for ranking in rankings])[0][0] == "best"


# Slates


def passage(text: str, *, start: int = 0, score: float = 0.0, identity: str = "p") -> Passage:
    return Passage(identity, text, "T", ("T",), "s.md", start, start + len(text), "law", score)


EXCERPTS = [Excerpt(passage(str(n), identity=str(n)), str(n), 0, 1, -n) for n in range(5)]


def texts(excerpts: list[Excerpt]) -> str:
    return "".join(excerpt.text for excerpt in excerpts)


def test_orders() -> None:
    assert texts(arrange(EXCERPTS, "best_first")) == "01234"
    assert texts(arrange(EXCERPTS, "best_last")) == "43210"
    assert texts(arrange(EXCERPTS, "edges")) == "02431"
    shuffled = texts(arrange(EXCERPTS, "shuffled", seed=7))
    assert sorted(shuffled) == list("01234")
    assert shuffled == texts(arrange(EXCERPTS[::-1], "shuffled", seed=7))
    assert len({texts(arrange(EXCERPTS, "shuffled", seed=seed)) for seed in range(20)}) > 5


def test_sentences_carry_their_place_in_the_source() -> None:
    source = "xxxx One is here. Two is there."
    first, second = sentences_of([passage(source[5:], start=5)])
    assert source[first.start : first.end] == first.text == "One is here."
    assert source[second.start : second.end] == second.text


def test_a_sentence_that_stands_twice_is_shown_once() -> None:
    assert len(sentences_of([passage("Same. Other."), passage("Same.")])) == 2


def test_a_heading_that_repeats_the_question_is_no_excerpt() -> None:
    found = sentences_of([passage("Opportunity cost\n\nOpportunity cost is what is given up. Sunk cost")])
    assert [one.text for one in telling(found, "What is opportunity cost?")] == [
        "Opportunity cost is what is given up.",
        "Sunk cost",
    ]
    assert len(telling(found, "Is opportunity cost what is given up, or sunk cost?")) == 1
    only = sentences_of([passage("Opportunity cost")])
    assert telling(only, "What is opportunity cost?") == only


def test_the_rank_of_the_passage_weighs_beside_the_cosine() -> None:
    near = sentences_of(
        [passage("A.", score=0.0, identity="low"), passage("B.", score=1 / 30, identity="high")]
    )
    assert texts(best_sentences(near, [0.5, 0.4], 2)) == "B.A."
    assert texts(best_sentences(near, [0.6, 0.4], 1)) == "A."


def test_of_sentences_as_near_the_one_in_the_question_s_words_is_first() -> None:
    near = sentences_of([passage("A.", identity="a"), passage("B.", identity="b")])
    assert texts(best_sentences(near, [0.5, 0.5], 2, said=[0.1, 0.9])) == "B.A."
    assert texts(best_sentences(near, [0.9, 0.5], 2, said=[0.1, 0.9])) == "A.B."


def test_what_a_thing_is_is_said_first_where_nothing_else_is_asked() -> None:
    told = passage("Bail has a long history. Bail is money. It buys time.")
    found = sentences_of([replace(told, title="Bail")])

    def first(question: str) -> str:
        said = words_said(found, dict.fromkeys(tokens(question), 1.0))
        return best_sentences(found, [0.5, 0.4, 0.6], 1, said=said)[0].text

    assert first("What is bail?") == "Bail has a long history."
    assert first("explain bail") == first("whats the meaning of bail") == first("What is bail?")
    assert first("What does bail buy?") == "It buys time."
    assert first("What is it?") == "It buys time."


def test_a_budget_drops_the_lowest_ranked() -> None:
    def words(text: str) -> int:
        return len(text.split())

    assert texts(within_budget(EXCERPTS, 4, words)) == "01"
    assert texts(within_budget(EXCERPTS, None, words)) == "01234"
