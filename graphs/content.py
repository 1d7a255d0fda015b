"""What an answer says, in comparable pieces: words in order, head and rest, names, negations, qualifiers.

Knows English grammar by a few closed word classes; parses nothing and decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from proxycouncil.graphs.asked import AUXILIARIES, Asked
from proxycouncil.graphs.wording import Token, stem

NEGATIONS = frozenset(
    "no not never none nobody nothing neither nor without cannot hardly n't nowhere no-one".split()
)
_PRONOUNS = frozenset(
    "it its they them their theirs he him his she her hers we us our you your i me my this that these those "
    "there itself himself herself themselves one's".split()
)
_HOLLOW = (
    AUXILIARIES
    | _PRONOUNS
    | frozenset(
        "a an the of at by for with as in on to from into than and or so also too even just very about which "
        "who whom whose what when where such called named known own get got".split()
    )
)
_CLASSES = {
    "all": "all every each always entire entirely whole",
    "most": "most mostly mainly majority largely",
    "many": "many much numerous",
    "some": "some several sometimes occasionally",
    "few": "few little rarely seldom",
    "usual": "usually normally generally typically commonly often",
    "only": "only solely exclusively alone",
    "if": "if unless provided except excluding but although though however until whether",
    "may": "may might could possibly perhaps",
    "must": "must shall required requires mandatory need needs",
    "should": "should ought",
}
_QUALIFIERS = {word: name for name, words in _CLASSES.items() for word in words.split()}
_UNIVERSAL = frozenset({"all", "every", "each", "any"})
_BREAKS = frozenset({",", ";", ":", "(", "-"})
_SUBORDINATE = frozenset(
    "because since which who whose whom where although while though unless if but".split()
)
_PREPOSITIONS = frozenset("in on at from for with of to by during after before under over into near".split())
_BE = frozenset("is are was were be been being".split())
_FINITE = (AUXILIARIES | _PRONOUNS) - {"one's"}
_ITEM_BREAK = re.compile(r"\s*(?:[,;|]\s*(?:and|or)\b|[,;|]|\b(?:and|or)\b|&)\s*", re.IGNORECASE)
_CONJUNCTION = re.compile(r"\b(?:and|or)\b|&|\|", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Content:
    """The words of an answer that the question does not already say, stemmed, agents first."""

    words: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    """Those before the first comma, bracket or subordinate clause."""
    head_stop: int = 0
    """The token at which the head ends."""
    negations: int = 0
    qualifiers: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    initials: str = ""
    acronym: str = ""


EMPTY = Content()


def content(tokens: Sequence[Token], taken: Collection[int], asked: Asked) -> Content:
    """Read the tokens that no amount or date has taken."""
    stop = _head_stop(tokens, taken, asked)
    free = [index for index in range(len(tokens)) if index not in taken]
    words = _words(tokens, free, asked)
    letters = [tokens[index] for index in free if tokens[index].kind in ("word", "code")]
    named = [token for token in letters if token.folded not in _HOLLOW]
    return Content(
        words=words,
        head=_words(tokens, [index for index in free if index < stop], asked),
        head_stop=stop,
        negations=sum(_negates(tokens[index]) for index in free),
        qualifiers=_qualifiers(tokens, free, asked),
        names=_names(tokens, free, asked),
        codes=frozenset(token.text for token in letters if token.kind == "code") - asked.stems,
        initials="".join(token.folded[0] for token in named) if len(named) > 1 else "",
        acronym=_acronym(named),
    )


def items(text: str) -> tuple[tuple[str, ...], ...]:
    """The members of a list ("a, b and c"), each as stems; empty where the text is no list."""
    if not _CONJUNCTION.search(text) and text.count(",") < 2:
        return ()
    parts = [part.strip() for part in _ITEM_BREAK.split(text.strip(" .")) if part.strip()]
    split = [re.findall(r"[^\W_]+(?:[-'][^\W_]+)*", part.casefold()) for part in parts]
    if len(parts) < 2 or any(not words or len(words) > 5 or _FINITE & set(words) for words in split):
        return ()
    if any(words[0] in _PREPOSITIONS for words in split[1:]):
        return ()
    return tuple(
        tuple(stem(word) for word in words if word not in _HOLLOW) or tuple(words) for words in split
    )


def _head_stop(tokens: Sequence[Token], taken: Collection[int], asked: Asked) -> int:
    """Where the clause ends that answers: "Venus, at about 465 degrees, because …" stops after Venus."""
    said = False
    for index, token in enumerate(tokens):
        ends = token.folded in _BREAKS or token.folded in _SUBORDINATE or (token.text == "." and said)
        if index not in taken and said and ends and not _inside(tokens, index):
            return index
        meaningful = (
            token.kind != "mark" and token.folded not in _HOLLOW and stem(token.folded) not in asked.stems
        )
        said = said or index in taken or (meaningful and not _yes_or_no(token, index))
    return len(tokens)


def _inside(tokens: Sequence[Token], index: int) -> bool:
    """A hyphen within a word, "all but", "everyone who"."""
    word = tokens[index].folded
    if word == "-":
        return 0 < index < len(tokens) - 1 and tokens[index - 1].kind == tokens[index + 1].kind == "word"
    return word in ("but", "who") and any(
        token.folded in _UNIVERSAL for token in tokens[max(0, index - 3) : index]
    )


def _yes_or_no(token: Token, index: int) -> bool:
    return index == 0 and token.folded in ("yes", "no")


def _words(tokens: Sequence[Token], indexes: Sequence[int], asked: Asked) -> tuple[str, ...]:
    """Content stems in order; "was V by X" reads X V, so that active and passive agree."""
    agent: list[str] = []
    rest: list[str] = []
    target, passive = rest, False
    for index in indexes:
        token = tokens[index]
        word = token.folded
        if word == "by" and passive:
            target, passive = agent, False
        elif target is agent and (token.kind == "mark" or word in _PREPOSITIONS):
            target = rest if token.text != "-" else target
        passive = passive or word in _BE
        stemmed = stem(word)
        if _says(token, index) and stemmed not in asked.stems:
            target.append(stemmed)
    return (*agent, *rest)


def _says(token: Token, index: int) -> bool:
    if token.kind == "mark":
        return token.text in "^+<>=/%" and len(token.text) == 1
    word = token.folded
    return (
        word not in _HOLLOW
        and word not in _QUALIFIERS
        and not _negates(token)
        and not _yes_or_no(token, index)
    )


def _negates(token: Token) -> bool:
    return token.folded in NEGATIONS or token.folded.endswith("n't")


def _qualifiers(tokens: Sequence[Token], indexes: Sequence[int], asked: Asked) -> frozenset[str]:
    """Classes of quantity, frequency, condition and modality that the question does not set itself."""
    found = {_QUALIFIERS[word] for index in indexes if (word := tokens[index].folded) in _QUALIFIERS}
    return frozenset(found - {_QUALIFIERS[word] for word in asked.stems if word in _QUALIFIERS})


def _names(tokens: Sequence[Token], indexes: Sequence[int], asked: Asked) -> frozenset[str]:
    """Capitalised words, those at the start of a sentence only before another one."""
    names = set()
    for index in indexes:
        token = tokens[index]
        if token.kind != "word" or not token.text[0].isupper() or token.folded in _HOLLOW:
            continue
        starts = index == 0 or tokens[index - 1].text in (".", "!", "?")
        followed = index + 1 < len(tokens) and tokens[index + 1].text[0].isupper()
        if not starts or followed:
            names.add(stem(token.folded))
    return frozenset(names) - asked.stems


def _acronym(words: Sequence[Token]) -> str:
    text = words[0].text if len(words) == 1 else ""
    return text.casefold() if 2 <= len(text) <= 6 and text.isalpha() and text.isupper() else ""
