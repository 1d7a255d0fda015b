"""What an answer says, in comparable pieces: words in order, head and rest, names, negations, qualifiers.

Knows English grammar by a few closed word classes; parses nothing and decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from proxycouncil.graphs.asked import Asked
from proxycouncil.graphs.clause import Clause
from proxycouncil.graphs.listing import Listing, listing
from proxycouncil.graphs.wording import Token, stem
from proxycouncil.specialists.yes_or_no import AUXILIARIES

NEGATIONS = frozenset(
    "no not never none nobody nothing neither nor without cannot hardly n't nowhere no-one lack lacks lacked "
    "lacking absence absent".split()
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
        "who whom whose what when where such called named known own get got one ones".split()
    )
)
_CLASSES = {
    "all": "all every each always entire entirely whole everyone everybody everything",
    "nearly": "nearly almost virtually practically",
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
_STEM = re.compile("[a-z]{3,}?o(?=[a-z]{3})|[a-z]+")
_FEW = 4
_JOINS = frozenset({"and", "or", ","})
_HALVES = {"am": "am", "pm": "pm", "bc": "bc", "bce": "bc", "pairs": "pair"}
"""What changes the number before it: halves of a day, eras, pairs."""
_SIDES = frozenset("before after since until by".split())
"""Of a date: in 1990 is not after 1990."""
_TURNS = _JOINS | _BE | _PREPOSITIONS | {"by"}
_FUNCTION = _HOLLOW | _SILENT | _HALVES.keys() | {"any", "yes"}
_BESIDE = _SIDES | _HALVES.keys()


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
    chosen: frozenset[str] = frozenset()
    """Those of the question's alternatives that the head repeats."""
    initials: str = ""
    combined: str = ""
    """Initials as of a word made of stems: electro-encephalo-gram."""
    acronym: str = ""


EMPTY = Content()


def content(tokens: Sequence[Token], taken: Collection[int], asked: Asked) -> Content:
    """Read the tokens that no amount or date has taken."""
    return _Reader(tokens, taken, asked).content()


def items(text: str, asked: Asked) -> Listing:
    """The members of a list ("a, b and c"); none where the text is no list."""
    return listing(text, asked, finite=_FINITE, prepositions=_PREPOSITIONS, hollow=_HOLLOW)


