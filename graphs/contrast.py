"""Fragments that repeat the last question with one thing changed: "and in a vein?", "And UDP?".

Knows the fragment and the subject of the last turn; knows nothing of references by pronoun. Of several ways
to fit a fragment in, the one that changes least wins; where none fits, both are said side by side.
"""

from __future__ import annotations

import re

from proxycouncil.graphs.subject import Subject

_LEAD = re.compile(
    r"^(?:(?:and|but|or|so|then)\b,?\s*)?(?P<about>(?:what|how) about|what if(?= it)|in the case of)?\s*",
    re.IGNORECASE,
)
_PREPOSITIONS = (
    "in on at for from to of with by about into over under during after before without against between"
)
_PREPOSITION = re.compile(rf"^(?:{'|'.join(_PREPOSITIONS.split())})\b", re.IGNORECASE)
_VERBS = re.compile(
    r"(?:^|\s)(?:is|are|was|were|be|been|am|do|does|did|don['’]t|doesn['’]t|didn['’]t|can|can['’]t"
    r"|could|will|won['’]t|would|shall"
    r"|should|may|might|must|has|have|had|what['’]?s|who['’]?s|how['’]?s|it['’]s|isn['’]t"
    r"|aren['’]t)(?=\s|$)",
    re.IGNORECASE,
)
_ASKING = re.compile(
    r"^(?:what|who|whom|whose|which|when|where|why|how|tell|explain|give|name|define)\b", re.IGNORECASE
)
_OPPOSITE = re.compile(r"^the (?:opposite|contrary|reverse|counterpart)$", re.IGNORECASE)
_ONES = re.compile(r"(?:^|.*?[\s,])the (?P<quality>[\w-]+) ones?$", re.IGNORECASE)
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth last".split()
_CLAUSE = re.compile(r"\b(?:who|that|which|whose)\b", re.IGNORECASE)
_TAIL_WORDS = 5
_SHORT_QUESTION = 5


def contrast(question: str, subject: Subject) -> str | None:
    """The last question with the fragment in its place, or None if the question is no such fragment."""
    lead = _LEAD.match(question)
    fragment = question[lead.end() if lead else 0 :].strip().rstrip("?.! ")
    about = bool(lead and lead["about"])
    if not fragment or not (about or _is_fragment(question, fragment)):
        return None
    if _OPPOSITE.match(fragment):
        return f"What is {fragment} of {subject.thing}?"
    return _fitted(fragment, subject, about=about)


def _is_fragment(question: str, fragment: str) -> bool:
    """No verb of its own, and either an "and" in front or a preposition or "the" that leads nowhere."""
    if _VERBS.search(fragment) or _ASKING.match(fragment):
        return False
    connected = fragment != question.strip().rstrip("?.! ")
    return (
        connected
        or bool(_OPPOSITE.match(fragment))
        or bool(_PREPOSITION.match(fragment) and len(fragment.split()) <= 5)
    )


def _fitted(fragment: str, subject: Subject, *, about: bool) -> str:
    question = subject.question
    if ones := _ONES.match(fragment):
        swapped = _swap_quality(ones["quality"], question)
        return f"{swapped}?" if swapped else f"What is {fragment} of {subject.title or subject.thing}?"
    if _PREPOSITION.match(fragment):
        return f"{_swap_phrase(fragment, question)}?"
    swapped = _swap_alike(fragment, question)
    if not swapped and not (about and _CLAUSE.search(fragment)):
        swapped = _swap_subject(fragment, subject) or _swap_last(fragment, question)
    return f"{swapped}?" if swapped else f"{fragment[:1].upper()}{fragment[1:]}: {question}?"


def _swap_quality(quality: str, question: str) -> str | None:
    """As "the last ones" after "the first items"; "the long-sighted ones" after "short-sighted people"."""
    ending = quality.rsplit("-", 1)[-1] if "-" in quality else ""
    for word in re.findall(r"[\w-]+", question):
        same_row = word.lower() in _ORDINALS and quality.lower() in _ORDINALS
        if same_row or (ending and word.lower().endswith("-" + ending.lower())):
            return question.replace(word, quality, 1)
    return None


def _swap_phrase(fragment: str, question: str) -> str:
    """As "in a vein" in place of "in an artery"; behind the question where that has no such phrase."""
    preposition = fragment.partition(" ")[0]
    found = list(re.finditer(rf"\b{preposition}\b\s+(?P<rest>.+)$", question, re.IGNORECASE))
    if found and len(found[-1]["rest"].split()) <= _TAIL_WORDS and found[-1].start() > 0:
        return question[: found[-1].start()] + fragment
    return f"{question} {fragment}"


def _swap_alike(fragment: str, question: str) -> str | None:
    """As "second degree" in place of "first degree", "UDP" in place of "TCP"."""
    new, old = fragment.split(), question.split()
    for at in range(len(old) - len(new) + 1):
        window = old[at : at + len(new)]
        if all(_alike(a, b) for a, b in zip(new, window, strict=True)) and new != window:
            return " ".join([*old[:at], *new, *old[at + len(new) :]])
    return None


def _alike(new: str, old: str) -> bool:
    """The same word, two ordinals, two abbreviations, or one stem under two prefixes."""
    a, b = new.lower(), old.lower()
    if a == b or (a in _ORDINALS and b in _ORDINALS):
        return True
    if new.isupper() and old.isupper() and min(len(new), len(old)) > 1:
        return True
    return min(len(a), len(b)) > 7 and a[-7:] == b[-7:]


def _swap_subject(fragment: str, subject: Subject) -> str | None:
    """The fragment in place of the subject, where the last question names it."""
    name = next((name for name in (subject.thing, subject.title) if name and name in subject.question), "")
    return subject.question.replace(name, fragment, 1) if name else None


def _swap_last(fragment: str, question: str) -> str | None:
    """In place of the last word of a short question: "who discovered radium", "and polonium?"."""
    words = question.split()
    if len(words) > _SHORT_QUESTION or len(fragment.split()) > 2:
        return None
    return " ".join([*words[:-1], fragment])
