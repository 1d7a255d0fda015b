"""Text to token ids, two ways: as markup, where special tokens count, or as data, where they are just text.

Knows the tokenizer, not what a prompt looks like. Works on copies of the fast tokenizer, because
transformers switches `encode_special_tokens` on the shared one with every call.
"""

from __future__ import annotations

import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING

from proxycouncil.errors import FamilyError

if TYPE_CHECKING:
    from tokenizers import AddedToken, Tokenizer
    from transformers import PreTrainedTokenizerBase


def clean(text: str) -> str:
    """One line: control characters and runs of white space become one space, lone surrogates U+FFFD."""
    spaced = (" " if unicodedata.category(character) == "Cc" else character for character in text)
    return " ".join(without_surrogates("".join(spaced)).split())


def without_surrogates(text: str) -> str:
    """What UTF-8 can't hold, and a tokenizer therefore can't read, becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class TextEncoder:
    """A tokenizer's two readings of a text.

    Raises:
        FamilyError: the tokenizer is not a fast one.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not tokenizer.is_fast:
            raise FamilyError(
                f"the tokenizer {tokenizer.name_or_path!r} has no tokenizer.json",
                hint="convert it: AutoTokenizer.from_pretrained(…).save_pretrained(…) writes a fast one",
            )
        self._tokenizer = tokenizer
        self._data = _copy(tokenizer)
        self._data.add_special_tokens(_template_words(tokenizer))
        self._data.encode_special_tokens = True
        self.prefix = _own_prefix(tokenizer)
        """What the tokenizer itself puts before a text: the begin-of-text token, or nothing."""

    @cached_property
    def _markup(self) -> Tokenizer:
        return _copy(self._tokenizer)

    def data(self, text: str) -> list[int]:
        """Ids of text from outside: special tokens written in it are spelled out like any word."""
        return list(self._data.encode(without_surrogates(text), add_special_tokens=False).ids)

    def markup(self, text: str) -> list[int]:
        """Ids of text from a template: special tokens count as such. Never give it text from outside."""
        return list(self._markup.encode(text, add_special_tokens=False).ids)


def _own_prefix(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    begin = tokenizer.bos_token_id
    own = list(tokenizer("")["input_ids"])
    return [int(begin)] if begin is not None and own[:1] == [begin] else []


def _copy(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    from tokenizers import Tokenizer

    copy = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    copy.encode_special_tokens = False
    return copy


def _template_words(tokenizer: PreTrainedTokenizerBase) -> list[AddedToken]:
    """Words of a template's own language ("<think>"): they steer a chat model as special tokens do."""
    from tokenizers import AddedToken

    template = tokenizer.chat_template or ""
    text = "\n".join(template.values()) if isinstance(template, dict) else template
    words = (token.content for token in tokenizer.added_tokens_decoder.values() if not token.special)
    return [
        AddedToken(word, special=True, normalized=False) for word in words if word.strip() and word in text
    ]
