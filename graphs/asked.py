"""What a question asks for: yes or no, a unit, an order, a definition. Knows questions, never answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from proxycouncil.graphs.units import Unit, unit_of
from proxycouncil.graphs.wording import Token, stem, tidy, tokens

AUXILIARIES = frozenset(
    "is are was were am be been being do does did has have had can could may might must shall should will "
    "would".split()
)
_LAST_SENTENCE = re.compile(r"[^.?!]+[.?!]*\s*$")
_ORDER = re.compile(
    r"\b(?:order(?:ed)?|sequence|rank(?:ing|ed)?|chronological|ascending|descending|stages?|steps?|phases?|series"
    r"|first|last|next|then|before|after|follow(?:s|ed)?|largest|smallest|top)\b",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(
    r"^(?:what(?:'s| is| are| was| were)\b(?!.*\b(?:called|named|term|name|word)\b)"
    r"|what (?:does|do) .* (?:mean|do)\b|what (?:should|can|could)\b|define\b"
    r"|(?:can you |please )?(?:tell|explain|describe)\b"
    r"|why\b|how (?!(?:many|much|old|long|far|often|large|big|tall|high|heavy|fast|deep|"
    r"thick|wide|dense|hot|cold)\b))",
    re.IGNORECASE,
)
_AGE = re.compile(r"\bhow old\b|\bat what age\b", re.IGNORECASE)
_PERCENT = re.compile(r"\b(percent|per cent|percentage)\b|%", re.IGNORECASE)
_RATIO = re.compile(r"\b(fraction|proportion|share|ratio|probability|what part|how much of)\b", re.IGNORECASE)
_BOUND = re.compile(
    r"\bat (least|most)\b|\b(minimum|maximum|fewest|highest|lowest|longest|shortest)\b", re.IGNORECASE
)
_MEASURED = re.compile(r"\bhow (?:many|much) (\w+)|\bin (?:what |how many )?(\w+)\s*\?*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, as far as it says how answers to it compare."""

    stems: frozenset[str] = frozenset()
    polar: str = ""
    """The auxiliary of a yes/no question ("is"), else ""."""
    ordered: bool = False
    """Lists are rankings."""
    open: bool = False
    """Asks for a definition or an account, not for a name, number or date."""
    unit: Unit | None = None
    """What a bare number counts."""
    ratio: bool = False
    bounded: bool = False
    """Asks for a least or a most, so that an answer need not say so."""


@lru_cache(maxsize=1024)
def asked(question: str) -> Asked:
    """Read a question."""
    text = tidy(question)
    if not text:
        return Asked()
    sentence = _LAST_SENTENCE.search(text)
    words = [token for token in tokens(text) if token.kind != "mark"]
    last = [token for token in tokens(sentence.group() if sentence else text) if token.kind != "mark"]
    return Asked(
        stems=frozenset(stem(token.folded) for token in words),
        polar=_polar(last),
        ordered=_ORDER.search(text) is not None,
        open=_ACCOUNT.match(sentence.group().strip() if sentence else text) is not None,
        unit=_unit(text),
        ratio=_RATIO.search(text) is not None,
        bounded=_BOUND.search(text) is not None,
    )


def _polar(words: list[Token]) -> str:
    first = words[0].folded if words else ""
    choice = any(word.folded == "or" for word in words)
    return first if first in AUXILIARIES and not choice else ""


def _unit(text: str) -> Unit | None:
    if _AGE.search(text):
        return unit_of("year")
    if _PERCENT.search(text):
        return unit_of("%")
    for match in _MEASURED.finditer(text):
        unit = unit_of(match.group(1) or match.group(2))
        if unit is not None:
            return unit
    return None
