"""Questions that a passage answers in its own words, made by rule: English sentences of known shapes.

Knows a title and a text. Whether a question is good enough to keep is decided elsewhere
(`question_making`); a rule here may be wrong as long as that check can see it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from proxycouncil.retrieval.sentences import sentence_texts

Kind: TypeAlias = Literal["definition", "term", "name", "number", "cloze", "several", "model"]

GAP = "____"
LONGEST_ANSWER = 40
"""Words: a longer reply never counts as right (`specialists/questions.py`)."""

_COPULA = r"(?:is|are|was|were|means|refers to|denotes)"
_DEFINITION = re.compile(rf"^((?:An?|The)\s+)?([\w'’\- ]{{2,60}}?)\s+({_COPULA})\s+(.+?)[.]?$", re.DOTALL)
_CLAUSE = re.compile(r",|;|:| (?:that|which|who|whose|where|when|because|so that|such as|and|but|in order) ")
_ARTICLE = re.compile(r"^(?:an?|the)\s+", re.IGNORECASE)
_NAME = r"[A-Z][\w'’.\-]+(?: (?:of|de|van|von|the|and) [A-Z][\w'’.\-]+| [A-Z][\w'’.\-]+)*"
_PERSON = rf"{_NAME.replace('*', '+', 1)}"
_DID = re.compile(rf"^(?:The [a-z\- ]{{3,40}} )?({_NAME}) ((?:first )?[a-z]+ed) (.+?)[.]?$", re.DOTALL)
_DONE_BY = re.compile(
    rf"^(.{{3,80}}?) (was|were) ((?:first )?\w+(?:ed|en|own|ought|aid|ade|ilt)) by ({_NAME})"
)
_IN_YEAR = re.compile(
    r"^(.{3,80}?) (was|were) (\w+ed|\w+en|built|made|set up) (?:[^,.]{0,60}? )?in (\d{4})\b"
)
_LINKS = r"(?:in|of|for|and|or|with|to|on|at|by|from|that|which|per|as)"
_HOW_MANY = re.compile(
    r"^(.{2,60}?) (has|have|had|contains?|holds?) (?:about |around |some |up to |at least )?"
    r"(\d[\d,.]*|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve) "
    rf"([a-z][a-z\-]+(?: (?!{_LINKS}\b)[a-z]+)?)\b"
)
_NUMBER = re.compile(r"(?<![\w.,/-])\d[\d,]*(?:\.\d+)?(?: ?(?:%|percent|million|billion))?(?![\w/-]|\.\d)")
_INNER_NAME = re.compile(rf"(?<=[a-z,] )({_NAME})")
_POINTING = frozenset("it they this that these those he she its their such there here".split())
_PARTICLES = frozenset("van von de der den di da del la le el bin ibn al".split())
_JOINING = frozenset(
    "if when while although though because since once after before until unless as for in on at by with "
    "from to of and but or so also thus then however below above among between within during what which who "
    "where why how not".split()
)
"""What begins a clause or a phrase begins no term."""
_NO_KIND = frozenset(
    "not that how when if so very more most as at by for from in of on to under what".split()
)
_SHORTEST, _LONGEST = 6, 40
"""Words of a sentence that is asked about: less says too little, more asks too much."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question that a passage may answer."""

    kind: Kind
    question: str
    answer: str
    accepted: tuple[str, ...]
    evidence: str
    """The sentence or sentences that it was made from; a leak is told by them."""


def candidates(title: str, text: str) -> Iterator[Candidate]:
    """Every question that the rules find in a passage."""
    sentences = [" ".join(one.split()) for one in sentence_texts(text)]
    whole = [one for one in sentences if _SHORTEST <= len(one.split()) <= _LONGEST and one.endswith(".")]
    for sentence in whole:
        yield from _definition(title, sentence)
        yield from _facts(sentence)
        yield from _gaps(title, sentence)
    yield from _several(title, text)


def _definition(title: str, sentence: str) -> Iterator[Candidate]:
    found = _DEFINITION.match(sentence)
    if not found or _points(sentence) or found[2].split(maxsplit=1)[0].lower() in _JOINING:
        return
    term, verb, told = found[2].strip(), found[3], found[4]
    gist = gist_of(told)
    if not gist or len(term.split()) > 5 or not _says_what(told, named=_same(term, title)):
        return
    was = verb if verb in ("is", "are", "was", "were") else "is"
    article = (found[1] or "").lower()
    yield Candidate("definition", f"What {was} {article}{_lowered(term)}?", sentence, (gist,), sentence)
    if _same(term, title):
        asked = f"What do you call {_first_part(told.rstrip('.'))}?"
        yield Candidate("term", asked, _lowered(term), (term,), sentence)


