"""What is wrong with a council.toml, in words: the key, the value, what is allowed, the nearest known key."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from proxycouncil.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

_REFERENCE = "docs/configuration.md lists every key with its default"


def syntax_error(error: tomllib.TOMLDecodeError, *, file: Path) -> ConfigError:
    """TOML that does not parse; the parser's message ends with line and column."""
    return ConfigError(f"{file} is not valid TOML: {error}", hint="mend that line; strings need quotes")


def config_error(error: ValidationError, *, model: type[BaseModel], name: str) -> ConfigError:
    """All faults of a file in one error; the hint is about the first."""
    faults = sorted(error.errors(include_url=False), key=lambda fault: fault["type"] != "extra_forbidden")
    described = "; ".join(_described(fault) for fault in faults)
    return ConfigError(f"{name}: {described}", hint=_hint(faults[0], model=model))


def _described(fault: ErrorDetails) -> str:
    key = ".".join(str(step) for step in fault["loc"])
    match fault["type"]:
        case "extra_forbidden":
            return f"unknown key {key}"
        case "missing":
            return f"{key} is missing"
        case "model_type":
            return f"{key} = {fault['input']!r}: must be a table"
    message = fault["msg"].removeprefix("Value error, ").replace("Input should", "must")
    if isinstance(fault["input"], dict):
        return f"{key}: {message}" if key else message
    return f"{key} = {fault['input']!r}: {message}"


def _hint(fault: ErrorDetails, *, model: type[BaseModel]) -> str:
    if fault["type"] != "extra_forbidden":
        return _REFERENCE
    *section, key = fault["loc"]
    known = _known_keys(model, section)
    nearest = get_close_matches(str(key), known, n=1, cutoff=0.5)
    return f"did you mean {nearest[0]}?" if nearest else f"known here: {', '.join(known)}"


def _known_keys(model: type[BaseModel], section: Iterable[int | str]) -> list[str]:
    """Keys of the table at that place; an entry of a table of tables (a specialist) is passed through."""
    from pydantic import BaseModel

    for step in section:
        field = model.model_fields.get(str(step))
        if field is not None:
            kinds = (field.annotation, *get_args(field.annotation))
            model = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
    return list(model.model_fields)
