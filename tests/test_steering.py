"""The formula: what it equals, what it leaves alone, what is measured on it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from proxycouncil.specialists.steering import cap, divergence, keep_plausible, steer, uncap

seeds = st.integers(0, 2**31)
weights = st.floats(-3, 3, allow_nan=False, width=32)


def _logits(seed: int, rows: int, vocabulary: int = 13) -> torch.Tensor:
    return torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(seed)) * 5


@given(seeds, weights, st.integers(1, 4))
def test_it_is_the_papers_formula(seed: int, alpha: float, rows: int) -> None:
    base, expert, antiexpert = (_logits(seed + n, rows) for n in range(3))
    assert torch.equal(steer(base, expert, antiexpert, alpha), base + alpha * (expert - antiexpert))


@given(seeds, st.integers(1, 4))
def test_alpha_zero_is_the_base_whatever_the_pair(seed: int, rows: int) -> None:
    base = _logits(seed, rows)
    wild = torch.full_like(base, float("inf"))
    assert torch.equal(steer(base, wild, -wild, 0.0), base)


@given(seeds, weights)
def test_equal_pair_is_the_base(seed: int, alpha: float) -> None:
    base, small = _logits(seed, 3), _logits(seed + 1, 3)
    assert torch.equal(steer(base, small, small, alpha), base)


@given(seeds, st.lists(weights, min_size=1, max_size=5), st.data())
def test_rows_take_their_own_pairs_and_weights(seed: int, alphas: list[float], data: st.DataObject) -> None:
    base = _logits(seed, 3)
    expert, antiexpert = _logits(seed + 1, len(alphas)), _logits(seed + 2, len(alphas))
    rows = data.draw(st.lists(st.integers(0, 2), min_size=len(alphas), max_size=len(alphas)))
    steered = steer(base, expert, antiexpert, torch.tensor(alphas), rows=torch.tensor(rows))
    for row in range(3):
        plain = base[row].clone()
        for pair, owner in enumerate(rows):
            if owner == row:
                plain += alphas[pair] * (expert[pair] - antiexpert[pair])
        assert torch.allclose(steered[row], plain, atol=1e-5)


def test_it_is_computed_in_float32() -> None:
    half = _logits(0, 2).bfloat16()
    steered = steer(half, half + 1, half, 0.3)
    assert steered.dtype == torch.float32
    assert torch.allclose(steered, half.float() + 0.3 * ((half + 1).float() - half.float()))


@given(seeds, st.floats(0.01, 1.0))
def test_plausibility_keeps_what_the_base_finds_likely(seed: int, beta: float) -> None:
    base, steered = _logits(seed, 2), _logits(seed + 1, 2)
    kept = keep_plausible(steered, base, torch.tensor([beta, 0.0]))
    probability = base.softmax(-1)
    likely = probability[0] >= beta * probability[0].max()
    sure = (probability[0] / probability[0].max() - beta).abs() > 1e-5
    assert torch.equal(kept[0].isfinite()[sure], likely[sure])
    assert torch.equal(kept[1], steered[1])
    assert kept[0].isfinite()[base[0].argmax()]


def test_steer_applies_the_mask() -> None:
    base = torch.tensor([[2.0, 1.0, -9.0]])
    lifted = steer(base, torch.tensor([[0.0, 0.0, 50.0]]), torch.zeros(1, 3), 1.0, plausibility=0.1)
    assert lifted.argmax() == 0


@given(seeds, seeds)
def test_divergence_is_kl(one: int, other: int) -> None:
    steered, base = (_logits(seed, 3).log_softmax(-1) for seed in (one, other))
    plain = torch.nn.functional.kl_div(base, steered, log_target=True, reduction="none").sum(-1)
    assert torch.allclose(divergence(steered, base), plain, atol=1e-4)
    assert torch.equal(divergence(base, base), torch.zeros(3))


def test_divergence_survives_ruled_out_tokens() -> None:
    base = torch.zeros(1, 4).log_softmax(-1)
    steered = torch.tensor([[0.0, 0.0, float("-inf"), float("-inf")]]).log_softmax(-1)
    assert divergence(steered, base).item() == pytest.approx(0.6931472)


@given(seeds, st.sampled_from([10.0, 30.0, 50.0]))
def test_a_soft_cap_is_undone(seed: int, bound: float) -> None:
    free = _logits(seed, 2)
    assert torch.allclose(uncap(cap(free, bound), bound), free, atol=2e-2, rtol=1e-3)


def test_at_the_cap_the_value_stays_finite() -> None:
    assert uncap(torch.tensor([[30.0, -30.0, 31.0]]), 30.0).isfinite().all()
