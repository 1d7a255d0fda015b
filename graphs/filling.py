"""A part that points back to an earlier one ("and when did he …") gets the answer in place of the words.

Unlike a follow-up in a conversation, the second half of a question nearly always means the first half, so
pronouns are taken to point back unless their own clause explains them. Pure rules over words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from proxycouncil.graphs.naming import named_in
from proxycouncil.graphs.parts import asked_noun

_DUMMY = re.compile(
    r"\bit (?:is |was )?(?:called|when|if|that)\b|\bit (?:\w+ )?(?:rain|snow|seem|take|cost|matter)s?\b"
    r"|\b(?:do|would|did) they (?:call|say|mean|speak|name)\b"
    r"|\b(?:is|was|make|makes|be) it (?:\w+ ){0,2}\w+ (?:to|that|if|when|for|whether)\b",
    re.IGNORECASE,
)
_PERSON = re.compile(r"\b(?:he|him|she)\b", re.IGNORECASE)
_ITS_OWNER = re.compile(r"\b(?:his|her|its|their)\b", re.IGNORECASE)
_THING = re.compile(r"\b(?:it|them|they)\b", re.IGNORECASE)
_THERE = re.compile(
    r"(?<!is )(?<!are )(?<!was )(?<!were )\bthere\b(?! (?:is|are|was|were|be)\b)", re.IGNORECASE
)
_KIND = re.compile(r"\bof (?:that|this) (?:kind|type|sort)\b|\bthe same [\w-]+\b", re.IGNORECASE)
_ONE = re.compile(r"\b(?:in|of|by|to|at|on|for|with) (?P<it>one)(?=\W*$)", re.IGNORECASE)
_WHO = re.compile(r"^who(?:m|se)?\b", re.IGNORECASE)
_DOES = re.compile(
    r"^who (?:(?:was|is) the first to )?"
    r"(?P<verb>[\w-]+(?: (?:up|out|down|with|off|for|on)(?= )){0,2}) (?P<what>.+)$",
    re.IGNORECASE,
)
_DEFINED = re.compile(
    r"^(?:what(?: is| are|['’]?s)|define|explain) "
    r"(?P<what>(?:an? |the (?=[\w'’-]+(?: [\w'’-]+)?$))?"
    r"(?!the\b|an?\b|it\b|called\b)(?:(?!called\b|named\b|of\b|for\b)[\w'’-]+ ?){1,4})$",
    re.IGNORECASE,
)
_CIRCUMSTANCE = re.compile(
    r"^(?:(?:since |until )?(?:when|where|why|how(?! (?:many|much|long|far|old|big|often)\b))"
    r"|(?:in|on|at|during|by) (?:what|which) (?:year|date|day|month|century|time|place|country|city|town)) "
    r"(?P<verb>is|are|was|were|do|does|did|can|could|should) (?P<rest>.+)$"
    r"|^(?P<ask>is|are|was|were|do|does|did|can|could|should) (?P<put>.+)$",
    re.IGNORECASE,
)
"""Asks when, where, why, how or whether: the answer is never what "it" means, the subject is."""
_SUBJECT = re.compile(r"(?:(?i:an?|the) )?(?:[A-Z][\w'’-]*(?: (?:of |the )*[A-Z][\w'’-]*)*|[\w'’-]+)")
_DONE = re.compile(r" (?:\w+ly )?\w+(?:ed|en|own|orn|ung|ilt|ade|ught|uck|ound)\b.*$")
_PRONOUNS = frozenset(
    "it its he she him her his they them their there this that these those you i we one".split()
)
_SAYS_WHO = re.compile(
    r"\b(?:who|whom|whose|someone|somebody|person|people|man|woman|men|women)\b", re.IGNORECASE
)
_CLAUSE = re.compile(
    r"\b(?:when|if|because|while|before|after|and|but|or|until|since|although|that)\b", re.IGNORECASE
)
_CONTENT = re.compile(r"[^\W\d_]{4,}|[A-Z]\w+")
_STOP = frozenset(
    "what when where which whose whom does have been were with from that this many much long".split()
)


@dataclass(frozen=True, slots=True)
class About:
    """What a question itself puts on the table, whatever is answered."""

    thing: str
    """What somebody is asked for having done it to, or what is to be explained."""
    verb: str = ""
    """What was done to it."""


def about(question: str) -> About | None:
    """X-rays of "Who discovered X-rays?", insulin of "What is insulin?" and of "How is insulin made?".

    None where an answer takes its place.
    """
    asked = question.strip().rstrip("?")
    if found := _DOES.match(asked):
        return About(re.sub(r"\s+(?:in|on|at|by) (?:\d.*|the end)$", "", found["what"]), found["verb"])
    if found := _DEFINED.match(asked):
        return About(found["what"])
    if found := _CIRCUMSTANCE.match(asked):
        thing = _subject(found["rest"] or found["put"], found["verb"] or found["ask"])
        return None if thing.lower() in _PRONOUNS else About(thing)
    return None


def _subject(rest: str, verb: str) -> str:
    """What "is made" in "insulin made in the pancreas", what "does work" in "the heart work"."""
    if verb.lower() in ("is", "are", "was", "were") and (cut := _DONE.search(rest)):
        return rest[: cut.start()]
    found = _SUBJECT.match(rest)
    return found.group() if found else rest


def explained(part: str, thing: About) -> str:
    """The part with the first "it" or "them" as what an earlier question was about."""
    text = part
    if thing.verb:
        text = re.sub(r"\b(he|she|they) did(?=\W*$)", rf"\1 {thing.verb} {thing.thing}", text)
    found = _pronoun(text)
    return text if found is None else text[: found.start()] + thing.thing + text[found.end() :]


def refers(part: str, earlier: str) -> bool:
    """Whether a part can't be asked without the answer to an earlier one."""
    return filled(part, earlier, "Somebody") != part


