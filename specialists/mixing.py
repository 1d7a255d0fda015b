"""What all voices of all texts said, made into one distribution for each place to be written.

Knows texts, rows and logits; nothing of caches, of what is drafted or of how a token is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    said = [(lane, rows, part[..., :width]) for lane, rows, part in heard]
    base = steered = _of_rows(said, [text.main.row for text in texts])
    if any(text.steering for text in texts):
        if family.softcaps_differ:
            free = [(lane, rows, _uncapped(lane.model, part)) for lane, rows, part in said]
            mains = _of_rows(free, [text.main.row for text in texts])
            steered = _recapped(texts, base, _add_pairs(texts, free, mains))
        else:
            steered = _add_pairs(texts, said, base)
    if any(text.plausibility for text in texts):
        beta = torch.tensor([text.plausibility for text in texts], device=base.device)
        steered = keep_plausible(steered, base, beta.repeat_interleave(len(base) // len(texts)))
    return base, steered


def _of_rows(heard: Sequence[Heard], rows: Sequence[Row]) -> Tensor:
    """Logits `[rows · places, vocab]` of these rows: in one copy, as a rule, since one lane said them all."""
    import torch

    for _, own, logits in heard:
        places = {id(row): at for at, row in enumerate(own)}
        if all(id(row) in places for row in rows):
            return logits[[places[id(row)] for row in rows]].flatten(0, 1)
    order = {id(row): at for at, row in enumerate(row for _, own, _ in heard for row in own)}
    return torch.cat([part for _, _, part in heard])[[order[id(row)] for row in rows]].flatten(0, 1)


def _add_pairs(texts: Sequence[Text], heard: Sequence[Heard], base: Tensor) -> Tensor:
    import torch

    pairs = [(at, pair) for at, text in enumerate(texts) for pair in text.steering]
    places = torch.arange(len(base) // len(texts), device=base.device)
    rows = torch.tensor([at for at, _ in pairs], device=base.device).unsqueeze(1) * len(places) + places
    alpha = torch.tensor([pair.alpha for _, pair in pairs], device=base.device)
    return steer(
        base,
        _of_rows(heard, [pair.expert.row for _, pair in pairs]),
        _of_rows(heard, [pair.antiexpert.row for _, pair in pairs]),
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
