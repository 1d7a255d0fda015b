"""Councils of the two fakes, for everything that is tried from outside the graph."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fakes import FakeGenerator, FakeSearcher

from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.specialists.request import Request

QUESTION = "What is opportunity cost?"
ANSWER = "the value of the best alternative given up"
SEATS = ("economics", "law", "medicine")


def answers(member: str, request: Request) -> str:
    """The same in words by everybody; under a schema an object that fits it."""
    grammar = request.sampling.grammar
    return ANSWER if grammar is None else json.dumps(filled(json.loads(grammar)))


def filled(schema: dict[str, Any], top: dict[str, Any] | None = None) -> Any:
    """The first thing that fits a schema."""
    top = top or schema
    if "$ref" in schema:
        return filled(top["$defs"][schema["$ref"].rpartition("/")[2]], top)
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return filled(schema["anyOf"][0], top)
    match schema.get("type"):
        case "object":
            return {name: filled(one, top) for name, one in schema.get("properties", {}).items()}
        case "array":
            return [filled(schema["items"], top)] if schema.get("minItems") else []
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    return ANSWER


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
    generator = FakeGenerator(answers if replies is None else replies)
    return Council(config, generator=generator, searcher=FakeSearcher(root=root), origin=origin)
