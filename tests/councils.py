"""Councils of the two fakes, for everything that is tried from outside the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fakes import FakeGenerator, FakeSearcher

from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council

QUESTION = "What is opportunity cost?"
ANSWER = "the value of the best alternative given up"
SEATS = ("economics", "law", "medicine")


def council_of(replies: Any = None, *, root: Path | None = None, origin: str = "", **council: Any) -> Council:
    """Three specialists and a generalist, who all answer the same unless told otherwise."""
    config = CouncilConfig.from_mapping(
        {
            "family": {"base": "none", "antiexpert": "none"},
            "specialists": {name: {"expert": "none", "description": f"All of {name}."} for name in SEATS},
            "generalist": {"expert": "none"},
            "council": council,
        }
    )
    generator = FakeGenerator({"*": ANSWER} if replies is None else replies)
    return Council(config, generator=generator, searcher=FakeSearcher(root=root), origin=origin)
