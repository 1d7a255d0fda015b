"""Whether a server can be a base: it is there, tells its own log-probabilities, means the same by its ids.

Knows a client and a tokenizer; nothing of texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxycouncil.errors import RemoteBaseError, RemoteBaseGoneError, VocabularyError
from proxycouncil.specialists.encoding import TextEncoder
from proxycouncil.specialists.remote.client import Client, Server

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SAMPLE = (
    "In 1928, the naïve café owner's rent (£1,250.75) rose; why? def f(x): return {x: [1, 2]} 日本語 Ωmega\n"
)
TOLERANCE = 1e-3
"""Nats by which two answers of one server about the same place may differ (batch shape, cached prefix)."""
_SPREAD = 64
"""Ids taken from all over the vocabulary."""


async def check_vocabulary(client: Client, tokenizer: PreTrainedTokenizerBase) -> None:
    """Let the server spell token ids and compare. A server that doesn't spell can't be compared.

    Raises:
        VocabularyError: it spells them otherwise.
        RemoteBaseGoneError: it can't be reached.
    """
    ids = [*TextEncoder(tokenizer).data(_SAMPLE), *_spread(tokenizer)]
    ours = _spelled(tokenizer, ids)
    try:
        theirs = await client.spell(ids)
    except RemoteBaseGoneError:
        raise
    except (RemoteBaseError, KeyError, TypeError):
        return
    if ours.strip() != theirs.strip():
        raise VocabularyError(
            f"{client.server.root} and {tokenizer.name_or_path} mean other tokens by the same ids: "
            f"{_difference(ours.strip(), theirs.strip())}",
            hint="steering adds logits id by id: serve a base with the tokenizer of the anti-expert",
        )


async def check_manners(client: Client, encoder: TextEncoder) -> None:
    """See that a bias decides what is written and not what is told.

    Raises:
        RemoteBaseError: it is counted into the log-probabilities, or there are none.
        RemoteBaseGoneError: the server can't be reached.
    """
    prompt = encoder.data(_SAMPLE)
    told = [(await client.ask([prompt], top_k=1, favour=(encoder.data(letter)[-1],)))[0] for letter in "ab"]
    best = [max(one.logprobs.items(), key=lambda item: item[1], default=(-1, 0.0)) for one in told]
    (first, value), (second, other) = best
    # Two equal favourites may change places, but not their log-probability.
    if abs(value - other) > TOLERANCE or (first != second and value > -TOLERANCE):
        raise biased(client)


def biased(client: Client) -> RemoteBaseError:
    """The error of a server that tells what its own bias has made."""
    return RemoteBaseError(
        "the server counts logit_bias into its log-probabilities", hint=client.dialect.hint
    )


async def inspect_server(server: Server, tokenizer: PreTrainedTokenizerBase, *, top_k: int) -> str:
    """One line on a server that can be a base.

    Raises:
        RemoteBaseError: it can't; says why and what to do.
        VocabularyError: it is another model's.
    """
    encoder = TextEncoder(tokenizer)
    async with Client(server, filler=filler_of(encoder)) as client:
        names = await client.models()
        if server.kind == "vllm" and server.model not in names:
            raise RemoteBaseError(
                f"{server.root} does not serve {server.model!r}",
                hint=f"set family.base to what it serves: {', '.join(names) or 'nothing'}",
            )
        await check_vocabulary(client, tokenizer)
        await check_manners(client, encoder)
        (seen,) = await client.ask([encoder.data(_SAMPLE)], top_k=top_k)
        named = server.model if server.kind == "vllm" else ", ".join(names)
        return f"{named} at {server.root} ({server.kind}), {len(seen.logprobs)} log-probabilities a place"


def filler_of(encoder: TextEncoder) -> int:
    """A token that is a whole character."""
    return encoder.data("a")[-1]


def _spread(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ordinary ids, evenly spaced, that are whole characters by themselves."""
    special = set(tokenizer.added_tokens_decoder) | set(tokenizer.all_special_ids)
    ids = sorted(set(tokenizer.get_vocab().values()) - special)
    some = ids[:: max(1, len(ids) // _SPREAD)]
    return [one for one in some if "�" not in _spelled(tokenizer, [one])]


def _spelled(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def _difference(ours: str, theirs: str) -> str:
    place = next(
        (at for at, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other),
        min(len(ours), len(theirs)),
    )
    start = max(0, place - 10)
    return f"{ours[start : place + 10]!r} is {theirs[start : place + 10]!r} there"
