"""Text to token ids, two ways: as markup, where special tokens count, or as data, where they are just text.

Knows the tokenizer, not what a prompt looks like. Works on copies of the fast tokenizer, because
transformers switches `encode_special_tokens` on the shared one with every call.
"""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING

from proxycouncil.errors import FamilyError

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
        self._markup, self._data = _copies(tokenizer)
        self.prefix = _own_prefix(tokenizer)
        """What the tokenizer itself puts before a text: the begin-of-text token, or nothing."""

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
