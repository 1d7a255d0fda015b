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
    "there itself himself herself themselves".split()
)
_HOLLOW = (
    AUXILIARIES
    | _PRONOUNS
    | frozenset(
        "a an the of at by for with as in on to than and so also too even just very about which "
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
    "only": "only solely exclusively",
    "if": "if unless provided except excluding but although though however until whether",
    "either": "or either",
    "may": "may might could possibly perhaps",
    "must": "must shall required requires mandatory need needs",
    "should": "should ought",
}
_QUALIFIERS = {word: name for name, words in _CLASSES.items() for word in words.split()}
_SILENT = NEGATIONS | _QUALIFIERS.keys()
"""Words that are compared as what they do to an answer, not as what it says."""
_UNIVERSAL = frozenset({"all", "every", "each", "any"})
_BREAKS = frozenset({",", ";", ":", "(", "-"})
_SUBORDINATE = frozenset(
    "because since which who whose whom where although while though unless if but".split()
)
_PREPOSITIONS = frozenset("in on at from for with of to by during after before under over into near".split())
_BE = frozenset("is are was were be been being".split())
_FINITE = AUXILIARIES | _PRONOUNS | {"which", "who", "whom", "where", "when"}
_SIGNS = frozenset("^+<>=/%")
_ITEM_BREAK = re.compile(r"\s*(?:[,;|]\s*(?:and|or)\b|[,;|]|\b(?:and|or)\b|&)\s*", re.IGNORECASE)
_CONJUNCTION = re.compile(r"\b(?:and|or)\b|&|\|", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Content:
    """The words of an answer, stemmed, agents before what they do."""

    words: tuple[str, ...] = ()
    """Those that the question does not already say."""
    order: tuple[str, ...] = ()
    """All of them, the question's as well: who does what to whom."""
    echoes: frozenset[str] = frozenset()
    """The question's words that the answer repeats: of "ice or water?" it may repeat one."""
    head: tuple[str, ...] = ()
    """`words` before the first comma, bracket or subordinate clause."""
    phrase_ends: frozenset[int] = frozenset()
    """Numbers of words of the head after which a phrase may end: "water" is no phrase in "water vapour"."""
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
    return _Reader(tokens, taken, asked).content()


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


class _Reader:
    """One answer's tokens under one question."""

    def __init__(self, tokens: Sequence[Token], taken: Collection[int], asked: Asked) -> None:
        self.tokens = tokens
        self.taken = taken
        self.asked = asked
        self.free = [index for index in range(len(tokens)) if index not in taken]
        self.shouted = not any(character.islower() for token in tokens for character in token.text)
        self.said = [self._means(index) for index in range(len(tokens))]

    def content(self) -> Content:
        """Everything at once."""
        stop = self._head_stop()
        told = self._told()
        new = [index for index in told if stem(self.tokens[index].folded) not in self.asked.stems]
        head = [index for index in new if index < stop]
        letters = [self.tokens[index] for index in self.free if self.tokens[index].kind in ("word", "code")]
        meant = [token for token in letters if token.folded not in _HOLLOW]
        return Content(
            words=self._stems(new),
            order=self._stems(told),
            echoes=frozenset(self._stems(told)) & self.asked.stems,
            head=self._stems(head),
            phrase_ends=frozenset(n for n, index in enumerate(head, start=1) if self._phrase_ends(index)),
            head_stop=stop,
            negations=sum(not self.said[index] and _negates(self.tokens[index]) for index in self.free),
            qualifiers=self._qualifiers(),
            names=self._names(),
            codes=frozenset(token.text for token in letters if token.kind == "code") - self.asked.stems,
            initials="".join(token.folded[0] for token in meant) if len(meant) > 1 else "",
            acronym=_acronym(meant),
        )

    def _head_stop(self) -> int:
        """Where the clause ends that answers: "Venus, at 465 degrees, because …" stops after Venus."""
        said = False
        for index, token in enumerate(self.tokens):
            if said and index not in self.taken and self._breaks(index):
                return index
            new = self._says(index) and stem(token.folded) not in self.asked.stems
            said = said or index in self.taken or new
        return len(self.tokens)

    def _breaks(self, index: int) -> bool:
        word = self.tokens[index].folded
        if word == ".":
            return self._ends_sentence(index)
        if word == "-":
            return not (0 < index < len(self.tokens) - 1 and self.tokens[index - 1].kind == "word")
        if word in ("but", "who"):
            before = self.tokens[max(0, index - 3) : index]
            return not any(token.folded in _UNIVERSAL for token in before)
        return word in _BREAKS or word in _SUBORDINATE

    def _ends_sentence(self, index: int) -> bool:
        """A full stop, but not that of "v." or "J."."""
        return self.tokens[index].text in ".!?" and (index == 0 or len(self.tokens[index - 1].text) > 2)

    def _told(self) -> list[int]:
        """Tokens with a meaning of their own; "was V by X" reads X V, so that active and passive agree."""
        agent: list[int] = []
        rest: list[int] = []
        target, passive = rest, False
        for index in self.free:
            token = self.tokens[index]
            if token.folded == "by" and passive:
                target, passive = agent, False
            elif target is agent and token.text != "-" and (token.kind == "mark" or self._closes(index)):
                target = rest
            passive = passive or token.folded in _BE
            if self._says(index):
                target.append(index)
        return agent + rest

    def _closes(self, index: int) -> bool:
        """A preposition ends an agent."""
        return self.tokens[index].folded in _PREPOSITIONS

    def _says(self, index: int) -> bool:
        return self.said[index]

    def _means(self, index: int) -> bool:
        token = self.tokens[index]
        if token.kind == "mark":
            return token.text in _SIGNS
        word = token.folded
        if word in _HOLLOW:
            return not self.shouted and _stands_out(token, index)
        return word not in _SILENT and not word.endswith("n't") and not (index == 0 and word == "yes")

    def _stems(self, indexes: Sequence[int]) -> tuple[str, ...]:
        return tuple(stem(self.tokens[index].folded) for index in indexes)

    def _phrase_ends(self, index: int) -> bool:
        """Nothing follows, or a mark or hollow word does, or a name is followed by a word that is none."""
        after = index + 1
        if after >= len(self.tokens) or after in self.taken:
            return True
        following = self.tokens[after]
        if following.kind == "mark":
            return following.text != "-"
        if not self._says(after) or stem(following.folded) in self.asked.stems:
            return True
        return self.tokens[index].text[0].isupper() and following.text[0].islower()

    def _qualifiers(self) -> frozenset[str]:
        """Classes of quantity, frequency, condition and modality that the question does not set itself."""
        found = {
            _QUALIFIERS[word] for index in self.free if (word := self.tokens[index].folded) in _QUALIFIERS
        }
        return frozenset(found - {_QUALIFIERS[word] for word in self.asked.stems if word in _QUALIFIERS})

    def _names(self) -> frozenset[str]:
        """Capitalised words, those at the start of a sentence only before another one."""
        if self.shouted:
            return frozenset()
        tokens = self.tokens
        capitals = {n for n in self.free if tokens[n].text[0].isupper() and self._capital(n)}
        names = {
            stem(self.tokens[index].folded)
            for index in capitals
            if index + 1 in capitals or not (index == 0 or self._ends_sentence(index - 1))
        }
        return frozenset(names) - self.asked.stems

    def _capital(self, index: int) -> bool:
        token = self.tokens[index]
        return token.kind == "word" and token.text[0].isupper() and self._says(index)


def _stands_out(token: Token, index: int) -> bool:
    """`WHO`, `IT`, and the A of "vitamin A", are no function words."""
    return token.text.isupper() and (len(token.text) > 1 or (token.text == "A" and index > 0))


def _negates(token: Token) -> bool:
    return token.folded in NEGATIONS or token.folded.endswith("n't")


def _acronym(words: Sequence[Token]) -> str:
    text = words[0].text if len(words) == 1 else ""
    return text.casefold() if 2 <= len(text) <= 6 and text.isalpha() and text.isupper() else ""
