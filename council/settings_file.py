"""One setting of a council.toml, written where it belongs: comments and everything else stay as they are.

Knows TOML (by tomlkit) and the file; what a setting means and whether it may have a value is `config.py`'s.
"""

from __future__ import annotations

from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from proxycouncil.council.config import CouncilConfig
from proxycouncil.errors import ConfigError


def write_setting(file: Path, section: str, name: str, value: str) -> None:
    """Set `name` in a section of the file; `section` may be dotted, `specialists.law`.

    The settings are checked as a whole before the file is replaced.

    Raises:
        ConfigError: the file can't be read or written, or would not be a council's any more.
    """
    try:
        document = tomlkit.parse(file.read_text(encoding="utf-8"))
        table = document
        for part in section.split("."):
            table = table.setdefault(part, tomlkit.table())
        table[name] = value
        text = tomlkit.dumps(document)
        CouncilConfig.from_mapping(document.unwrap(), directory=file.resolve().parent)
        fresh = file.with_name(f".{file.name}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(file)
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise ConfigError(
            f"{file} can't be changed: {error}",
            hint=f'write it there yourself: [{section}] {name} = "{value}"',
        ) from error


def as_written(path: Path, directory: Path) -> str:
    """A path as council.toml names it: relative to its own folder where it lies in there."""
    path = path.resolve()
    home = directory.resolve()
    return f"./{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)
