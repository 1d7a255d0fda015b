"""The name that a question asked for, out of an answer that may be a whole sentence.

"Sweden's Riksbank is the oldest central bank still in existence." names Sweden's Riksbank to who asked for
the oldest central bank. Pure rules over words: what the question did not say itself is what was new.
"""

from __future__ import annotations

import re

from proxycouncil.graphs.parts import asked_noun

_NAME_WORDS = 2
"""An answer of so few words is the name."""
_LONGEST = 7
_COPULA = re.compile(
    r"(?<!which )(?<!that )(?<!who )\b(?:is|are|was|were)\b(?: (?:called|known as|named|termed))?",
    re.IGNORECASE,
)
_CAPITALISED = re.compile(r"(?:[A-Z][\w.'’-]*)(?:\s+(?:(?:de|von|van|of|the|v\.)\s+)?[A-Z][\w.'’-]*)*")
_SENTENCE_END = re.compile(r"(?<=\w\w\w[.!?])\s+(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_LINKS = frozenset(
    "in on at by of for to from with under through about into after since until and or but which who that"
    " where when because while as it its he she they this has have had is are was were be been did does do"
    " can not most also often still then first each as".split()
)
_ARTICLES = frozenset({"a", "an", "the"})


def named_in(question: str, answer: str) -> str:
    """What the answer names; "" where that can't be told. It reads well inside a sentence."""
    plain = _SENTENCE_END.split(answer.strip(), maxsplit=1)[0].rstrip(". ")
    words = _WORD.findall(plain)
    asked = {_stem(word) for word in _WORD.findall(question)} - _LINKS
    if len(words) <= _NAME_WORDS or (len(words) <= _LONGEST and _is_name(plain, words, asked)):
        return _inside(plain)
    for found in (_person, _of_noun, _beside_copula, _first_new):
        if name := found(question, plain, asked):
            return _inside(name)
    return ""


def _is_name(plain: str, words: list[str], asked: set[str]) -> bool:
    """All capitals, or nothing that the question said; in any case no sentence."""
    said = [word for word in words if word.lower() not in _ARTICLES]
    capitals = all(word[0].isupper() or word in _LINKS for word in said)
    return not _COPULA.search(plain) and (capitals or not any(_stem(word) in asked for word in said))


def _person(question: str, plain: str, asked: set[str]) -> str:
    if not re.match(r"(?:who|whom|whose)\b", question, re.IGNORECASE):
        return ""
    names = (found.group() for found in _CAPITALISED.finditer(plain))
    fresh = [
        one
        for one in names
        if not {_stem(word) for word in _WORD.findall(one)} & (asked | _LINKS | _ARTICLES)
    ]
    return next((one for one in fresh if " " in one), fresh[0] if fresh else "")


def _of_noun(question: str, plain: str, _: set[str]) -> str:
    """The asked noun with the name before or behind it: "Fourteenth Amendment", "vitamin K"."""
    if not asked_noun(question):
        return ""
    behind = question.partition(asked_noun(question))[2]
    for noun in (asked_noun(question), *behind.split()[:1]):
        one = re.escape(noun.removesuffix("s"))
        found = re.search(rf"(?:[A-Z][\w'’-]+ )+(?i:{one})\b|(?i:\b{one}) [A-Z0-9][\w.-]*", plain)
        name = found.group() if found else ""
        if name.lower() not in ("", f"the {noun}", f"a {noun}", f"an {noun}") and not (
            noun in behind and name.endswith(f" {noun}")
        ):
            return name
    return ""


def _beside_copula(_: str, plain: str, asked: set[str]) -> str:
    """The side of "is" that says less of what was asked, up to where it goes on."""
    sides = _COPULA.split(plain, maxsplit=1)
    if len(sides) < 2:
        return ""
    first = min(
        (side for side in sides if _WORD.search(side)), key=lambda side: _share(side, asked), default=""
    )
    words: list[str] = []
    for word in first.split():
        if words and word.lower().strip(",") in _LINKS - {"of"}:
            break
        words.append(word)
        if word.endswith((",", ";", ":")):
            break
    return " ".join(words).rstrip(",;: ") if len(words) <= _LONGEST else ""


def _share(side: str, asked: set[str]) -> float:
    words = [_stem(word) for word in _WORD.findall(side) if word.lower() not in _ARTICLES]
    return sum(word in asked for word in words) / max(1, len(words))


def _first_new(_: str, plain: str, asked: set[str]) -> str:
    """The first run of words that the question has not; a name before a thing."""
    runs: list[list[str]] = [[]]
    for word in re.findall(r"[\w'’.-]+|[,;:]", plain):
        goes_on = bool(runs[-1]) and runs[-1][-1][0].isupper() and word[0].isupper()
        if word.lower() in _LINKS or not word[0].isalnum() or (_stem(word) in asked and not goes_on):
            runs.append([])
        else:
            runs[-1].append(word)
    named = [run for run in runs if any(word.lower() not in _ARTICLES and not _is_verb(word) for word in run)]
    capital = [run for run in named if run[0][:1].isupper() and run[0] not in ("The", "A", "An")]
    return " ".join(_without_verbs((capital or named or [[]])[0]))


def _is_verb(word: str) -> bool:
    return word.islower() and word.endswith(("ed", "es")) and len(word) > 3


def _without_verbs(words: list[str]) -> list[str]:
    verbs = [place for place, word in enumerate(words) if _is_verb(word)]
    if verbs and verbs[0] > 0:
        return words[: verbs[0]]
    return words[verbs[-1] + 1 :] if verbs else words


def _stem(word: str) -> str:
    lower = word.lower().removesuffix("'s").removesuffix("’s")
    return lower[:5] if len(lower) > 5 else lower.removesuffix("s")


def _inside(name: str) -> str:
    """Without the article of an unnamed one, and without a capital that only began its sentence."""
    bare = re.sub(r"^(?:an?) ", "", name.strip(), flags=re.IGNORECASE)
    return re.sub(r"^The ", "the ", bare)
