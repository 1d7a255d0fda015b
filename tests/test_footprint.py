"""What is held against what is computed, and what doctor says of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from tiny import STARTER, save_family

from proxycouncil.council import memory
from proxycouncil.council.config import CouncilConfig
from proxycouncil.specialists import Family, Pair, Prompt, Request, Sampling
from proxycouncil.specialists.checkpoint import open_checkpoint
from proxycouncil.specialists.footprint import Footprint, anonymous_bytes, footprint


def test_weights_are_counted_once_and_caches_at_their_longest(tmp_path: Path) -> None:
    paths = save_family(tmp_path)
    opener = partial(Family, paths["base"], paths["antiexpert"], experts={"law": paths["law"]}, device="cpu")
    request = Request(Prompt("why"), (Pair("law"),), Sampling(max_new_tokens=4))
    found = footprint(opener, [request])
    on_disk = sum(open_checkpoint(paths[name]).parameters for name in ("base", "antiexpert", "law"))
    assert 4 * on_disk <= found.weights < 4 * on_disk + 10_000  # and the angles of rotations
    family = opener().load()
    tokens = {
        name: len(family.part(name).format.encode(request.prompt)) + 4
        for name in ("base", "law", "antiexpert")
    }
    per_token = {"base": 2 * 3 * 2 * 8 * 4, "law": 2 * 2 * 2 * 8 * 4, "antiexpert": 2 * 2 * 2 * 8 * 4}
    assert found.caches == sum(per_token[name] * tokens[name] for name in tokens)
    assert (found.peak is None) == (anonymous_bytes() is None)


def test_weights_in_two_bytes_are_counted_in_two_bytes() -> None:
    base = open_checkpoint(STARTER / "base")
    weights = Family(STARTER / "base", device="cpu").load().weight_bytes
    # Head and embeddings are one on disk; here one is multiplied with, the other looked up.
    shared = 2 * base.tensors["model.embed_tokens.weight"][0] * base.tensors["model.embed_tokens.weight"][1]
    assert weights == pytest.approx(2 * base.parameters + shared, rel=0.01)


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="the system does not tell what is mapped")
def test_checkpoints_are_let_go_once_they_are_loaded(tmp_path: Path) -> None:
    paths = save_family(tmp_path)
    family = Family(paths["base"], paths["antiexpert"], experts={"law": paths["law"]}, device="cpu").load()
    assert family.weight_bytes > 0
    assert str(tmp_path) not in Path("/proc/self/maps").read_text(encoding="utf-8")


def test_doctor_tells_weights_caches_and_their_sum() -> None:
    config = CouncilConfig.from_mapping(
        {"family": {"base": "none", "antiexpert": "none"}, "specialists": {"law": {"expert": "none"}}}
    )
    asked = memory.requests(config)
    assert [one.pairs for one in asked] == [(Pair("law"),), ()]
    told = memory.told(Footprint(34_000_000, 6_000_000, 42_000_000), 2)
    assert told == "weights 34.0 MB once, caches 6.0 MB for 2 texts, at most 42.0 MB held: 1.05 of the sum"
    assert "does not tell" in memory.told(Footprint(1, 1, None), 2)


def test_a_base_behind_a_server_is_not_weighed_here() -> None:
    config = CouncilConfig.from_mapping(
        {"family": {"base": "x", "antiexpert": "y", "base_url": "http://127.0.0.1:1"}}
    )
    assert memory.weigh(config).status == "warn"
