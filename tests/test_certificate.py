"""The certificate and the bound of a base that is seen in part, against the whole vocabulary."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from proxycouncil.specialists.remote.certificate import Seen, View, steer_seen

LOGITS = st.floats(-12, 12, allow_nan=False, width=32)


@st.composite
def places(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Log-probabilities of a base, a shift, and how many of the likeliest are seen."""
    size = draw(st.integers(2, 24))
    base = draw(st.lists(LOGITS, min_size=size, max_size=size))
    shift = draw(st.lists(LOGITS, min_size=size, max_size=size))
    logprobs = torch.tensor(base, dtype=torch.float64).log_softmax(-1)
    return logprobs, torch.tensor(shift, dtype=torch.float64), draw(st.integers(1, size))


def cut(logprobs: torch.Tensor, k: int) -> Seen:
    """What a server tells of the k likeliest."""
    best = logprobs.topk(k)
    listed = dict(zip(best.indices.tolist(), best.values.tolist(), strict=True))
    return Seen(listed, min(listed.values()), best.indices[0].item())


def variation(view: View, whole: torch.Tensor) -> float:
    """Total variation between what was steered in part and the whole."""
    return float((view.steered.softmax(-1) - whole.softmax(-1)).abs().sum()) / 2


@given(places())
@settings(max_examples=120, deadline=None)
def test_what_is_certified_is_the_favourite_and_the_bound_holds(
    place: tuple[torch.Tensor, torch.Tensor, int],
) -> None:
    logprobs, shift, k = place
    view = steer_seen(cut(logprobs, k), shift)
    whole = logprobs + shift
    if view.certified:
        assert float(whole[view.steered.argmax()]) == pytest.approx(float(whole.max()), abs=1e-9)
    else:
        assert k < len(logprobs)
    assert variation(view, whole) <= view.unseen + 1e-9
    assert 0 <= view.unseen <= 1
    if k == len(logprobs):
        assert view.unseen == 0
        assert view.certified


@given(places())
@settings(max_examples=60, deadline=None)
def test_with_its_contenders_known_every_place_is_certified(
    place: tuple[torch.Tensor, torch.Tensor, int],
) -> None:
    logprobs, shift, k = place
    seen = cut(logprobs, k)
    doubt = steer_seen(seen, shift)
    known = {token: float(logprobs[token]) for token in doubt.contenders}
    settled = steer_seen(seen.joined(Seen(known, seen.ceiling, -1)), shift)
    whole = logprobs + shift
    assert settled.certified
    assert float(whole[settled.steered.argmax()]) == pytest.approx(float(whole.max()), abs=1e-9)
    assert variation(settled, whole) <= settled.unseen + 1e-9


@given(places(), st.data())
@settings(max_examples=60, deadline=None)
def test_it_is_about_what_is_allowed_and_plausible(
    place: tuple[torch.Tensor, torch.Tensor, int], data: st.DataObject
) -> None:
    logprobs, shift, k = place
    ids = st.sets(st.integers(0, len(logprobs) - 1), min_size=1)
    allowed = data.draw(st.one_of(st.none(), ids))
    beta = 0.0 if allowed else data.draw(st.floats(0.01, 1.0))
    view = steer_seen(cut(logprobs, k), shift, allowed=allowed, plausibility=beta)
    whole = (logprobs + shift).clone()
    if allowed:
        whole[[token for token in range(len(whole)) if token not in allowed]] = -torch.inf
    else:
        whole[logprobs < logprobs.max() + math.log(beta)] = -torch.inf
    seen = view.steered.clone()
    seen[whole.isinf()] = -torch.inf
    assert view.blind == bool(seen.isinf().all())
    if view.certified:
        assert float(whole[seen.argmax()]) == pytest.approx(float(whole.max()), abs=1e-9)
    if not view.blind:
        assert float((seen.softmax(-1) - whole.softmax(-1)).abs().sum()) / 2 <= view.unseen + 1e-9


def test_the_bound_is_not_idle() -> None:
    """Half of the mass is unseen and weighs e times as much: at most e / (1 + e) of it all is missing."""
    logprobs = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64).log()
    shift = torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64)
    view = steer_seen(cut(logprobs, 1), shift)
    assert view.unseen == pytest.approx(math.e / (1 + math.e), abs=1e-5)
    assert view.contenders == (1, 2)
    sharper = steer_seen(Seen({0: math.log(0.5)}, math.log(0.25), 0), torch.tensor([0.0, 1.0, -50.0]))
    assert sharper.unseen == pytest.approx(0.25 * math.e / (0.5 + 0.25 * math.e), abs=1e-5)


def test_tokens_beyond_the_vocabulary_count_as_mass_alone() -> None:
    seen = Seen({0: math.log(0.6), 7: math.log(0.4)}, math.log(0.4), 0)
    view = steer_seen(seen, torch.zeros(3))
    assert view.steered.argmax() == 0
    assert view.certified
    assert view.unseen < 1e-5
