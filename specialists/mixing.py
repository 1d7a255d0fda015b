"""What all voices of all texts said, made into one distribution for each place to be written.

Knows texts, rows and logits; nothing of caches, of what is drafted or of how a token is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from proxycouncil.specialists.steering import cap, keep_plausible, steer, uncap

if TYPE_CHECKING:
    from torch import Tensor

    from proxycouncil.specialists.family import Family
    from proxycouncil.specialists.lane import Lane, Row
    from proxycouncil.specialists.model import Model
    from proxycouncil.specialists.text import Text

Heard: TypeAlias = tuple["Lane", Sequence["Row"], "Tensor"]
"""What a lane said: logits `[rows, places, vocab]` for these of its rows."""


def mix(family: Family, texts: Sequence[Text], heard: Sequence[Heard]) -> tuple[Tensor, Tensor]:
    """Logits `[texts · places, vocab]` of the main voices before and after steering, text by text."""
    import torch

    width = family.width
    order = {id(row): at for at, row in enumerate(row for _, rows, _ in heard for row in rows)}
    logits = torch.cat([part[..., :width] for _, _, part in heard])
    base = steered = logits[[order[id(text.main.row)] for text in texts]].flatten(0, 1)
    if any(text.steering for text in texts):
        if family.softcaps_differ:
            free = torch.cat([_uncapped(lane.model, part[..., :width]) for lane, _, part in heard])
            steered = _recapped(texts, base, _add_pairs(texts, free, order))
        else:
            steered = _add_pairs(texts, logits, order)
    if any(text.plausibility for text in texts):
        beta = torch.tensor([text.plausibility for text in texts], device=base.device)
        steered = keep_plausible(steered, base, beta.repeat_interleave(logits.shape[1]))
    return base, steered


def _add_pairs(texts: Sequence[Text], logits: Tensor, order: Mapping[int, int]) -> Tensor:
    import torch

    pairs = [(at, pair) for at, text in enumerate(texts) for pair in text.steering]
    places = torch.arange(logits.shape[1], device=logits.device)
    rows = torch.tensor([at for at, _ in pairs], device=logits.device).unsqueeze(1) * len(places) + places
    alpha = torch.tensor([pair.alpha for _, pair in pairs], device=logits.device)
    return steer(
        logits[[order[id(text.main.row)] for text in texts]].flatten(0, 1),
        logits[[order[id(pair.expert.row)] for _, pair in pairs]].flatten(0, 1),
        logits[[order[id(pair.antiexpert.row)] for _, pair in pairs]].flatten(0, 1),
        alpha.repeat_interleave(len(places)),
        rows=rows.flatten(),
    )


def _uncapped(model: Model, logits: Tensor) -> Tensor:
    return logits if model.softcap is None else uncap(logits, model.softcap)


def _recapped(texts: Sequence[Text], base: Tensor, free: Tensor) -> Tensor:
    """Bound steered rows as their base bounds its own, so that α → 0 tends to the base; leave the others."""
    import torch

    places = len(base) // len(texts)
    rows = [
        _bounded(text, free[at * places : (at + 1) * places])
        if text.steering
        else base[at * places : (at + 1) * places]
        for at, text in enumerate(texts)
    ]
    return torch.cat(rows)


def _bounded(text: Text, logits: Tensor) -> Tensor:
    bound = text.main.part.model.softcap
    return logits if bound is None else cap(logits, bound)