class _Reader:
    """One answer's tokens under one question."""

    def __init__(self, tokens: Sequence[Token], taken: Collection[int], asked: Asked) -> None:
        self.tokens = tokens
        self.taken = taken
        self.asked = asked
        self.free = [index for index in range(len(tokens)) if index not in taken]
        self.shouted = not any(character.islower() for token in tokens for character in token.text)
        words = [token.text for token in tokens if token.kind == "word"]
        self.formula = len(words) > 1 and max(map(len, words)) == 1
        self.denying = any(_negates(token) for token in tokens)
        self.said = [self._means(index) for index in range(len(tokens))]

    def content(self) -> Content:
        """Everything at once."""
        stop = self._head_stop()
        told = self._told()
        order = self._stems(told)
        new = [n for n, word in zip(told, order, strict=True) if word not in self.asked.stems]
        head = [index for index in new if index < stop]
        letters = [self.tokens[index] for index in self.free if self.tokens[index].kind in ("word", "code")]
        meant = [token for token in letters if token.folded not in _HOLLOW]
        return Content(
            words=self._stems(new),
            order=order,
            echoes=frozenset(order) & self.asked.stems,
            head=self._stems(head),
            phrase_ends=frozenset(n for n, index in enumerate(head, start=1) if self._phrase_ends(index)),
            head_stop=stop,
            negations=self._negations(),
            qualifiers=self._qualifiers(),
            names=self._names(),
            codes=frozenset(token.text for token in letters if token.kind == "code") - self.asked.stems,
            chosen=frozenset(self._stems([index for index in told if index < stop])) & self.asked.choices,
            initials=_initials(meant),
            combined=_combined(meant) if len(meant) <= _FEW else "",
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
            joins = ("word", "number")
            return not (0 < index < len(self.tokens) - 1 and self.tokens[index - 1].kind in joins)
        if word in ("but", "who"):
            before = self.tokens[max(0, index - 3) : index]
            return not any(token.folded in _UNIVERSAL for token in before)
        return word in _BREAKS or word in _SUBORDINATE

    def _ends_sentence(self, index: int) -> bool:
        """A full stop, but not that of "v." or "J."."""
        return self.tokens[index].text in ".!?" and (index == 0 or len(self.tokens[index - 1].text) > 2)

    def _told(self) -> list[int]:
        """Tokens with a meaning of their own, agents before what they do: "X was V by Y" reads Y V X."""
        clause = Clause(self._rank)
        told: list[int] = []
        for index in self.free:
            token = self.tokens[index]
            if token.kind == "mark" and token.text in ".;:":
                told += clause.read()
                clause = Clause(self._rank)
            elif token.kind == "mark" or token.folded in _TURNS:
                self._turn(clause, token)
            if self.said[index]:
                clause.add(index)
        return told + clause.read()

    def _turn(self, clause: Clause, token: Token) -> None:
        """What a mark or a function word changes in a clause."""
        word = token.folded
        if word in _JOINS:
            clause.join(listed=word != ",")
        elif word == "by" and clause.passive:
            clause.agent_begins()
        elif clause.in_agent and word != "-" and (token.kind == "mark" or word in _PREPOSITIONS):
            clause.agent_ends()
        if word in _BE:
            clause.verb_begins()

    def _rank(self, index: int) -> str:
        return "" if self.asked.ordered else stem(self.tokens[index].folded)

    def _negations(self) -> int:
        """How often it denies; "No, it is not" denies once."""
        found = [
            index
            for index in self.free
            if not self.said[index]
            and (_negates(self.tokens[index]) or self.tokens[index].folded in self.asked.denials)
        ]
        opens = len(found) > 1 and found[0] == 0 and self.tokens[0].folded == "no"
        return len(found) - (opens and self.tokens[1].kind == "mark")

    def _says(self, index: int) -> bool:
        return self.said[index]

    def _means(self, index: int) -> bool:
        token = self.tokens[index]
        if token.kind == "mark":
            return token.text in _SIGNS or (token.text == "-" and (self.formula or self._charges(index)))
        word = token.folded
        if word not in _FUNCTION:
            return not word.endswith("n't") and word not in self.asked.denials
        if word in _HALVES and index > 0 and index - 1 in self.taken:
            return False
        if word in _HOLLOW:
            return self.formula or (not self.shouted and _stands_out(token, index))
        if word == "any":
            return not self.denying
        return word not in _SILENT and not (index == 0 and word == "yes")

    def _charges(self, index: int) -> bool:
        """A minus behind the last word of a phrase: an ion, a blood group, a grade."""
        after = self.tokens[index + 1] if index + 1 < len(self.tokens) else None
        return index > 0 and self.tokens[index - 1].kind != "mark" and (after is None or after.kind == "mark")

    def _stems(self, indexes: Sequence[int]) -> tuple[str, ...]:
        return tuple(stem(self.tokens[index].folded) for index in indexes)

    def _phrase_ends(self, index: int) -> bool:
        """Nothing follows, or a mark or hollow word does, or a name is followed by a word that is none."""
        after = index + 1
        if after >= len(self.tokens) or after in self.taken:
            return True
        if self.tokens[index].folded.endswith(("'s", "s'")):
            return False
        following = self.tokens[after]
        if following.kind == "mark":
            return following.text != "-" and following.text not in _SIGNS
        if not self._says(after) or stem(following.folded) in self.asked.stems:
            return True
        return self.tokens[index].text[0].isupper() and following.text[0].islower()

    def _qualifiers(self) -> frozenset[str]:
        """Classes of quantity, frequency, condition and modality that the question does not set itself."""
        found = {
            "some" if self._a_few(index) else _QUALIFIERS[word]
            for index in self.free
            if (word := self.tokens[index].folded) in _QUALIFIERS and not self._at_all(index)
        }
        near = (index for index in self.free if self.tokens[index].folded in _BESIDE)
        beside = {name for index in near if (name := self._beside_a_number(index))}
        asked = {_QUALIFIERS.get(word, word) for word in self.asked.stems}
        return frozenset((found | beside) - asked)

    def _a_few(self, index: int) -> bool:
        """Some; "few" alone is hardly any."""
        return self.tokens[index].folded == "few" and index > 0 and self.tokens[index - 1].folded == "a"

    def _at_all(self, index: int) -> bool:
        """`not at all` says no more than "not"."""
        return self.tokens[index].folded == "all" and index > 0 and self.tokens[index - 1].folded == "at"

    def _beside_a_number(self, index: int) -> str:
        """`pm` after a number, "after" before one: which half of the day, which side of the date."""
        word = self.tokens[index].folded
        if index > 0 and index - 1 in self.taken and word in _HALVES:
            return _HALVES[word]
        return word if word in _SIDES and index + 1 in self.taken else ""

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


def _initials(words: Sequence[Token]) -> str:
    """Of several words; "(CNS)" behind the words that it stands for is none of them."""
    letters = "".join(token.folded[0] for token in words)
    bare = letters[:-1] if len(words) > 2 and words[-1].folded == letters[:-1] else letters
    return bare if len(words) > 1 else ""


def _combined(words: Sequence[Token]) -> str:
    """`eeg` of "electroencephalogram": Greek and Latin stems are joined by an o."""
    parts = [part for token in words for part in _STEM.findall(token.folded)]
    return "".join(part[0] for part in parts) if len(parts) > len(words) else ""


def _acronym(words: Sequence[Token]) -> str:
    text = words[0].text if len(words) == 1 else ""
    return text.casefold() if 2 <= len(text) <= 6 and text.isalpha() and text.isupper() else ""
