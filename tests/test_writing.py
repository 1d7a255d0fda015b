"""From tokens to text: characters whole, stop strings held back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import STARTER

from proxycouncil.specialists.encoding import TextEncoder
from proxycouncil.specialists.writing import TextWriter


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(STARTER / "base")


@pytest.fixture(scope="module")
def encoder(tokenizer: Any) -> TextEncoder:
    return TextEncoder(tokenizer)


@given(text=st.text(max_size=40), stops=st.lists(st.text(min_size=1, max_size=3), max_size=2))
@settings(deadline=None, max_examples=60)
def test_text_comes_whole_and_stops_before_the_stop(
    tokenizer: Any, encoder: TextEncoder, text: str, stops: list[str]
) -> None:
    writer = TextWriter(tokenizer.backend_tokenizer, stops=stops)
    pieces: list[str] = []
    for token in encoder.data(text):
        pieces.append(writer.push(token))
        if writer.stopped:
            break
    pieces.append(writer.finish())
    found = [text.index(stop) for stop in stops if stop in text]
    expected = text[: min(found)] if found else text
    if not found:
        assert "".join(pieces) == expected
    else:
        # The first stop string to be complete ends the text, even where a longer one began before it.
        assert "".join(pieces) == writer.text
        assert text.startswith(writer.text)
        assert not any(stop in writer.text for stop in stops)
    assert all("�" not in piece or "�" in text for piece in pieces)


def test_characters_of_several_tokens_come_whole(tokenizer: Any, encoder: TextEncoder) -> None:
    text = "naïve 👩‍👩‍👧 日本語 🎉!"
    tokens = encoder.data(text)
    assert len(tokens) > len(text)
    writer = TextWriter(tokenizer.backend_tokenizer)
    pieces = [writer.push(token) for token in tokens]
    assert "".join(pieces) == text
    broken = TextWriter(tokenizer.backend_tokenizer)
    assert "".join([*map(broken.push, tokens[:-2]), broken.finish()]) in text


def test_white_space_before_an_answer_is_not_part_of_it(tokenizer: Any, encoder: TextEncoder) -> None:
    tokens = encoder.data(" the value")
    trimmed = TextWriter(tokenizer.backend_tokenizer, trim=True)
    assert "".join(map(trimmed.push, tokens)) == "the value"
