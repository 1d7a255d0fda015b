"""Whether *Yes* or *No* may answer a question, told by how it begins. Knows words; nothing of models."""

from __future__ import annotations

import re

AUXILIARIES = frozenset(
    "is are was were am be been being do does did has have had can could may might must shall should will "
    "would".split()
)
POLITE = (
    r"you (?:please |maybe )?(?:know|tell|say|explain|describe|name|give|show|remind)\b"
    r"(?!.*\b(?:if|whether)\b)"
)
"""Behind an auxiliary: asks what follows ("Do you know who …?"), not whether one could say it."""

_BEGINNINGS = "|".join(sorted(AUXILIARIES - {"been", "being"}))
_POLAR = re.compile(
    rf"(?:^|[.,:;?!–—]\s*)(?:(?:and|but|so|or|then)\s+)?(?:{_BEGINNINGS})(?:n['’]?t)?\b(?! {POLITE})"
    r"|\btrue or false\b|\b(?:true|false|right|correct)\W*$",
    re.IGNORECASE,
)


def may_be_yes_or_no(question: str) -> bool:
    """Whether one of its clauses begins with its verb, or it asks at its end whether something is right."""
    return _POLAR.search(question) is not None
