"""What a question asks for: yes or no, a unit, an order, a definition. Knows questions, never answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from proxycouncil.graphs.units import Unit, unit_of
from proxycouncil.graphs.wording import DENYING, Token, stem, tidy, tokens
from proxycouncil.specialists.yes_or_no import AUXILIARIES, POLITE

_LAST_SENTENCE = re.compile(r"[^.?!]+[.?!]*\s*$")
_ORDER = re.compile(
    r"\b(?:order(?:ed)?|sequence|rank(?:ing|ed)?|chronological|ascending|descending|stages?|steps?|phases?|series"
    r"|first|last|next|then|before|after|follow(?:s|ed)?|largest|smallest|top|respectively)\b"
    r"|\b(?:who|which|what|whose)\b.*\band (?:who|which|what|whose)\b",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(
    r"^(?:what(?:'s| is| are| was| were)\b(?!.*\b(?:called|named|term|name|word)\b)"
    r"|what (?:does|do) .* (?:mean|do)\b|what (?:should|can|could)\b|define\b"
    r"|(?:can you |please )?(?:tell|explain|describe)\b"
    r"|why\b|how (?!(?:many|much|old|long|short|far|often|soon|large|big|tall|high|heavy|fast|deep|"
    r"thick|wide|dense|hot|cold)\b|.*\bcall(?:ed)?\b))",
    re.IGNORECASE,
)
_POLITE = re.compile(rf"^\w+ {POLITE}", re.IGNORECASE)
_CONDITION = re.compile(r"^(?:if|when|in|under|with)\b[^,]*,\s*", re.IGNORECASE)
"""Stands before the question itself."""
_AGE = re.compile(r"\bhow old\b|\bat what age\b", re.IGNORECASE)
_PERCENT = re.compile(r"\b(percent|per cent|percentage)\b|%", re.IGNORECASE)
_RATIO = re.compile(
    r"\b(fraction|proportion|share|ratio|probability|what part|how (?:much|many) of)\b", re.IGNORECASE
)
_COUNTED = re.compile(r"\bhow (?:many|much)\b", re.IGNORECASE)
_LOCATIVE = frozenset(stem(word) for word in "lies located situated found sits stands".split())
_TIMES = frozenset({stem("case"), stem("time")})
_ARTICLES = frozenset({"a", "an", "the", "not"})
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
    counted: bool = False
    """Asks how many: "none" is a number."""
    denials: frozenset[str] = frozenset()
    """Words that deny one of its own: "illegal" where it asks whether something is legal."""
    choices: frozenset[str] = frozenset()
    """Stems on both sides of each "or": what an answer may not leave to be guessed."""


@lru_cache(maxsize=1024)
def asked(question: str) -> Asked:
    """Read a question."""
    text = tidy(question)
    if not text:
        return Asked()
    found = _LAST_SENTENCE.search(text)
    last = _CONDITION.sub("", found.group().strip() if found else text)
    words = [token for token in tokens(text) if token.kind != "mark"]
    return Asked(
        stems=frozenset(stem(token.folded) for token in words) | _filling(words),
        polar="" if _POLITE.match(last) else _polar([one for one in tokens(last) if one.kind != "mark"]),
        ordered=_ORDER.search(text) is not None,
        open=_ACCOUNT.match(last) is not None,
        unit=_unit(text),
        ratio=_RATIO.search(text) is not None,
        bounded=_BOUND.search(text) is not None,
        counted=_COUNTED.search(text) is not None,
        denials=_denials({token.folded for token in words}),
        choices=_choices([token.folded for token in words]),
    )


def _filling(words: list[Token]) -> frozenset[str]:
    """What an answer may say for form's sake: something lies, is located or found; in all cases."""
    text = {word.folded for word in words}
    return (_LOCATIVE if "where" in text else frozenset()) | (_TIMES if "often" in text else frozenset())


def _denials(words: set[str]) -> frozenset[str]:
    plain = (word for word in words if word not in AUXILIARIES)
    bases = {base for word in plain for base in (word, stem(word)) if len(base) > 2}
    return frozenset(f"{prefix}{base}" for base in bases for prefix in DENYING) | {
        f"{base}less" for base in bases
    }


def _choices(words: list[str]) -> frozenset[str]:
    places = [place for place, word in enumerate(words) if word == "or"]
    beside = [words[at] for place in places for at in (place - 1, place + 1) if 0 <= at < len(words)]
    return frozenset(stem(word) for word in beside if word not in _ARTICLES)


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