def filled(part: str, earlier: str, answer: str, *, title: str = "") -> str:
    """The part as it reads with the answer; unchanged where it points to nothing.

    Args:
        part: what is asked.
        earlier: the question that it may point back to.
        answer: what was answered to that, a name or a sentence.
        title: of the passage that the answer was cited from, for where the answer names nothing.
    """
    asked = earlier.strip().rstrip("?")
    name = named_in(asked, answer) or title or answer.rstrip(". ")
    text, used = part, False
    for pattern, meant in _pointers(name, asked_noun(asked)):
        text, hit = _replaced(text, pattern, meant)
        used = used or hit
    return text if used else _things(text, name)


def _pointers(name: str, noun: str) -> list[tuple[re.Pattern[str], str]]:
    """What can only mean the answer, or next to nothing else."""
    pointers = [(_PERSON, name), (_THERE, f"in {name}"), (_KIND, name)]
    if noun:
        singular = re.escape(noun.removesuffix("s"))
        pointers.append((re.compile(rf"\b(?:that|this|these|those) {singular}s?\b", re.IGNORECASE), name))
    return [*pointers, (_ONE, _with_article(name))]


def _replaced(text: str, pattern: re.Pattern[str], name: str) -> tuple[str, bool]:
    """The first that its own clause does not explain."""
    for found in pattern.finditer(text):
        start, end = found.span("it" if pattern is _ONE else 0)
        if pattern is not _PERSON or not _names_person(text[:start]):
            return text[:start] + name + text[end:], True
    return text, False


def _things(text: str, name: str) -> str:
    """The answer for "it" and "them", and for whose something is."""
    if found := _pronoun(text):
        meant = name if found.group().lower() == "it" else _plural(name)
        return text[: found.start()] + meant + text[found.end() :]
    owner = _ITS_OWNER.search(text)
    if owner and not _has_owner(text[: owner.start()]):
        return f"{text[: owner.start()]}{name}{'’' if name.endswith('s') else '’s'}{text[owner.end() :]}"
    return text


def _pronoun(text: str) -> re.Match[str] | None:
    return next((one for one in _THING.finditer(text) if not _explained(text, one)), None)


def _explained(text: str, found: re.Match[str]) -> bool:
    if any(one.start() <= found.start() < one.end() for one in _DUMMY.finditer(text)):
        return True
    clauses = [one.start() for one in _CLAUSE.finditer(text, 1, found.start())]
    return bool(clauses) and _has_content(text[: clauses[-1]])


def _has_content(text: str) -> bool:
    return any(word.lower() not in _STOP for word in _CONTENT.findall(text))


def _names_person(before: str) -> bool:
    return bool(_SAYS_WHO.search(before) or re.search(r"\s(?:[A-Z][a-z]+ )?[A-Z][a-z]+", before))


def _has_owner(before: str) -> bool:
    """Whether somebody or something before may own what follows."""
    return _names_person(before) or len([w for w in _CONTENT.findall(before) if w.lower() not in _STOP]) > 1


def _plural(name: str) -> str:
    last = name.rsplit(" ", 1)[-1]
    if not last.islower() or last.endswith("s"):
        return name
    return name[:-1] + "ies" if last.endswith("y") and last[-2:-1] not in "aeiou" else f"{name}s"


def _with_article(name: str) -> str:
    if not name.islower() or re.match(r"(?:an?|the) ", name):
        return name
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
