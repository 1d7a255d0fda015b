"""What a council's models hold: weights once, caches as computed, and the most that was seen.

Measured in a process of its own, so that nothing else is in the figures.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from proxycouncil.council.checks import Check

if TYPE_CHECKING:
    from proxycouncil.council.config import CouncilConfig
    from proxycouncil.specialists.footprint import Footprint
    from proxycouncil.specialists.request import Request

_QUESTION = "When is the rent due?"
_SENTENCE = "The rent of the room is due on the first day of the month, unless both sides agree otherwise."
_EXCERPTS, _TOKENS = 6, 32
"""Of every text: what it reads and what it writes."""


def weigh(config: CouncilConfig) -> Check:
    """Load the weights and let every member write one text, all at once; a base behind a server has none."""
    from multiprocessing import get_context

    if config.family.base_url is not None:
        return Check("memory", "warn", "the base runs on its server", "look there: it holds the weights")
    with get_context("spawn").Pool(1) as pool:
        found = pool.apply(measured, (config,))
    return Check("memory", "ok", told(found, len(requests(config))))


def measured(config: CouncilConfig) -> Footprint:
    """The footprint of the family in this process."""
    from proxycouncil.council.assembly import open_family
    from proxycouncil.specialists.footprint import footprint

    return footprint(partial(open_family, config), requests(config))


def requests(config: CouncilConfig) -> list[Request]:
    """One text for every member, on one slate."""
    from proxycouncil.council.assembly import seats
    from proxycouncil.specialists.request import Prompt, Request, Sampling, Snippet

    prompt = Prompt(_QUESTION, tuple(Snippet(f"Rent {at}", _SENTENCE) for at in range(_EXCERPTS)))
    sampling = Sampling(max_new_tokens=_TOKENS)
    return [Request(prompt, member.pairs, sampling) for member in seats(config, {}).values()]


def told(found: Footprint, texts: int) -> str:
    """In one line."""
    sizes = f"weights {_megabytes(found.weights)} once, caches {_megabytes(found.caches)} for {texts} texts"
    if found.peak is None or found.ratio is None:
        return f"{sizes}; this system does not tell how much was held"
    return f"{sizes}, at most {_megabytes(found.peak)} held: {found.ratio:.2f} of the sum"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