def _facts(sentence: str) -> Iterator[Candidate]:
    if _points(sentence):
        return
    if found := _DONE_BY.match(sentence):
        asked = f"By whom {found[2]} {_lowered(found[1])} {found[3]}?"
        yield Candidate("name", asked, found[4].rstrip("."), (found[4].rstrip("."),), sentence)
    elif (found := _DID.match(sentence)) and " " in found[1] and not _points(found[3]):
        name = found[1].rstrip(".")
        yield Candidate("name", f"Who {found[2]} {_first_part(found[3])}?", name, (name,), sentence)
    if found := _IN_YEAR.match(sentence):
        asked = f"In which year {found[2]} {_lowered(found[1])} {found[3]}?"
        yield Candidate("number", asked, found[4], (found[4],), sentence)
    if found := _HOW_MANY.match(sentence):
        does = "did" if found[2] == "had" else "does" if found[2].endswith("s") else "do"
        verb = "have" if found[2] in ("has", "had", "have") else found[2].removesuffix("s")
        asked = f"How many {found[4]} {does} {_lowered(found[1])} {verb}?"
        number = found[3].rstrip(".,")
        yield Candidate("number", asked, number, (number,), sentence)


def _gaps(title: str, sentence: str) -> Iterator[Candidate]:
    """The first number, and the first name within: left out of the sentence."""
    about = f"{title}: " if _points(sentence) else ""
    number = _NUMBER.search(sentence)
    names = _INNER_NAME.finditer(sentence)
    name = next((one for one in names if _is_whole(one[0], sentence[: one.start()])), None)
    for kind, found in (("number", number), ("cloze", name)):
        if found is None:
            continue
        filling = found[0].rstrip(".,")
        gapped = sentence[: found.start()] + GAP + sentence[found.start() + len(filling) :]
        asked = f"What belongs in the gap? {about}{gapped}"
        yield Candidate(kind, asked, filling, (filling,), sentence)  # type: ignore[arg-type]


def _is_whole(name: str, before: str) -> bool:
    """Whether a name neither goes on from the word before (Philip …, van …) nor ends in an initial."""
    previous = before.rsplit(maxsplit=1)[-1]
    return len(name.rsplit(maxsplit=1)[-1].rstrip(".,")) > 1 and not (
        (previous[0].isupper() and len(before.split()) == 1) or previous in _PARTICLES
    )


def _several(title: str, text: str) -> Iterator[Candidate]:
    """A definition and the sentence that goes on about it; only both of them together are right."""
    spans = sentence_texts(text)
    if len(spans) < 2:
        return
    first, second = spans[0], spans[1]
    start = text.find(first)
    both = text[start : text.find(second, start) + len(second)]
    found = _DEFINITION.match(" ".join(first.split()))
    gist = gist_of(" ".join(second.split()))
    if not found or not _same(found[2], title) or not gist or len(both.split()) > LONGEST_ANSWER:
        return
    asked = f"What {'are' if found[3] == 'are' else 'is'} {(found[1] or '').lower()}{_lowered(found[2])}, "
    yield Candidate("several", asked + "and what else is said about it?", both, (gist,), both)


def gist_of(told: str) -> str:
    """What a reply must repeat: the first clause without its article, two to seven words of it."""
    clause = _CLAUSE.split(_ARTICLE.sub("", told.strip()))[0].strip(" .")
    words = clause.split()[:7]
    while words and words[-1].lower() in {
        "of",
        "in",
        "for",
        "to",
        "by",
        "with",
        "a",
        "an",
        "the",
        "at",
        "on",
    }:
        words.pop()
    return " ".join(words) if len(words) >= 2 else ""


def _says_what(told: str, *, named: bool) -> bool:
    """Whether this is a kind of thing, rather than what is done with it or not so."""
    if re.match(r"an? |the |one |two |three |any ", told):
        return True
    first = told.split(maxsplit=1)[0]
    return named and first not in _NO_KIND and not first.endswith(("ed", "en", "ing", "ly", "ble", "ful"))


def _first_part(told: str) -> str:
    """Without a second statement that is joined to it."""
    return re.split(r", (?:and|but) ", told)[0]


def _points(sentence: str) -> bool:
    """Whether it says what it is about only together with what stands before it."""
    return sentence.split(maxsplit=1)[0].lower() in _POINTING


def _same(term: str, title: str) -> bool:
    return term.lower().rstrip("s") == title.lower().rstrip("s")


def _lowered(text: str) -> str:
    """Without the capital of a sentence's beginning; names and abbreviations keep theirs."""
    first, _, rest = text.partition(" ")
    name = not first[1:].islower() or any(word[0].isupper() for word in rest.split())
    keeps = name and len(first) > 1 and not _ARTICLE.match(text)
    return text if keeps else text[:1].lower() + text[1:]
