"""Makes docs/configuration.md from the settings' own model, so that the page can't be wrong.

`python -m proxycouncil.council.cli.configuration_page > docs/configuration.md`
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from proxycouncil.council.config import CouncilConfig

_HEAD = """# council.toml

Generated from the settings' own model:
`python -m proxycouncil.council.cli.configuration_page > docs/configuration.md`.

Unknown keys are refused. A relative path starts at the directory of the file. Where weights are asked for, a
value that begins with `./`, `../`, `/` or `~`, or that is there, is a path; `starter:base`,
`starter:antiexpert` and `starter:experts/NAME` are the shipped models; anything else is a hub id.
"""
_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true`, `false`"}
_BOUNDS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}

Schema = Mapping[str, Any]


def describe_defaults() -> str:
    """The page: for every section a table of keys, what is allowed, default and meaning."""
    schema = CouncilConfig.model_json_schema()
    definitions = schema["$defs"]
    tables = (
        _table(title, definitions[reference.rpartition("/")[2]])
        for title, reference in _sections(schema["properties"])
    )
    return "\n".join([_HEAD, *tables])


def _sections(properties: Schema) -> Iterator[tuple[str, str]]:
    """Title and reference of every table of the file; `specialists` is a table of tables."""
    for name, schema in properties.items():
        entries = schema.get("additionalProperties")
        if entries:
            yield f"[{name}.NAME]", entries["$ref"]
        else:
            yield f"[{name}]", schema["$ref"]


def _table(title: str, section: Schema) -> str:
    required = section.get("required", ())
    rows = [
        " | ".join(
            (
                f"| `{key}`",
                _allowed(schema),
                _default(schema, required=key in required),
                " ".join(schema["description"].split()),
            )
        )
        + " |"
        for key, schema in section["properties"].items()
    ]
    head = [f"## {title}", "", section["description"], "", "| key | allowed | default | meaning |"]
    return "\n".join([*head, "|---|---|---|---|", *rows, ""])


def _allowed(schema: Schema) -> str:
    if "anyOf" in schema:
        return _allowed(schema["anyOf"][0])
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    if "prefixItems" in schema:
        return f"[{', '.join(_allowed(part) for part in schema['prefixItems'])}]"
    if schema["type"] == "array":
        return f"list: {_allowed(schema['items'])}"
    kind = "path" if schema.get("format") == "path" else _TYPES[schema["type"]]
    return " ".join(
        [kind, *(text.format(schema[bound]) for bound, text in _BOUNDS.items() if bound in schema)]
    )


def _default(schema: Schema, *, required: bool) -> str:
    if required:
        return "must be set"
    default = schema.get("default")
    return "unset" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`"


if __name__ == "__main__":
    sys.stdout.write(describe_defaults())
