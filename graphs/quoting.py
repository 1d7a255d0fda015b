"""How long an answer its question wants, and when a member that is unsure may cast an excerpt instead.

A question for an account (what is, why, how, is it so) is answered by a sentence; one for a name, number or
date only by a few words, so a long sentence that holds them somewhere is no answer to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from proxycouncil.graphs.asked import asked
from proxycouncil.graphs.state import ExcerptRecord

_ACCOUNT = re.compile(
    r"\b(?:why|whats|what's|meaning|what does the (?:word|term)|define|explain|describe|how come"
    r"|what happens|what makes)\b"
    r"|\bwhat (?:exactly )?(?:is|are)\b|\bhow is that possible\b|\bwhat \w[^,?]* (?:is|are)\b\W*(?:$|,)"
    r"|\bwhat (?:does|do|did) .*\b(?:say|tell|tell (?:you|us|me)|measure|refer to|mean|cause|change|do)\W*$"
    r"|\bhow (?:does|do) .*\bwork\b|\bwhat causes\b|\bin (?:what|which) way\b|\bfor (?:what|which) reason\b"
    r"|\b(?:definition|overview)\b",
    re.IGNORECASE,
)
_NAMING = re.compile(
    r"\b(?:call|called|named|name|year|date|number)\b|(?<!what does the )\b(?:term|word)\b", re.IGNORECASE
)
_FEWEST_OF_A_SENTENCE = 6
_WORDS_OF_A_SENTENCE = 40
_WORDS_OF_A_NAME = 12


def wants_account(question: str) -> bool:
    """Whether a sentence is a fitting answer, rather than a name, number or date."""
    form = asked(question)
    return form.open or bool(form.polar) or bool(_ACCOUNT.search(question) and not _NAMING.search(question))


def fits(question: str, answer: str) -> bool:
    """Whether an answer is as long as the question wants it: a sentence, or a name, number or date."""
    words = len(answer.split())
    if not wants_account(question):
        return words <= _WORDS_OF_A_NAME
    return words <= _WORDS_OF_A_SENTENCE and (words >= _FEWEST_OF_A_SENTENCE or bool(asked(question).polar))


def quotable(question: str, excerpts: Sequence[ExcerptRecord]) -> ExcerptRecord | None:
    """The best ranked excerpt, if it is short enough for what the question wants."""
    if not excerpts:
        return None
    best = max(excerpts, key=lambda excerpt: excerpt["score"])
    limit = _WORDS_OF_A_SENTENCE if wants_account(question) else _WORDS_OF_A_NAME
    return best if len(best["text"].split()) <= limit else None
