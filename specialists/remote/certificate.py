"""Steering where only the likeliest tokens of the base are known: what is certain, what may be missing.

With T the tokens seen, p the base's probabilities, s = Σ α·(expert − antiexpert) and c the smallest p in
the server's list: no token outside T is likelier than c, and together they have 1 − Σ_T p. Hence the
favourite of T is everybody's if max_T p·e^s > c·e^(max s outside T), and renormalising over T is wrong by
at most Z_out / (Z_T + Z_out) in total variation, Z_out being what the unseen mass weighs when it is given
to the tokens of the largest s, c to each. Log-probabilities serve as logits do: softmax ignores constants.

Pure functions over one place. Knows nothing of servers, texts and models.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxycouncil.specialists.steering import keep_plausible

if TYPE_CHECKING:
    from torch import Tensor

_ROUNDING = 1e-6
"""Servers compute in float32: this much of the mass may be unseen where none seems to be."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a server told of the token after one text."""

    logprobs: Mapping[int, float]
    """Natural log-probabilities of the base itself, before any bias, temperature or truncation."""
    ceiling: float
    """No token that is missing has a higher one."""
    chosen: int
    """The token that the server would have written."""

    def joined(self, other: Seen) -> Seen:
        """What both tell of the same place."""
        ceiling = min(self.ceiling, other.ceiling)
        return Seen({**self.logprobs, **other.logprobs}, ceiling, self.chosen)


@dataclass(frozen=True, slots=True)
class View:
    """One place after steering, in float64; −inf where nothing was seen."""

    base: Tensor
    """Log-probabilities `[vocab]`."""
    steered: Tensor
    """Logits `[vocab]`, implausible tokens ruled out."""
    unseen: float
    """Bound on the total variation to the distribution over the whole vocabulary, in [0, 1]."""
    contenders: tuple[int, ...]
    """Tokens not seen that may beat the best of those seen, the likeliest to do so first."""
    blind: bool
    """Nothing was seen that may be chosen."""

    @property
    def certified(self) -> bool:
        """Whether the favourite among what was seen is the favourite of all."""
        return not self.contenders and not self.blind


def steer_seen(
    seen: Seen, shift: Tensor, *, allowed: Collection[int] | None = None, plausibility: float = 0.0
) -> View:
    """Steer what was seen of a place, and bound what was not.

    Args:
        seen: what the server told.
        shift: Σ α·(expert − antiexpert), `[vocab]`; tokens told of beyond its width are left out.
        allowed: the only ids that may be chosen; certificate and bound are about those alone.
        plausibility: β; tokens with base probability below β · max are ruled out.
    """
    import torch

    shift = shift.double()
    base = _spread(seen.logprobs, shift)
    steered = base + shift
    if plausibility:
        steered = keep_plausible(steered.unsqueeze(0), base.unsqueeze(0).double(), plausibility).squeeze(0)
    candidates = _restricted(steered, allowed)
    best = float(candidates.max())
    mass = max(0.0, 1.0 - math.fsum(map(math.exp, seen.logprobs.values()))) + _ROUNDING
    ceiling = min(seen.ceiling, math.log(mass))
    missing = _restricted(torch.where(base.isinf(), shift, -torch.inf), allowed)
    if plausibility and ceiling < float(base.max()) + math.log(plausibility):
        missing = torch.full_like(shift, -torch.inf)
    return View(
        base=base,
        steered=steered,
        unseen=_unseen(candidates, missing, mass, ceiling),
        contenders=_contenders(missing, best - ceiling),
        blind=math.isinf(best),
    )


def _spread(logprobs: Mapping[int, float], like: Tensor) -> Tensor:
    import torch

    inside = {token: value for token, value in logprobs.items() if token < len(like)}
    spread = torch.full_like(like, -torch.inf)
    ids = torch.tensor(list(inside), dtype=torch.long, device=like.device)
    # A probability that float32 could not hold is seen all the same.
    values = torch.tensor(list(inside.values()), dtype=like.dtype, device=like.device).clamp_min(-1e30)
    return spread.index_copy(0, ids, values)


def _restricted(scores: Tensor, allowed: Collection[int] | None) -> Tensor:
    import torch

    if allowed is None:
        return scores
    ids = torch.tensor(sorted(allowed), dtype=torch.long, device=scores.device)
    return torch.full_like(scores, -torch.inf).index_copy(0, ids, scores[ids])


def _contenders(missing: Tensor, needed: float) -> tuple[int, ...]:
    """Tokens whose shift reaches what a token at the ceiling needs to win, the largest first."""
    reaching = (missing >= needed).logical_and(missing > -math.inf).nonzero().flatten()
    order = missing[reaching].argsort(descending=True, stable=True)
    return tuple(reaching[order].tolist())


def _unseen(candidates: Tensor, missing: Tensor, mass: float, ceiling: float) -> float:
    """Z_out / (Z_T + Z_out), the unseen mass handed out by descending shift, at most the ceiling to each."""
    import torch

    count = int((missing > -torch.inf).sum())
    if not count:
        return 0.0
    full = math.floor(min(mass / math.exp(ceiling), count)) if ceiling > -700 else count
    best = missing.topk(min(full + 1, count)).values
    logs = torch.full_like(best, ceiling)
    if full < count:
        rest = mass - full * math.exp(ceiling)
        logs[-1] = math.log(rest) if rest > 0 else -torch.inf
    out = float((best + logs).logsumexp(0))
    inside = float(candidates.logsumexp(0))
    return 1.0 / (1.0 + math.exp(min(inside - out, 700.0))) if inside > -math.inf else 1.0
