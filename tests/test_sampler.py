"""From logits to tokens: what is drawn, and where it hung on nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from proxycouncil.specialists import Sampling
from proxycouncil.specialists.sampler import Choosing, choose, uniform

DRAWS = 1000
LOGITS = torch.tensor([[2.0, 1.0, 0.5, 0.0, -1.0, -3.0]])


def _drawn(sampling: Sampling, times: int = DRAWS) -> Counter[int]:
    rows = [Choosing(replace(sampling, seed=seed), 0, (0,)) for seed in range(times)]
    tokens, _ = choose(LOGITS.expand(times, -1), rows)
    return Counter(tokens.tolist())


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1.0),
        Sampling(temperature=0.5),
        Sampling(temperature=2.0, top_k=3),
        Sampling(temperature=1.0, top_p=0.8),
        Sampling(temperature=1.5, min_p=0.3),
        Sampling(temperature=1.0, repetition_penalty=1.5),
    ],
)
def test_draws_follow_the_distribution(sampling: Sampling) -> None:
    scores = LOGITS[0].clone()
    if sampling.repetition_penalty != 1.0:
        scores[0] /= sampling.repetition_penalty
    if sampling.min_p:
        likely = scores.softmax(-1)
        scores[likely < sampling.min_p * likely.max()] = float("-inf")
    scores = scores / sampling.temperature
    if sampling.top_k:
        scores[scores < scores.topk(sampling.top_k).values[-1]] = float("-inf")
    if sampling.top_p:
        likely, order = scores.softmax(-1).sort(descending=True)
        scores[order[likely.cumsum(0) - likely >= sampling.top_p]] = float("-inf")
    expected = scores.softmax(-1)
    drawn = _drawn(sampling)
    for token, probability in enumerate(expected.tolist()):
        share = drawn[token] / DRAWS
        assert share == pytest.approx(probability, abs=0.05)
        assert (share == 0) == (probability == 0) or probability < 0.02


def test_greedy_near_ties_are_counted() -> None:
    greedy = Choosing(Sampling(), 0, ())
    logits = torch.tensor([[1.0, 1.0 - 5e-5, 0.0], [1.0, 0.9, 0.0]])
    tokens, near = choose(logits, [greedy, greedy])
    assert tokens.tolist() == [0, 0]
    assert near.tolist() == [True, False]


def test_draws_at_a_border_are_counted() -> None:
    number = uniform(3, 0)
    probabilities = torch.tensor([[number - 1e-6, 1 - number + 1e-6], [number - 1e-2, 1 - number + 1e-2]])
    row = Choosing(Sampling(temperature=1.0, seed=3), 0, ())
    tokens, near = choose(probabilities.log(), [row, row])
    assert tokens.tolist() == [1, 1]
    assert near.tolist() == [True, False]


@given(st.integers(), st.integers(0, 10_000))
def test_uniform_numbers_are_keyed(seed: int, position: int) -> None:
    assert 0 <= uniform(seed, position) < 1
    assert uniform(seed, position) == uniform(seed, position)
    assert uniform(seed, position) != uniform(seed, position + 1)
