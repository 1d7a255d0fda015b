"""A question of several parts → its parts, each a question; what one leaves out is taken from the first.

Rules over words, no model. Where they are in doubt the question stays whole: one question torn apart does
more harm than two asked together. Knows no answers; what a part means by "he" is `filling`'s business.
"""

from __future__ import annotations

import re

_WH = r"(?:what(?:['’]?s)?|(?-i:(?!WHO\b))who(?:['’]s)?|whom|whose|when|where|which|why|how)"
_PREPOSITION = r"(?:in|on|at|by|of|for|to|from|with|under|through|about|into|after|since|until)"
_ORDER = r"(?:list|name|say|tell|explain|compare|summari[sz]e)"
_VERB_FIRST = r"(?:is|are|was|were|does|do|did) (?:it|he|she|they|its|his|her|their|the|an?|this|that)"
_ASKS = rf"(?:(?:{_PREPOSITION} )?{_WH}|{_VERB_FIRST})\b(?! to\b)"
_BREAK = re.compile(
    rf"\?\s+(?:and (?:also )?)?(?={_ASKS})|;\s+(?:and )?|,? and (?:also )?(?={_ASKS}|{_ORDER} )",
    re.IGNORECASE,
)
_FRAME = r"(?:(?:in|for|at|on|under|besides|according to) [^,]+, )?"
_BEGINS = re.compile(rf"^{_FRAME}(?:about |roughly )?(?:{_ASKS}|{_ORDER}\b)", re.IGNORECASE)
_ORDERED = re.compile(rf"{_ORDER}\b", re.IGNORECASE)
_BOTH = re.compile(
    r"\b(?:between|both|either|neither|whether|differ|compare[sd]?|difference|versus)\b", re.IGNORECASE
)
_EMBEDDED = re.compile(
    r"\b(?:what|how|why)\b|\b(?:exactly|decid\w+|know\w*|say|says|tells?|shows?) (?:who|where|when|which)\b",
    re.IGNORECASE,
)
_ENDS_OPEN = re.compile(
    r"\b(?:whether|if|what|who|when|where|which|why|how|that|and|or|know|knowing|of|to|about)$", re.IGNORECASE
)
_FOR_ANOTHER = re.compile(
    r"^(?P<lead>.+?) (?P<link>for|of) (?P<one>(?:an?|the) [\w-]+)(?P<rest> .+?)"
    r",? and (?P=link) (?P<other>.+)$",
    re.IGNORECASE,
)
_THE_OF = re.compile(
    r"^(?P<lead>what(?:['’]?s| is| was| are) )the [\w-]+ of .+?(?P<tail> called| named)?,? and "
    r"(?P<other>the [\w-]+ of .+)$",
    re.IGNORECASE,
)
_WH_PHRASE = re.compile(
    rf"^(?P<wh>(?:{_PREPOSITION} )?(?:how (?:many|much|long|far|often|old|big)|which|what))"
    r"(?P<noun> [\w-]+)? (?P<rest>.+)$",
    re.IGNORECASE,
)
_BE = r"(?:is|are|was|were|do|does|did|has|have|had|can|will|would)"
_ONE = re.compile(rf"^(?P<wh>(?:{_PREPOSITION} )?which)(?P<like>(?: [\w-]+)?) ones?\b", re.IGNORECASE)
_ASKED_NOUN = re.compile(rf"^(?:{_PREPOSITION} )?(?:which|what|how many) (?P<noun>[\w-]+)\b", re.IGNORECASE)
_DOING = re.compile(
    r"^(?P<doing>(?:do|does|did|can|would) (?:you|we|they|people|one) [\w-]+) ", re.IGNORECASE
)
_SHORTEST = 3
"""Words of a part; less ("and why?") asks nothing by itself."""


def split_parts(question: str) -> list[str]:
    """The parts in their order, each a sentence of its own; the question alone where it has but one."""
    plain = " ".join(question.split()).strip(" ?.!")
    if not plain:
        return []
    pieces = _elliptical(plain) or _broken(plain)
    completed = pieces[:1]
    for piece in pieces[1:]:
        completed.append(_completed(completed[0], piece))
    return [sentence(piece) for piece in completed]


def sentence(piece: str) -> str:
    """With a capital and a question mark."""
    bare = piece.strip(" ,?.!")
    return f"{bare[:1].upper()}{bare[1:]}?"


