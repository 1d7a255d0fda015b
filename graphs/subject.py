"""What the last turn was about: the words that a follow-up's "it", "they", "he" or "there" stand for.

Knows one finished turn of a conversation, its question, answer and the title that it cited; knows nothing of
the question that follows. Pure rules over words, no model: every choice can be read off the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from proxycouncil.graphs.state import Message

_ARTICLE = r"(?:(?:a|an|the)\s+)?"
_DEFINED = re.compile(
    r"^(?:(?:what|who)(?:['’]?s|\s+(?:is|are|was|were))|define|explain|describe|tell me about"
    r"|what (?:do|does|did) (?:the (?:word|term|name) )?(?=\S+(?: \S+){0,3} (?:mean|do|stand for)\b)"
    r"|what do (?:they|you|people|we) mean by|how (?:do|does|did) (?=\S+(?: \S+){0,3} work\b))\s*"
    r"(?!(?:on|in|at|of|for|to|with|from)\b)(?P<name>\S.*?)"
    r"(?:\s+(?:mean|do|does|stand for|work|good for|used for|about|for)\b.*)?$",
    re.IGNORECASE,
)
_ASKS_NAME = re.compile(
    r"\b(?:what|how) (?:do|would|does) (?:you|we|they|people|one|\w+) call\b|\bcalled\b|\bknown as\b"
    r"|\b(?:name|term|word)s? (?:for|of|is|are|do)\b|\bnamed?$",
    re.IGNORECASE,
)
_VERB = (
    r"(?:is|are|was|were|do|does|did|can|could|would|will|should|may|might|must|has|have|had|happens?"
    r"|causes?|makes?)"
)
_ASKS_WHICH = re.compile(
    rf"^(?:which|what) (?!{_VERB}\b|way\b)(?:(?:kind|type|sort) of )?[\w-]+ "
    rf"(?!{_VERB}\b)(?!(?:of|in|on|to)\b)",
    re.IGNORECASE,
)
_ANSWERING_VERB = re.compile(rf"\s+{_VERB}$", re.IGNORECASE)
_PLURAL_ASKED = re.compile(
    r"\bare\b.*\bcalled\b|\bcall (?:people|those|the \w+s)\b|^(?:which|what) \w+s\b", re.I
)
_IS_CALLED = re.compile(
    r"\b(?:is|are|was|were|be) (?:called|known as|named|termed) (?P<name>[^,.;:]+)", re.IGNORECASE
)
_COPULA = re.compile(r"\b(?:is|are|was|were)\b", re.IGNORECASE)
_PAIR = re.compile(r"\b(?:between|compare) (?P<pair>.+ and .+)$", re.IGNORECASE)
_CAPITALISED = re.compile(
    r"(?:[A-Z][\w.'’-]*|\d[\d.,]*)(?:\s+(?:(?:and|de|von|van|of)\s+)?(?:[A-Z][\w.'’-]*|\d+))*"
)
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_NO_NAMES = frozenset(
    "a an the it its in on at by for from to of and but or so as no yes he she they this that these those"
    " there when if because some most many both each one two three".split()
)
_READ = 400
"""Characters of a question or an answer that are looked at."""
_PHRASE_WORDS = 5
_NAME_WORDS = 8


@dataclass(frozen=True, slots=True)
class Subject:
    """What may be meant next. Every field may be ""."""

    question: str
    """The last question as it stood alone, without its question mark."""
    title: str
    """Of the passage that was cited first, cased for the middle of a sentence."""
    thing: str
    """"it", "this", "there"; with the article it had."""
    things: str
    """"they", "these"."""
    person: str
    """"he", "she", "him", "her"."""

    @property
    def known(self) -> bool:
        """Whether there is anything to refer to."""
        return bool(self.thing)


def subject_of(turn: Message) -> Subject:
    """Read the subject off one turn."""
    question = (turn["standalone"] or turn["question"])[:_READ].strip().rstrip("?!. ")
    answer = turn["answer"][:_READ].strip().rstrip(".")
    title = _cased(turn["subject"], question, answer)
    named = _named(question, answer)
    thing = _about(question, answer, title)
    several = bool(_PLURAL_ASKED.search(question))
    person = _person(question, answer)
    return Subject(
        question=question,
        title=title,
        thing=thing if several or not named else _with_title(named, title),
        things=_things(question, person, named if several else "") or _plural(thing),
        person=person,
    )


def _things(question: str, person: str, named: str) -> str:
    """Both of a compared pair, several people, or the plural name that was asked for."""
    if pair := _PAIR.search(question):
        return pair["pair"]
    return person if " and " in person else named


def _plural(thing: str) -> str:
    """What "they" would mean by "a bond": bonds."""
    article, _, noun = thing.partition(" ")
    if article.lower() not in {"a", "an"}:
        return thing
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def _cased(title: str, *texts: str) -> str:
    """The title inside a sentence: as a text of the turn writes it, else by its capitals."""
    for text in texts:
        if found := re.search(rf"(?<=\W){re.escape(title)}(?!\w)", text, re.IGNORECASE):
            return found.group()
    first, _, rest = title.partition(" ")
    proper = first[1:] != first[1:].lower() or rest != rest.lower() or len(first) < 2
    return title if proper else title[:1].lower() + title[1:]


def _about(question: str, answer: str, title: str) -> str:
    """The title as the turn speaks of it, else what a definition was asked of, else the title."""
    found = _DEFINED.match(question)
    defined = found["name"] if found and len(found["name"].split()) <= _PHRASE_WORDS else ""
    if defined and title and _mention(title, defined):
        return _inside(defined)
    written = next((mention for text in (question, answer) if (mention := _mention(title, text))), "")
    return written or _inside(defined) or title


def _mention(title: str, text: str) -> str:
    """The title as the text writes it, plural and article included; "" where it does not."""
    if not title:
        return ""
    found = re.search(
        rf"(?<!\w){_ARTICLE}{re.escape(title.removesuffix('s'))}(?:es|s)?(?!\w)", text, re.IGNORECASE
    )
    return _inside(found.group()) if found else ""


def _inside(phrase: str) -> str:
    """The phrase without a capital that only began its sentence."""
    first, _, rest = phrase.partition(" ")
    return f"{first.lower()} {rest}" if rest and first.lower() in _NO_NAMES else phrase


def _named(question: str, answer: str) -> str:
    """The name that was asked for and given: "hypothyroidism", "Chapter 11"; "" where none was asked for."""
    if _ASKS_NAME.search(question):
        return _given_name(question, answer)
    if _ASKS_WHICH.match(question):
        return _leading_name(answer)
    return ""


def _given_name(question: str, answer: str) -> str:
    if found := _IS_CALLED.search(answer):
        return found["name"].strip()
    if len(answer.split()) <= _PHRASE_WORDS and not _COPULA.search(answer):
        return _inside(answer)
    sides = [side.strip(" ,") for side in _COPULA.split(answer, maxsplit=1)]
    asked = _words(question)
    new = min(sides, key=lambda side: len(_words(side) & asked) / max(1, len(_words(side))))
    return _inside(new) if len(new.split()) <= _NAME_WORDS else ""


def _leading_name(answer: str) -> str:
    """The capitalised words or numbers that the answer begins with, or the whole of a short one."""
    if found := _CAPITALISED.match(answer):
        name = found.group()
        if name.lower() not in _NO_NAMES and (" " in name or name.isupper()):
            return name
    name = _ANSWERING_VERB.sub("", answer)
    return _inside(name) if len(name.split()) <= _PHRASE_WORDS and not _COPULA.search(name) else ""


def _person(question: str, answer: str) -> str:
    """Who was asked for and named; else the first name in the answer, then in the question."""
    for text in (answer, question):
        for found in _CAPITALISED.finditer(text):
            words = [word for word in found.group().split() if word.lower() not in _NO_NAMES or word == "and"]
            name = " ".join(words).removesuffix("'s").removesuffix("’s")
            if len(name) > 1 and not name[0].isdigit() and (found.start() > 0 or " " in name):
                return name
    return ""


def _with_title(name: str, title: str) -> str:
    """The name, and behind it the title it was found under where that says more."""
    if not title or _words(name) & _words(title):
        return name
    return f"{name} ({title})"


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)} - _NO_NAMES
