"""What a reply may say next under a grammar: a JSON Schema, or a grammar in llguidance's own Lark.

llguidance knows grammars; this knows how a reply stands in it, forwards and back, so that every place of a
draft sees the history that it would have without drafts. Refuses to know logits. The optional extra
`grammar` (`pip install 'proxycouncil[grammar]'`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from proxycouncil.errors import EngineError, MissingExtraError

if TYPE_CHECKING:
    from types import ModuleType

    from llguidance import LLMatcher, LLTokenizer
    from transformers import PreTrainedTokenizerBase

_COMPACT = {
    # One way to write a value: left free, small models fill a reply with white space.
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    # Only one alternative is ever written, so "exactly one of" is "any of".
    "coerce_one_of": True,
}


def check_grammar(grammar: str) -> None:
    """See that a grammar can be decoded under, before anything is.

    Raises:
        MissingExtraError: llguidance is not installed.
        EngineError: llguidance refuses the grammar; says why.
    """
    matcher = _llguidance().LLMatcher
    refused = matcher.validate_grammar(matcher.grammar_from_lark(_lark(grammar, lead="")))
    if refused and not refused.startswith("WARNING"):
        raise _refused(refused)


@dataclass(eq=False, slots=True)
class Following:
    """How far one reply has come in its grammar."""

    matcher: LLMatcher
    end_ids: frozenset[int]
    width: int
    """Logits; ids beyond are never allowed."""
    refusal: tuple[int, ...] = ()
    """May be said instead; empty: it may not."""
    fault: str | None = None
    """Why llguidance can't go on."""
    _read: list[int] = field(default_factory=list)
    """What the matcher has read."""

    def next(self, written: Sequence[int]) -> tuple[Collection[int], int | None]:
        """Ids that the grammar allows after those written, never none, and the one that goes on declining.

        The second is to be chosen where it is what all of the distribution prefers, and not otherwise: what
        a grammar allows, models asked in words hardly ever begin with.
        """
        at = len(written)
        declining = at < len(self.refusal) and tuple(written) == self.refusal[:at]
        if self._follow(written):
            return self._allowed(), self.refusal[at] if declining else None
        return ((self.refusal[at],) if declining else self.end_ids), None

    def _follow(self, written: Sequence[int]) -> bool:
        """Read on from where this parts from what was read; whether the grammar holds all of it."""
        known = 0
        for token, read in zip(written, self._read, strict=False):
            if token != read:
                break
            known += 1
        if known < len(self._read):
            self.matcher.rollback(len(self._read) - known)
            del self._read[known:]
        rest = list(written[known:])
        if any(token in self.end_ids for token in rest):
            return False  # a draft behind the end: nobody will read it
        held = self.matcher.try_consume_tokens(rest) if rest else 0
        self._read += rest[:held]
        return held == len(rest)

    def _allowed(self) -> Collection[int]:
        import numpy as np

        bits = np.frombuffer(self.matcher.compute_bitmask(), dtype=np.uint8)
        ids = np.flatnonzero(np.unpackbits(bits, bitorder="little")[: self.width])
        if self.matcher.is_error():
            self.fault = f"llguidance gave up: {self.matcher.get_error()}"
        return ids if len(ids) else self.end_ids


def open_grammar(
    grammar: str,
    tokenizer: PreTrainedTokenizerBase,
    *,
    lead: str,
    end_ids: Iterable[int],
    width: int,
    refusal: Sequence[int] = (),
) -> Following:
    """A reply's beginning under a grammar.

    Args:
        grammar: a JSON Schema as JSON text, or a Lark grammar, which says itself where spaces stand.
        tokenizer: of the model whose tokens are written.
        lead: what stands between the prompt and a reply's first character.
        end_ids: what ends a reply.
        width: of the logits.
        refusal: tokens of what may be said instead.

    Raises:
        MissingExtraError: llguidance is not installed.
        EngineError: llguidance refuses the grammar; says why.
    """
    ends = frozenset(end_ids)
    matcher = _matcher(grammar, tokenizer, lead, tuple(sorted(ends)), width)
    return Following(matcher.deep_copy(), ends, width, tuple(refusal))


@lru_cache(maxsize=32)  # all members of a council write under the same one
def _matcher(
    grammar: str, tokenizer: PreTrainedTokenizerBase, lead: str, ends: tuple[int, ...], width: int
) -> LLMatcher:
    matcher = _llguidance().LLMatcher
    made: LLMatcher = matcher(
        _vocabulary(tokenizer, ends, width), matcher.grammar_from_lark(_lark(grammar, lead=lead))
    )
    if made.is_error():
        raise _refused(made.get_error())
    return made


@lru_cache(maxsize=4)  # a second or so for a large vocabulary
def _vocabulary(tokenizer: PreTrainedTokenizerBase, ends: tuple[int, ...], width: int) -> LLTokenizer:
    from tokenizers import Tokenizer

    copy = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    copy.no_padding()
    copy.no_truncation()
    made: LLTokenizer = _llguidance().LLTokenizer(
        copy.to_str(), n_vocab=max(width, copy.get_vocab_size()), eos_token=list(ends)
    )
    return made


def _lark(grammar: str, *, lead: str) -> str:
    """Lark as llguidance reads it; a reply under a schema may begin with what leads it."""
    if not grammar.lstrip().startswith("{"):
        return grammar
    try:
        schema: dict[str, Any] = json.loads(grammar)
    except ValueError as error:
        raise _refused(f"not JSON: {error}") from error
    before = f"{json.dumps(lead)}? " if lead else ""
    return f"start: {before}answer\nanswer: %json {json.dumps({'x-guidance': _COMPACT, **schema})}"


def _refused(why: str) -> EngineError:
    return EngineError(
        f"the grammar can't be decoded under: {' '.join(why.split())[:400]}",
        hint="give a JSON Schema that llguidance reads, or a grammar in its Lark",
    )


def _llguidance() -> ModuleType:
    try:
        import llguidance
    except ImportError as error:
        raise MissingExtraError(
            "decoding under a grammar needs llguidance, which is not installed",
            hint="pip install 'proxycouncil[grammar]'",
        ) from error
    return llguidance
