"""What a verbatim reply may say next: a span of the slate, the refusal, or *Yes* or *No* before a span.

Knows a prompt's snippets as the tokens of one prompt format. Refuses to know logits, and which span is
the right one: that is the models' choice.

A span begins and ends where a word or a number does, so that no reply is "192" of "1928" or "can" of
"can't". It crosses neither from one snippet into the next nor from a title into its text. Its first
letter may change case, as it must when a term is taken from the beginning of a sentence. No full stop is
added where a span stops before the end of its sentence: everything in a reply stands in the slate.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from proxycouncil.specialists.cases import REFUSAL
from proxycouncil.specialists.encoding import TextEncoder, clean
from proxycouncil.specialists.prompts import PromptFormat
from proxycouncil.specialists.request import Snippet

OPENINGS = ("Yes.", "Yes,", "No.", "No,")
"""May stand before a span; those with a full stop may also be all of a reply."""

Live: TypeAlias = frozenset[int]
"""Nodes whose token was written last; several where the same words stand in several places."""

BEGINNING: Live = frozenset((0,))
"""Nothing is written yet."""

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
    """Whether a reply may end after each node."""
    end_ids: frozenset[int]
    """Tokens that end a reply."""

    def follow(self, live: Live, token: int) -> Live:
        """The nodes that a token leads to; none after a token that was not allowed."""
        return frozenset(node for at in live for node in self.after[at] if self.tokens[node] == token)

    def allowed(self, live: Live) -> frozenset[int]:
        """Tokens that may come next: never none, since where nothing else may come the end does."""
        following = frozenset(self.tokens[node] for at in live for node in self.after[at])
        ending = not following or any(self.may_end[at] for at in live)
        return following | self.end_ids if ending else following


class Copying:
    """How far one reply has come in its copybook."""

    def __init__(self, book: Copybook) -> None:
        self._book = book
        self._live = BEGINNING
        self._read = 0

    def allowed(self, written: Sequence[int]) -> Collection[int]:
        """Tokens that may come after those written; reads on from where it was last asked."""
        if len(written) < self._read:
            self._live, self._read = BEGINNING, 0
        for token in written[self._read :]:
            self._live = self._book.follow(self._live, token)
        self._read = len(written)
        return self._book.allowed(self._live)


def open_copybook(snippets: Iterable[Snippet], form: PromptFormat, *, end_ids: Iterable[int]) -> Copybook:
    """Everything that may be said of snippets; of none, only the refusal.

    `form` is how the model is asked whose tokens are written, `end_ids` are what ends its texts.
    """
    sheet = _Sheet(form)
    for snippet in snippets:
        sheet.write(clean(snippet.title))
        sheet.write(clean(snippet.text))
    return sheet.bound(frozenset(end_ids))


class _Sheet:
    """A copybook in the making; alike ends of texts are written once."""

    def __init__(self, form: PromptFormat) -> None:
        self._encoder, self._lead = form.encoder, form.lead
        self._tokens: list[int] = [-1]
        self._after: list[tuple[int, ...]] = [()]
        self._may_end: list[bool] = [False]
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
            for opening in OPENINGS:
                starts += self._place(self._whole(opening, may_end=opening.endswith(".")), spans)
        self._after[0] = tuple(starts)
        return Copybook(self._tokens, self._after, self._may_end, end_ids)

    def _whole(self, text: str, *, may_end: bool) -> _Word:
        """A text to be written from its beginning to its end."""
        ids = tuple(self._encoder.data(self._lead + text))
        return _Word(ids, frozenset({len(ids)} if may_end else ()))

    def _place(self, word: _Word, following: tuple[int, ...]) -> tuple[int, ...]:
        """The node where a word begins that these nodes follow; what follows, if the word has no tokens."""
        key = word.ids, following
        if key not in self._places:
            then = following
            for count in range(len(word.ids), 0, -1):
                self._tokens.append(word.ids[count - 1])
                self._after.append(then)
                self._may_end.append(count in word.ends)
                then = (len(self._tokens) - 1,)
            self._places[key] = then
        return self._places[key]


@dataclass(frozen=True, slots=True)
class _Word:
    """The tokens of what stands between two spaces, or of an end of it."""

    ids: tuple[int, ...]
    ends: frozenset[int]
    """After how many of them a reply may end."""


@lru_cache(maxsize=16_384)  # members read much the same passages, and a text has few different words
def _entries(encoder: TextEncoder, chunk: str, lead: str) -> tuple[_Word, ...]:
    """What may begin a span, behind `lead`: the chunk and what begins at a word in it, in either case."""
    breaks = _breaks(chunk)
    ends = [chunk[place:] for place in breaks[:-1] if place == 0 or chunk[place].isalnum()]
    spelled = dict.fromkeys(text for end in ends for text in (end, _recased(end)))
    return tuple(_word(encoder, text, lead) for text in spelled)


def _word(encoder: TextEncoder, text: str, lead: str) -> _Word:
    ids = tuple(encoder.data(lead + text))
    beginnings = [tuple(encoder.data(lead + text[:place])) for place in _breaks(text)[1:-1]]
    # The tokens of what a break cuts off begin the word's own, or else the break lies inside a token.
    ends = (len(one) for one in (*beginnings, ids) if ids[: len(one)] == one)
    return _Word(ids, frozenset(ends))


def _recased(text: str) -> str:
    """The first letter in the other case, but not that of DNA."""
    swapped = text[:1].swapcase()
    return swapped + text[1:] if len(swapped) == 1 and text[1:] == text[1:].lower() else text


def _breaks(chunk: str) -> list[int]:
    """Places, its beginning and its end among them, that are not inside a word or a number."""
    unbroken = {match.start() for match in _UNBROKEN.finditer(chunk)}
    return [place for place in range(len(chunk) + 1) if place not in unbroken]
