"""Text to token ids, two ways: as markup, where special tokens count, or as data, where they are just text.

Knows the tokenizer, not what a prompt looks like. Works on copies of the fast tokenizer, because
transformers switches `encode_special_tokens` on the shared one with every call.
"""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase


def clean(text: str) -> str:
    """One line: control characters and runs of white space become one space, lone surrogates U+FFFD."""
    spaced = (" " if unicodedata.category(character) == "Cc" else character for character in text)
    return " ".join(without_surrogates("".join(spaced)).split())


def without_surrogates(text: str) -> str:
    """What UTF-8 can't hold, and a tokenizer therefore can't read, becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class TextEncoder:
    """A tokenizer's two readings of a text."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self._markup: Tokenizer | None = None
        self._data: Tokenizer | None = None
        if tokenizer.is_fast:
            self._markup, self._data = _copies(tokenizer)
        self.prefix = self._prefix()
        """What the tokenizer itself puts before a text: the begin-of-text token, or nothing."""

    def data(self, text: str) -> list[int]:
        """Ids of text from outside: special tokens written in it are spelled out like any word."""
        text = without_surrogates(text)
        if self._data is not None:
            return list(self._data.encode(text, add_special_tokens=False).ids)
        return self._slow(text, split_special_tokens=True)

    def markup(self, text: str) -> list[int]:
        """Ids of text from a template: special tokens count as such. Never give it text from outside."""
        if self._markup is not None:
            return list(self._markup.encode(text, add_special_tokens=False).ids)
        return self._slow(text, split_special_tokens=False)

    def _slow(self, text: str, *, split_special_tokens: bool) -> list[int]:
        encoded = self.tokenizer(text, add_special_tokens=False, split_special_tokens=split_special_tokens)
        return list(encoded["input_ids"])

    def _prefix(self) -> list[int]:
        begin = self.tokenizer.bos_token_id
        own = list(self.tokenizer("")["input_ids"])
        return [begin] if begin is not None and own[:1] == [begin] else []


def _copies(tokenizer: PreTrainedTokenizerBase) -> tuple[Tokenizer, Tokenizer]:
    from tokenizers import Tokenizer

    source = json.loads(tokenizer.backend_tokenizer.to_str())
    source["truncation"] = source["padding"] = None
    markup = Tokenizer.from_str(json.dumps(source))
    markup.encode_special_tokens = False
    template = _template_text(tokenizer)
    for token in source["added_tokens"]:
        # Words of a template's own language ("<think>") steer a chat model as special tokens do.
        token["special"] = token["special"] or (
            bool(token["content"].strip()) and token["content"] in template
        )
    data = Tokenizer.from_str(json.dumps(source))
    data.encode_special_tokens = True
    return markup, data


def _template_text(tokenizer: PreTrainedTokenizerBase) -> str:
    template = tokenizer.chat_template or ""
    return "\n".join(template.values()) if isinstance(template, dict) else template
