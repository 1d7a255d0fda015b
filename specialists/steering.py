"""The formula of proxy-tuning and what is measured on it: pure functions over logits, no models, no I/O.

`steered = base + Σ α_i · (expert_i − antiexpert)`, Liu et al. 2024 (arXiv 2401.08565), §2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def steer(
    base: Tensor,
    expert: Tensor,
    antiexpert: Tensor,
    alpha: Tensor | float = 1.0,
    *,
    rows: Tensor | None = None,
    plausibility: Tensor | float | None = None,
) -> Tensor:
    """Add the weighted differences of small models to the logits of the large one.

    Args:
        base: logits `[rows, vocab]` of the large model.
        expert: logits `[pairs, vocab]` of the tuned small models.
        antiexpert: logits `[pairs, vocab]` of their untuned twin on the same positions.
        alpha: weight of each pair, `[pairs]` or one for all; a pair of weight 0 changes no bit.
        rows: `[pairs]`, which row of `base` each pair steers; a row may have several pairs or none.
            Left out: pair i steers row i.
        plausibility: β, `[rows]` or one for all. Tokens with base probability below β · max are ruled
            out (Li et al. 2023, arXiv 2210.15097, eq. 2); 0 rules out none.

    Returns:
        Logits `[rows, vocab]` in float32.
    """
    import torch

    base = base.float()
    weights = torch.as_tensor(alpha, dtype=torch.float32, device=base.device).expand(len(expert)).unsqueeze(1)
    differences = weights * (expert.float() - antiexpert.float())
    differences = torch.where(weights == 0, torch.zeros_like(differences), differences)
    steered = base + differences if rows is None else base.index_add(0, rows, differences)
    return steered if plausibility is None else keep_plausible(steered, base, plausibility)


def keep_plausible(steered: Tensor, base: Tensor, beta: Tensor | float) -> Tensor:
    """Rule out tokens that the base finds less likely than β times its favourite."""
    import torch

    beta = torch.as_tensor(beta, dtype=torch.float32, device=base.device).expand(len(base)).unsqueeze(1)
    floor = base.float().amax(dim=-1, keepdim=True) + beta.log()
    return steered.masked_fill(base < floor, float("-inf"))


def divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p‖q) of each row, in nats, of log-probabilities: how far steering has moved the base."""
    import torch

    probability = log_p.exp()
    terms = torch.where(probability > 0, probability * (log_p - log_q), 0.0)
    return terms.sum(dim=-1).clamp_min(0.0)


def uncap(logits: Tensor, bound: float) -> Tensor:
    """Undo final soft-capping `bound · tanh(s / bound)`, so that logits of capped and uncapped models add up.

    Near the bound float32 has lost the original: such values are clamped to some eight times the bound.
    """
    import torch

    limit = 1.0 - torch.finfo(torch.float32).eps
    return bound * torch.atanh((logits.float() / bound).clamp(-limit, limit))


def cap(logits: Tensor, bound: float) -> Tensor:
    """Final soft-capping, as Gemma 2 does it: the inverse of `uncap`."""
    import torch

    return bound * torch.tanh(logits / bound)