def asked_noun(question: str) -> str:
    """What kind of thing is asked for: protocol of "which protocol …"; "" where no noun follows."""
    found = _ASKED_NOUN.match(question)
    return found["noun"] if found and not re.fullmatch(_BE, found["noun"], re.IGNORECASE) else ""


def _broken(question: str) -> list[str]:
    """Cut where a new question begins, unless what stands before would not be one."""
    pieces: list[str] = []
    begin = 0
    for found in _BREAK.finditer(question):
        before = question[begin : found.start()].strip(" ,?")
        if _stands(before, question[found.end() :], joined="and" in found.group().lower()):
            pieces.append(before)
            begin = found.end()
    rest = question[begin:].strip(" ,?")
    if pieces and len(rest.split()) < _SHORTEST:
        return [question]
    return [*pieces, rest]


def _stands(piece: str, rest: str, *, joined: bool) -> bool:
    """Whether a piece is a question by itself, and what "and" joins to it is not part of it."""
    if len(piece.split()) < _SHORTEST or _ENDS_OPEN.search(piece):
        return False
    if not joined:
        return True
    begins = _BEGINS.match(piece)
    if not begins or _BOTH.search(piece) or _EMBEDDED.search(piece, begins.end()):
        return False
    return bool(_ORDERED.match(piece)) or not _ORDERED.match(rest)


def _elliptical(question: str) -> list[str]:
    """Two questions that share their beginning: "the name for a market with …, and for one with …?"."""
    if not re.match(_WH, question, re.IGNORECASE) or _BOTH.search(question):
        return []
    if found := _FOR_ANOTHER.match(question):
        other = re.sub(r"^one\b", found["one"], found["other"])
        if other != found["other"]:
            first = f"{found['lead']} {found['link']} {found['one']}{found['rest']}"
            return [first, f"{found['lead']} {found['link']} {other}"]
    if found := _THE_OF.match(question):
        first, _, _ = question.rpartition(found["other"])
        return [re.sub(r",? and $", "", first), f"{found['lead']}{found['other']}{found['tail'] or ''}"]
    return []


def _completed(first: str, piece: str) -> str:
    """The piece with what it leaves out because the first part said it."""
    noun = asked_noun(first)
    if noun and (one := _ONE.match(piece)):
        single = noun.removesuffix("s") if first.lower().startswith("how many") else noun
        return f"{one['wh']}{one['like']} {single}{piece[one.end() :]}"
    return _with_noun(first, piece) or _with_verb(first, piece) or piece


def _with_noun(first: str, piece: str) -> str | None:
    """So "how many are in a port number" after "how many bits are …" is asked of bits."""
    words = re.match(rf"^((?:{_PREPOSITION} )?(?:how (?:many|much)|which)) (?={_BE} )", piece, re.IGNORECASE)
    if words and first.lower().startswith(words[1].lower() + " ") and (noun := asked_noun(first)):
        return f"{words[1]} {noun} {piece[words.end() :]}"
    return None


def _with_verb(first: str, piece: str) -> str | None:
    """So "what when you …" after "what is it called when …", "at how many in …" get their verb back."""
    mine = _WH_PHRASE.match(piece)
    if mine is None:
        return None
    wh, rest = mine["wh"], f"{mine['noun'] or ''} {mine['rest']}".strip()
    if not first.lower().startswith(wh.lower() + " "):
        return None
    opening = rest.split()[0].lower()
    if opening in ("when", "if") and (place := re.search(rf" {opening} ", first, re.IGNORECASE)):
        return f"{first[: place.start()]} {rest}"
    if re.fullmatch(_PREPOSITION, opening):
        places = list(re.finditer(rf" {_PREPOSITION} (?:an?|the|[A-Z])", first))
        return f"{first[: places[-1].start()]} {rest}" if places else None
    return _with_doing(first, wh, noun=mine["noun"] or "", rest=mine["rest"])


def _with_doing(first: str, wh: str, *, noun: str, rest: str) -> str | None:
    """So "in what unit the activity of …" after "in what unit do you measure …" is measured, too."""
    same = f"{wh}{noun} "
    if not noun or not first.lower().startswith(same.lower()) or not re.match(r"(?:an?|the) ", rest):
        return None
    doing = _DOING.match(first[len(same) :])
    return f"{same}{doing['doing']} {rest}" if doing else None
