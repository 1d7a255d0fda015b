"""Answers that are data: a JSON object with the fields that a caller's schema names.

Knows how a schema is tightened before members are held to it, what of an object can be looked up in the
passages, and when two objects say the same: their fields are voted on together, by canonical JSON. Knows no
grammar and no vote.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

TOKENS: Final = 256
"""Length of one answer under a schema, where the caller sets none: keys are written as well."""

_CHARACTERS, _ITEMS = 200, 16
_NESTED = ("properties", "$defs", "definitions", "patternProperties")
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not")


def tightened(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with bounds where it has none, so that every answer under it comes to its end.

    Objects have no other keys than the named ones, strings at most 200 characters, lists at most 16 items.
    What the schema says itself stands.
    """
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _NESTED and isinstance(value, Mapping):
            found[key] = {name: _tightened(one) for name, one in value.items()}
        elif key in _LISTED and isinstance(value, list):
            found[key] = [_tightened(one) for one in value]
        else:
            found[key] = _tightened(value) if key in _SINGLE else value
    if "properties" in found:
        found.setdefault("additionalProperties", False)
    if found.get("type") == "array":
        found.setdefault("maxItems", max(_ITEMS, int(found.get("minItems", 0))))
    if found.get("type") == "string" and not found.keys() & {"enum", "const", "pattern", "format"}:
        found.setdefault("maxLength", max(_CHARACTERS, int(found.get("minLength", 0))))
    return found


def _tightened(value: Any) -> Any:  # noqa: ANN401 (any JSON)
    return tightened(value) if isinstance(value, Mapping) else value


def asks_for(grammar: str) -> str:
    """What a model is told that can be told anything."""
    return f"Answer with one JSON object that fits this schema, and nothing else: {grammar}"


def fields(text: str) -> dict[str, Any] | None:
    """The object that a text is; None where it is none, or only the beginning of one."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def spoken(found: Mapping[str, Any]) -> str:
    """The values without their keys, as one line that can be looked up in a passage."""
    return " ".join(_leaves(found))


def canonical_json(found: Mapping[str, Any], read: Callable[[str], str]) -> str:
    """The object as one string that is the same for all ways to write it.

    Keys are sorted, 3.0 is 3, and texts are as `read` has them.
    """
    return json.dumps(_canonical(found, read), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _canonical(value: Any, read: Callable[[str], str]) -> Any:  # noqa: ANN401 (any JSON)
    match value:
        case dict():
            return {key: _canonical(one, read) for key, one in value.items()}
        case list():
            return [_canonical(one, read) for one in value]
        case str():
            return read(value)
        case float() if value.is_integer():
            return int(value)
    return value


def _leaves(value: Any) -> Iterator[str]:  # noqa: ANN401 (any JSON)
    match value:
        case dict():
            for one in value.values():
                yield from _leaves(one)
        case list():
            for one in value:
                yield from _leaves(one)
        case bool() | None:
            return
        case _:
            yield str(value)
