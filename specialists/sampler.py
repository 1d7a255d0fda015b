"""From logits to tokens: transformers' processors, then the favourite or a draw that depends on nothing else.

A draw is keyed by (seed, position), so a text is the same whatever is decoded beside it. Order per
position: what is not allowed is left out → processors (repetition penalty, min-p) → temperature →
truncation (top-k, top-p) → token.
Knows one step of some rows; nothing of models or requests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from proxycouncil.specialists.request import Sampling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import LogitsProcessorList

NEAR_TIE = 1e-4
"""Below this the shape of the batch may decide: logits of two favourites, or a draw and a border."""


@dataclass(frozen=True, slots=True)
class Choosing:
    """What one row's choice depends on, besides its logits."""

    sampling: Sampling
    position: int
    """Tokens written before this one."""
    history: Sequence[int]
    """Ids read and written so far; used by the repetition penalty."""
    allowed: Collection[int] | None = None
    """The only ids that may be chosen, at least one; None: any."""
    declining: int | None = None
    """One more id: chosen where it is the favourite of all, and not otherwise."""


def choose(logits: Tensor, rows: Sequence[Choosing]) -> tuple[Tensor, Tensor]:
    """Tokens `[rows]` and whether each hung on less than `NEAR_TIE`, for steered logits `[rows, vocab]`."""
    scores = _processed(logits, rows)
    drawn = [place for place, row in enumerate(rows) if row.sampling.temperature > 0]
    if len(drawn) == len(rows):
        return _draws(scores, rows)
    tokens, near = _favourites(scores)
    if drawn:
        tokens[drawn], near[drawn] = _draws(scores[drawn], [rows[place] for place in drawn])
    return tokens, near


def uniform(seed: int, position: int) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    digest = hashlib.blake2b(f"{seed}:{position}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) * 2.0**-53


def _processed(logits: Tensor, rows: Sequence[Choosing]) -> Tensor:
    """All rows of the same settings in one go, unless these look at each row's history."""
    scores = _restricted(logits, rows)
    known = {id(row.sampling): _relevant(row.sampling) for row in rows}
    alike: dict[Sampling, list[int]] = {}
    for place, row in enumerate(rows):
        alike.setdefault(known[id(row.sampling)], []).append(place)
    for sampling, places in alike.items():
        processors = _processors(sampling)
        if not processors:
            continue
        if scores is logits:
            scores = logits.clone()
        apart = sampling.repetition_penalty != 1.0
        for group in [[place] for place in places] if apart else [places]:
            history: Any = _history([rows[place] for place in group], logits) if apart else None
            scores[group] = processors(history, scores[group])
    return scores


def _history(rows: Sequence[Choosing], like: Tensor) -> Tensor:
    import torch

    return torch.tensor([list(row.history) for row in rows], device=like.device, dtype=torch.long)


def _restricted(logits: Tensor, rows: Sequence[Choosing]) -> Tensor:
    """What is not allowed becomes -inf; the same tensor where everything is."""
    import numpy as np
    import torch

    restricted = [place for place, row in enumerate(rows) if row.allowed is not None]
    if not restricted:
        return logits
    ids = [_ids(rows[place].allowed) for place in restricted]
    counts = np.array([len(one) for one in ids])
    places = torch.from_numpy(np.repeat(restricted, counts)).to(logits.device)
    tokens = torch.from_numpy(np.concatenate(ids)).to(logits.device)
    scores = logits.clone()
    scores[restricted] = float("-inf")
    scores[places, tokens] = logits[places, tokens]
    return _declining(scores, logits, rows)


def _ids(allowed: Collection[int] | None) -> NDArray[np.int64]:
    import numpy as np

    # Under a grammar nearly all of a vocabulary may be allowed: those come as an array.
    return np.asarray(allowed if isinstance(allowed, np.ndarray) else list(allowed or ()), dtype=np.int64)


def _declining(scores: Tensor, logits: Tensor, rows: Sequence[Choosing]) -> Tensor:
    """Rows whose favourite of all goes on declining have no other choice left."""
    import torch

    found = [(place, row.declining) for place, row in enumerate(rows) if row.declining is not None]
    if not found:
        return scores
    places, tokens = (torch.tensor(one, device=logits.device) for one in zip(*found, strict=True))
    unbound = logits[places]
    alone = torch.full_like(unbound, float("-inf")).scatter(
        1, tokens.unsqueeze(1), unbound.gather(1, tokens.unsqueeze(1))
    )
    declines = unbound.argmax(dim=-1, keepdim=True) == tokens.unsqueeze(1)
    scores[places] = torch.where(declines, alone, scores[places])
    return scores


def _relevant(sampling: Sampling) -> Sampling:
    """Only what processors look at, so that equal ones are built once."""
    if sampling.temperature > 0:
        return Sampling(
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            repetition_penalty=sampling.repetition_penalty,
        )
    return Sampling(repetition_penalty=sampling.repetition_penalty)


@lru_cache(maxsize=256)
def _processors(sampling: Sampling) -> LogitsProcessorList:
    from transformers import LogitsProcessorList
    from transformers.generation import logits_process as made

    processors = LogitsProcessorList()
    if sampling.repetition_penalty != 1.0:
        processors.append(made.RepetitionPenaltyLogitsProcessor(float(sampling.repetition_penalty)))
    if sampling.min_p:
        processors.append(made.MinPLogitsWarper(sampling.min_p))
    if sampling.temperature not in (0.0, 1.0):
        processors.append(made.TemperatureLogitsWarper(float(sampling.temperature)))
    if sampling.top_k:
        processors.append(made.TopKLogitsWarper(sampling.top_k))
    if sampling.top_p is not None and sampling.top_p < 1.0:
        processors.append(made.TopPLogitsWarper(sampling.top_p))
    return processors


def _favourites(scores: Tensor) -> tuple[Tensor, Tensor]:
    best = scores.topk(2, dim=-1).values
    return scores.argmax(dim=-1), best[:, 0] - best[:, 1] < NEAR_TIE


def _draws(scores: Tensor, rows: Sequence[Choosing]) -> tuple[Tensor, Tensor]:
    """Inverse of the cumulative distribution, in the order of the vocabulary: it moves with no near-tie."""
    import torch

    precise = torch.float32 if scores.device.type == "mps" else torch.float64
    cumulative = scores.to(precise).softmax(dim=-1).cumsum(dim=-1)
    numbers = [uniform(row.sampling.seed, row.position) for row in rows]
    # cumsum may end a little beside 1; scaled by its end, no draw falls behind the last possible token.
    points = torch.tensor(numbers, dtype=precise, device=scores.device).unsqueeze(1) * cumulative[:, -1:]
    tokens = torch.searchsorted(cumulative, points, right=True).clamp_max(scores.shape[-1] - 1)
    above = cumulative.gather(1, tokens) - points
    below = torch.where(tokens > 0, points - cumulative.gather(1, (tokens - 1).clamp_min(0)), 1.0)
    return tokens.squeeze(1), (torch.minimum(above, below) < NEAR_TIE).squeeze(1)
