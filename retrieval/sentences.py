"""Where sentences begin and end in a text. Knows abbreviations, decimals and initials; knows no languages.

A sentence ends at . ! ? … or their CJK kin (with closing quotes or brackets) before white space and a
beginning, or at a blank line, list item or table row. When in doubt it goes on: an excerpt that is too long
is still true, half a sentence may not be.
"""

from __future__ import annotations

import re

Span = tuple[int, int]

_NEVER_LAST = frozenset(
    "mr mrs ms dr prof rev hon st gen col capt lt sgt gov sen rep pres messrs vs v e.g i.e cf viz approx "
    "fig figs eq eqs sec ch vol no nos pp p ed eds art arts para".split()
)
"""Abbreviations that stand before something; none of them ends a sentence."""

_SELDOM_LAST = frozenset("etc inc ltd co corp jr sr al ca a.m p.m u.s u.k u.n e.u d.c ph.d b.c a.d".split())
"""These end a sentence where a word that opens one follows."""

_OPENERS = frozenset(
    "a an the this that these those it its he she they we you i in on at by for from to with when while if "
    "as although because since after before most many some each every both all no not there here however "
    "but and or so what who why how one two such its their his her our congress a".split()
)
_NUMBERED = frozenset(
    {"no", "nos", "fig", "figs", "eq", "eqs", "sec", "ch", "vol", "pp", "p", "art", "arts", "para"}
)

_STOP = re.compile(r"""(?P<stop>[.!?…]+)["'”’)\]»]*(?=\s)\s+|(?P<cjk>[。！？]+[」』”’）]*)\s*""")
_BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*+•|>]|\d{1,3}[.)])\s)")
_OPENING_MARKS = "([\"'“‘«"
_LONGEST_WORD = 40
_FIRST_WORD = re.compile(r"[\"'“‘«(\[]*([\w’']+)")


def sentence_spans(text: str) -> list[Span]:
    """Spans of the sentences, in order, without surrounding white space; together they hold all else."""
    spans: list[Span] = []
    block_start = 0
    for block in [*_BLOCK.finditer(text), None]:
        block_end = block.start() if block else len(text)
        spans.extend(_in_block(text, block_start, block_end))
        block_start = block.end() if block else block_end
    return spans


def sentence_texts(text: str) -> list[str]:
    """The sentences themselves."""
    return [text[start:end] for start, end in sentence_spans(text)]


def _in_block(text: str, start: int, end: int) -> list[Span]:
    spans: list[Span] = []
    for stop in _STOP.finditer(text, start, end):
        if stop["cjk"] or _ends_here(text, stop, start, end):
            spans.append(_trimmed(text, start, stop.end()))
            start = stop.end()
    spans.append(_trimmed(text, start, end))
    return [(first, last) for first, last in spans if first < last]


def _ends_here(text: str, stop: re.Match[str], start: int, end: int) -> bool:
    following = _FIRST_WORD.match(text, stop.end(), end)
    word = following[1] if following else ""
    if word[:1].islower():
        return False
    if stop["stop"] != ".":
        return True
    before = text[max(start, stop.start() - _LONGEST_WORD) : stop.start()].rsplit(None, 1)
    if not before:
        return True
    opens = len(before) == 1 and stop.start() - start < _LONGEST_WORD
    return _may_end(before[-1].lstrip(_OPENING_MARKS), word, opens=opens)


def _may_end(written: str, following: str, *, opens: bool) -> bool:
    """May a full stop after this word end the sentence, where `following` comes next?

    `opens`: the word is the sentence's first.
    """
    lower = written.lower()
    if lower in _NUMBERED:
        return not following[:1].isdigit()
    if lower in _NEVER_LAST:
        return False
    is_initial = len(written) == 1 and written.isupper() and (written != "I" or opens)
    if is_initial or lower in _SELDOM_LAST or re.fullmatch(r"(?:\w\.)+\w", written):
        return not following or following.lower() in _OPENERS
    return True


def _trimmed(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))
