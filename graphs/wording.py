"""Text as written → text as compared: Unicode, markup, tokens, stems. Knows English, not what is meant."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias, cast

TokenKind: TypeAlias = Literal["ordinal", "date", "version", "number", "code", "word", "mark"]

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+")
_SUPERSCRIPT_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_BEFORE_FRACTION = re.compile(r"(?<=\d)(?=[\u00bc-\u00be\u2150-\u215e])")
_NUMBER_DASH = re.compile(r"(?<=\d)\s*[–—]\s*(?=\d)")
_PLAIN = str.maketrans(
    {"‐": "-", "‑": "-", "−": "-", "⁄": "/", "‘": "'", "’": "'", "“": '"', "”": '"', "×": " x "}
)
_DASH = re.compile(r"\s*[–—]\s*")
_MARKUP = re.compile(r"\*\*|__(?=\W|$)|(?<!\w)__|`|(?m:^\s*(?:#+|>|[-*•])\s+)")
_CITATION_MARK = re.compile(r"\s*\[[^\[\]]{0,60}\]\s*$")
_ONE = re.compile(r"\b(no|every|each|any)[ -]one\b(?! [a-z]+s\b)", re.IGNORECASE)
_OUTER = " \t\"'.,;:!?*_"
_CAMEL = re.compile("[a-z][A-Z]")
_TOKEN = re.compile(
    r"""
      (?P<plain>[^\W\d_]++(?:'[^\W\d_]++)*+(?![\w+\#]|-\d|\.[a-z]))
    | (?P<ordinal>\d+(?:st|nd|rd|th)\b|\d{2,4}s\b)
    | (?P<date>\d{1,4}(?P<sep>[/.-])\d{1,2}(?P=sep)\d{1,4}(?![\w/]|[.-]\d))
    | (?P<version>\d+(?:\.\d+){2,})
    | (?P<number>(?:(?<![\w)])[-+])?
        (?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:[.,]\d+)?|\.\d+)
        (?:[eE][-+]?\d+(?!\w))?)
    | (?P<code>[^\W\d_]+[-_]?\d[\w-]*|\w*_\w+|[^\W\d_]\w*(?:\.[a-z]\w+)+|[A-Z](?:\+\+|\#))
    | (?P<word>[^\W\d_]+(?:'[^\W\d_]+)*)
    | (?P<mark>\S)
    """,
    re.VERBOSE,
)

DENYING = ("un", "in", "il", "im", "ir", "non", "dis")
"""Before a word they deny it: unsafe, illegal."""

ORDINALS = (
    "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
_ORDINAL_SUFFIX = {1: "st", 2: "nd", 3: "rd"}
_ORDINAL_DIGITS = {word: f"{n}{_ORDINAL_SUFFIX.get(n, 'th')}" for n, word in enumerate(ORDINALS)}

_SPELLINGS = (
    (re.compile(r"(?<=...)our(?=s?$|ed$|ing$|al$|able$)"), "or"),
    (re.compile(r"(?<=..)is(?=(?:e[sd]?|ing|ations?)$)"), "iz"),
    (re.compile(r"(?<=..)tre(?=s?$)"), "ter"),
)
"""British and American."""

_IRREGULAR = dict(
    pair.split(":")
    for pair in (
        "shown:show given:give gave:give taken:take took:take made:make held:hold sent:send told:tell "
        "found:find paid:pay said:say led:lead kept:keep left:leave lost:lose built:build written:write "
        "wrote:write known:know knew:know grew:grow grown:grow began:begin begun:begin rose:rise risen:rise "
        "fell:fall fallen:fall drew:draw drawn:draw saw:see seen:see came:come became:become went:go gone:go "
        "driven:drive drove:drive spoken:speak spoke:speak broken:break broke:break chosen:choose "
        "chose:choose won:win ran:run sought:seek brought:bring thought:think taught:teach caught:catch "
        "bought:buy felt:feel met:meet overridden:override vs:v versus:v people:person men:man women:woman "
        "children:child feet:foot mice:mouse analyses:analysis"
    ).split()
)


class Token(NamedTuple):
    """A word, number, code or mark as it stands in the text, and folded for comparison."""

    kind: TokenKind
    text: str
    folded: str


def tidy(text: str) -> str:
    """Compatible characters made one, invisible ones dropped, markup removed; superscripts stay powers.

    `x²` becomes `x^2`, not `x2`; `2½` becomes `2 1/2`; a dash between numbers becomes "to".
    """
    if not text.isascii():
        text = _SUPERSCRIPT.sub(_as_power, _INVISIBLE.sub("", text))
        text = unicodedata.normalize("NFKC", _BEFORE_FRACTION.sub(" ", text))
        text = _DASH.sub(" - ", _NUMBER_DASH.sub(" to ", text.translate(_PLAIN)))
    if _may_hold_markup(text):
        text = _MARKUP.sub("", text)
    text = " ".join(text.split())
    if " one" in text or "-one" in text:
        text = _ONE.sub(_as_pronoun, text)
    return _CITATION_MARK.sub("", text) if text.endswith("]") else text


def _may_hold_markup(text: str) -> bool:
    """Rules most prose out at once: a hyphen inside of a line is no bullet."""
    return "*" in text or "_" in text or "`" in text or "\n" in text or text.lstrip()[:1] in "#>-•"


def fold(text: str) -> str:
    """Tidied text without case, leading article and outer punctuation."""
    return fold_tidied(tidy(text))


def fold_tidied(text: str) -> str:
    """As `fold`, of a text that is tidy already."""
    text = text.casefold()
    previous = ""
    while text != previous:
        previous = text
        text = text.strip(_OUTER)
        for article in ("a ", "an ", "the "):
            text = text.removeprefix(article)
    return text


def tokens(text: str) -> list[Token]:
    """The tokens of a tidied text, in order."""
    return [_token(match.lastgroup or "mark", match.group()) for match in _TOKEN.finditer(text)]


# Words repeat, within an answer and between answers.
@lru_cache(maxsize=16384)
def _token(kind: str, text: str) -> Token:
    if kind in ("plain", "word"):
        return Token("code", text, text) if _CAMEL.search(text) else Token("word", text, text.casefold())
    if kind == "code":
        return Token("code", text, text)
    return Token(cast(TokenKind, kind), text, text.casefold())


def _as_pronoun(match: re.Match[str]) -> str:
    """`no one` is nobody, and "every one of them" is each: neither is a number."""
    return "nobody" if match.group(1).casefold() == "no" else match.group(1)


def _as_power(run: re.Match[str]) -> str:
    return "^" + run.group().translate(_SUPERSCRIPT_DIGITS)


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A light stem: plural, -ed, -ing and final e removed; ordinals as digits ("first" → "1st")."""
    if word in _ORDINAL_DIGITS:
        return _ORDINAL_DIGITS[word]
    word = word.removesuffix("'s").removesuffix("'") or word
    word = _IRREGULAR.get(word, word)
    for british, american in _SPELLINGS:
        word = british.sub(american, word)
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if len(word) > len(ending) + 2 and word.endswith(ending):
            word = _undoubled(word[: -len(ending)])
            break
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def _undoubled(word: str) -> str:
    """`stopp` → `stop`, but `fall` and `miss` as they are."""
    doubled = len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz"
    return word[:-1] if doubled else word
