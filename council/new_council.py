"""The text of a council.toml to begin with: models, a table for each specialist, and why each line is there.

Knows the file's shape and what suits a family as small as the starter's. Loads nothing, writes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from string import Template

from proxycouncil.council.presets import PRESETS
from proxycouncil.errors import UsageError


@dataclass(frozen=True, slots=True)
class NewSpecialist:
    """One member to begin with."""

    name: str
    documents: str
    """A folder or file, as council.toml names it."""
    description: str = ""
    expert: str | None = None
    """Instead of the models' own."""


@dataclass(frozen=True, slots=True)
class Models:
    """The family a council begins with; each a path, a hub id or a name of the starter's."""

    base: str
    antiexpert: str | None
    expert: str | None
    about: str = "A council of one's own."
    small: bool = False
    """It reads a few sentences at a time and quotes rather than rephrases."""


STARTER_MODELS = Models(
    base="starter:base",
    antiexpert="starter:antiexpert",
    expert="starter:experts/general",
    about="A council on the shipped starter family: small, offline, and honest about it.\n"
    "# `council new DIR --family qwen3` writes the same for larger models of the hub.",
    small=True,
)

_PRESET_ABOUT = Template(
    """A council on $name. $terms.
#
# Memory: about $gigabytes GB for the weights in 16-bit floats (base $base billion parameters,
# twin and expert $small billion each), and more for every row decoded together.
# With less, take $smaller as the base: its vocabulary is the same.
# Append @REVISION to a name to pin it."""
)
_SMALL_RETRIEVAL = (
    'slate = "sentences"                      # a family this small reads a few sentences\n'
    'own_order = "best_first"                 # and trusts what stands first\n'
    "own_excerpts = 1                         # its second reading, of one sentence, errs otherwise\n"
)
_LARGE_RETRIEVAL = 'slate = "passages"                       # a base of this size reads whole passages\n'
_COUNCIL = """
[council]
quorum = 1                               # raise it to 2 once there are two specialists of one subject
# calibration = "./calibration.json"     # what `council calibrate` writes: until then confidences are raw
"""
_SMALL_COUNCIL = """\
target_risk = 0.20                       # of given answers, what `council calibrate` lets be wrong
verbatim = true                          # members write only what stands in the passages, or that it doesn't
unsure_below = 0.99                      # a reading less sure than this gives way to a quotation
"""
_SMALL_ALPHA = 1.5
"""At which the shipped experts are used (README, `proxy 1.5` beside `proxy 1`)."""


def preset_models(name: str) -> Models:
    """The models of a preset: gemma3, llama3, olmo2, qwen3 or smollm.

    Raises:
        UsageError: there is no such preset.
    """
    if name not in PRESETS:
        raise UsageError(f"no preset {name!r}", hint=f"choose one of {', '.join(PRESETS)}")
    preset = PRESETS[name]
    about = _PRESET_ABOUT.substitute(
        name=name,
        terms=preset.terms,
        gigabytes=round(preset.gigabytes),
        base=preset.base_billions,
        small=preset.small_billions,
        smaller=preset.smaller_base,
    )
    return Models(preset.base, preset.antiexpert, preset.expert, about=about)


def council_toml(models: Models, specialists: Sequence[NewSpecialist]) -> str:
    """The whole file."""
    parts = [f"# {models.about}\n", _family(models)]
    parts += [_specialist(one, models) for one in specialists]
    parts.append(
        "[generalist]                             # reads from every domain\n"
        + _expert(models.expert, models)
    )
    parts.append(
        '[retrieval]\npath = "./library"\n' + (_SMALL_RETRIEVAL if models.small else _LARGE_RETRIEVAL)
    )
    return "\n".join(parts) + _COUNCIL + (_SMALL_COUNCIL if models.small else "")


def _family(models: Models) -> str:
    lines = ["[family]", f"base = {_quoted(models.base)}"]
    if models.antiexpert:
        lines.append(f"antiexpert = {_quoted(models.antiexpert)}")
    if models.small:
        lines += [
            'device = "cpu"',
            "threads = 1                              # fastest for models this small",
        ]
    return "\n".join(lines) + "\n"


def _specialist(one: NewSpecialist, models: Models) -> str:
    title = one.name.replace("_", " ").replace("-", " ").capitalize()
    lines = [
        f"[specialists.{one.name}]",
        f"title = {_quoted(title)}",
        f"description = {_quoted(one.description or f'{title}.')}  # one sentence: routing reads it",
        "examples = []                            # questions as people type them; routing reads them too",
        f"documents = [{_quoted(one.documents)}]",
    ]
    tuned = f'# expert = "./experts/{one.name}"   # your own, once made: council tune {one.name}\n'
    return "\n".join(lines) + "\n" + _expert(one.expert or models.expert, models) + tuned


def _expert(expert: str | None, models: Models) -> str:
    if not expert:
        return ""
    return f"expert = {_quoted(expert)}\n" + (f"alpha = {_SMALL_ALPHA}\n" if models.small else "")


def _quoted(text: str) -> str:
    """A basic string of TOML: JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)
