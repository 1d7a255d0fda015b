"""Whether two tokenizers mean the same by the same ids. Knows nothing of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxycouncil.errors import VocabularyError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_NAMED = 5


def check_same_vocabulary(ours: PreTrainedTokenizerBase, theirs: PreTrainedTokenizerBase) -> None:
    """Compare the whole token→id map; special tokens, and additions where the other has nothing, may differ.

    Raises:
        VocabularyError: some id means different tokens; names the first of them.
    """
    differing = differing_ids(ours, theirs)
    if not differing:
        return
    mine, other = _tokens_by_id(ours), _tokens_by_id(theirs)
    named = ", ".join(f"{i} is {mine.get(i)!r} and {other.get(i)!r}" for i in differing[:_NAMED])
    raise VocabularyError(
        f"{ours.name_or_path} and {theirs.name_or_path} differ in {len(differing)} tokens: {named}",
        hint="steering adds logits id by id: use a small model of the same family, with the same tokenizer",
    )


def differing_ids(ours: PreTrainedTokenizerBase, theirs: PreTrainedTokenizerBase) -> list[int]:
    """Ids that mean different ordinary tokens, ascending."""
    mine, other = _tokens_by_id(ours), _tokens_by_id(theirs)
    special = _special_ids(ours) | _special_ids(theirs)
    added = set(ours.added_tokens_decoder) | set(theirs.added_tokens_decoder)
    suspects = {i for i in mine.keys() | other.keys() if mine.get(i) != other.get(i)} - special
    return sorted(i for i in suspects if not (i in added and (i not in mine or i not in other)))


def _tokens_by_id(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    return {i: token for token, i in tokenizer.get_vocab().items()}


def _special_ids(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    return {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
