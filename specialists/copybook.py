"""What a verbatim reply may say next: a span of the slate, the refusal, or *Yes* or *No* where they answer.

Knows a prompt's snippets as the tokens of one prompt format. Refuses to know logits, and which span is
the right one: that is the models' choice.

A span begins and ends where a word or a number does, so that no reply is "192" of "1928" or "can" of
"can't". It crosses neither from one snippet into the next nor from a title into its text. Its first
letter may change case, as it must when a term is taken from the beginning of a sentence. No full stop is
added where a span stops before the end of its sentence: everything in a reply stands in the slate.

A span that holds nothing but words of the question answers nothing (*London* to "Which profession in London
…?"): it has to go on until it says something else, and can't be begun where it never would. A question that
offers its own answers ("a fruit or a vegetable?") is not held to that.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from proxycouncil.specialists.cases import REFUSAL
from proxycouncil.specialists.encoding import TextEncoder, clean
from proxycouncil.specialists.prompts import PromptFormat
from proxycouncil.specialists.request import Snippet
from proxycouncil.specialists.yes_or_no import may_be_yes_or_no

OPENINGS = ("Yes.", "Yes,", "No.", "No,")
"""May stand before a span where they can answer; those with a full stop may also be all of a reply."""

Live: TypeAlias = frozenset[tuple[int, bool]]
"""Nodes whose token was written last, several where the same words stand in several places, and whether the
way there says something that the question does not."""

BEGINNING: Live = frozenset(((0, False),))
"""Nothing is written yet."""

_WORD = re.compile(r"\w+")
_PLURAL = re.compile(r"(?<=\w{3})(?:e?(?<!s)s|e)$")
_HOLLOW = frozenset(
    "a an and are as at be been by for from had has have in into is it its of on or s so that the their "
    "these this those to was were which with".split()
)
"""Words that say nothing by themselves; the s is that of a possessive."""
_OFFERS = re.compile(r"\b(?:or|between|which of|one of)\b", re.IGNORECASE)

_UNBROKEN = re.compile(
    r"(?<=\w)(?=\w)"
    r"|(?<=\d)(?=[.,:]\d)|(?<=\d[.,:])(?=\d)|(?<=^[-−])(?=\d)"  # 1,000.5, 12:30, -5
    r"|(?<=\w)(?=['’](?!s\b)\w)|(?<=\w['’])(?=\w)"  # can't; but "Moore's" may end before 's
)
"""Places inside a word or a number, where no span begins or ends."""


@dataclass(frozen=True, slots=True)
class Copybook:
    """All replies that a slate allows, as nodes with one token each; node 0 is the beginning of a reply."""

    tokens: Sequence[int]
    """Of each node."""
    after: Sequence[tuple[int, ...]]
    """Nodes that may follow each node."""
    may_end: Sequence[bool]
    """Whether a reply may end after each node, once it says something."""
    tells: Sequence[bool]
    """Whether a reply that ends after each node says something by the word that the node is of."""
    leads: Sequence[bool]
    """Whether one that has said nothing before each node can go on from it to an end that says something."""
    end_ids: frozenset[int]
    """Tokens that end a reply."""

    def follow(self, live: Live, token: int) -> Live:
        """The nodes that a token leads to; none after a token that was not allowed."""
        return frozenset(
            (node, told or self.tells[node])
            for node, told in self._following(live)
            if self.tokens[node] == token
        )

    def allowed(self, live: Live) -> frozenset[int]:
        """Tokens that may come next: never none, since where nothing else may come the end does."""
        following = frozenset(self.tokens[node] for node, _ in self._following(live))
        ending = not following or any(told and self.may_end[at] for at, told in live)
        return following | self.end_ids if ending else following

    def _following(self, live: Live) -> Iterator[tuple[int, bool]]:
        for at, told in live:
            yield from ((node, told) for node in self.after[at] if told or self.leads[node])


class Copying:
    """How far one reply has come in its copybook."""

    def __init__(self, book: Copybook) -> None:
        self._book = book
        self._read: list[int] = []
        self._lives: list[Live] = [BEGINNING]
        """Before the first token and behind each one that was read."""

    def allowed(self, written: Sequence[int]) -> Collection[int]:
        """Tokens that may come after those written; reads on from where that parts from what was read."""
        known = 0
        for token, read in zip(written, self._read, strict=False):
            if token != read:
                break
            known += 1
        del self._read[known:], self._lives[known + 1 :]
        for token in written[known:]:
            self._read.append(token)
            self._lives.append(self._book.follow(self._lives[-1], token))
        return self._book.allowed(self._lives[-1])


def open_copybook(
    snippets: Iterable[Snippet], form: PromptFormat, *, end_ids: Iterable[int], question: str = ""
) -> Copybook:
    """Everything that may be said of snippets to a question; of none, only the refusal.

    `form` is how the model is asked whose tokens are written, `end_ids` are what ends its texts.
    """
    asked = None if not question or _OFFERS.search(question) else _words(question)
    sheet = _Sheet(form, asked, polar=not question or may_be_yes_or_no(question))
    for snippet in snippets:
        sheet.write(clean(snippet.title))
        sheet.write(clean(snippet.text))
    return sheet.bound(frozenset(end_ids))


class _Sheet:
    """A copybook in the making; alike ends of texts are written once."""

    def __init__(self, form: PromptFormat, asked: frozenset[str] | None, *, polar: bool) -> None:
        """`asked`: the question's words, which say nothing; None: everything says something.

        `polar`: *Yes* and *No* may answer it.
        """
        self._encoder, self._lead, self._asked = form.encoder, form.lead, asked
        self._openings = OPENINGS if polar else ()
        self._tokens: list[int] = [-1]
        self._after: list[tuple[int, ...]] = [()]
        self._may_end: list[bool] = [False]
        self._tells: list[bool] = [False]
        self._leads: list[bool] = [True]
        self._places: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[int, ...]] = {}
        self._starts: dict[str, dict[int, None]] = {self._lead: {}, " ": {}}
        """Nodes where a span begins, by what stands before it: of a whole reply, or after *Yes*."""

    def write(self, text: str) -> None:
        """Add a text, from its end, so that what follows a word is there before it."""
        following: tuple[int, ...] = ()
        for chunk in reversed(text.split()):
            for lead, starts in self._starts.items():
                for word in _entries(self._encoder, chunk, lead):
                    starts.update(dict.fromkeys(self._place(word, following)))
            following = self._place(_entries(self._encoder, chunk, " ")[0], following)

    def bound(self, end_ids: frozenset[int]) -> Copybook:
        """The finished copybook."""
        starts = [*self._starts[self._lead], *self._place(self._whole(REFUSAL, may_end=True), ())]
        spans = tuple(self._starts[" "])
        if spans:
            for opening in self._openings:
                starts += self._place(self._whole(opening, may_end=opening.endswith(".")), spans)
        self._after[0] = tuple(starts)
        return Copybook(self._tokens, self._after, self._may_end, self._tells, self._leads, end_ids)

    def _whole(self, text: str, *, may_end: bool) -> _Word:
        """A text to be written from its beginning to its end; it says something by itself."""
        ids = tuple(self._encoder.data(self._lead + text))
        return _Word(ids, frozenset({len(ids)} if may_end else ()), {len(ids): None})

    def _place(self, word: _Word, following: tuple[int, ...]) -> tuple[int, ...]:
        """The node where a word begins that these nodes follow; what follows, if the word has no tokens."""
        key = word.ids, following
        if key not in self._places:
            then = following
            for count in range(len(word.ids), 0, -1):
                self._tokens.append(word.ids[count - 1])
                self._after.append(then)
                self._may_end.append(count in word.ends)
                self._tells.append(word.tells(count, self._asked))
                self._leads.append(self._tells[-1] or any(self._leads[node] for node in then))
                then = (len(self._tokens) - 1,)
            self._places[key] = then
        return self._places[key]


@dataclass(frozen=True, slots=True)
class _Word:
    """The tokens of what stands between two spaces, or of an end of it."""

    ids: tuple[int, ...]
    ends: frozenset[int]
    """After how many of them a reply may end."""
    said: Mapping[int, frozenset[str] | None]
    """What has been said after that many; None: enough, whatever was asked."""

    def tells(self, count: int, asked: frozenset[str] | None) -> bool:
        """Whether something that was not asked has been said by then."""
        if count not in self.said:
            return False
        said = self.said[count]
        return asked is None or said is None or not said <= asked


@lru_cache(maxsize=16_384)  # members read much the same passages, and a text has few different words
def _entries(encoder: TextEncoder, chunk: str, lead: str) -> tuple[_Word, ...]:
    """What may begin a span, behind `lead`: the chunk and what begins at a word in it, in either case."""
    breaks = _breaks(chunk)
    ends = [chunk[place:] for place in breaks[:-1] if place == 0 or chunk[place].isalnum()]
    spelled = dict.fromkeys(text for end in ends for text in (end, _recased(end)))
    return tuple(_word(encoder, text, lead) for text in spelled)


def _word(encoder: TextEncoder, text: str, lead: str) -> _Word:
    ids = tuple(encoder.data(lead + text))
    beginnings = {place: tuple(encoder.data(lead + text[:place])) for place in _breaks(text)[1:-1]}
    # The tokens of what a break cuts off begin the word's own, or else the break lies inside a token.
    said = {len(one): _words(text[:place]) for place, one in beginnings.items() if ids[: len(one)] == one}
    said[len(ids)] = _words(text)
    return _Word(ids, frozenset(said), said)


def _words(text: str) -> frozenset[str]:
    """The words that say something, without the endings that make a plural."""
    words = (word for word in _WORD.findall(text.casefold()) if word not in _HOLLOW)
    return frozenset(_PLURAL.sub("", word) for word in words)


def _recased(text: str) -> str:
    """The first letter in the other case, but not that of DNA."""
    swapped = text[:1].swapcase()
    return swapped + text[1:] if len(swapped) == 1 and text[1:] == text[1:].lower() else text


def _breaks(chunk: str) -> list[int]:
    """Places, its beginning and its end among them, that are not inside a word or a number."""
    unbroken = {match.start() for match in _UNBROKEN.finditer(chunk)}
    return [place for place in range(len(chunk) + 1) if place not in unbroken]
