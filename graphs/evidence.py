"""What a ballot may cite: spans that were read and that do not themselves give orders. Knows no models."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from proxycouncil.graphs.state import Ballot, Citation
from proxycouncil.graphs.wording import tidy

_HIDDEN = re.compile("[\u202a-\u202e\U000e0001-\U000e007f]")
"""Characters that reverse or hide text and have no place in a document."""

_ORDERS = re.compile(
    r"<\|[^|>]{1,40}\|>|<!--\s*(?:assistant|system|ai)\b|(?:^|[.!?\]] )(?:system|assistant|user|human)\s*:"
    r"|</?(?:system|assistant|user|instructions?|answer|question|passage|context|prompt|tool\w*)\b[^>]*>"
    r"|[\"'](?:role|answer|content|confidence)[\"']\s*:"
    r"|\b(?:ignore|disregard|forget)\b.{0,30}\b(?:instructions?|questions?|prompts?|above|this and)\b"
    r"|\b(?:system|hidden|secret) (?:prompt|instructions?|message)\b"
    r"|\bonly (?:permitted|allowed|acceptable|valid) answer\b"
    r"|\bwhatever (?:you are|is) asked\b|\bvote for (?:the answer|[\"'])|\bconfidence to \d"
    r"|\byou (?:must|should|will|are to) (?:now )?(?:answer|reply|respond|output|print|write|say)\b"
    r"|(?:^|[.!:;] )(?:always |please |now )?(?:answer|reply|respond|say|output|print)\b.{1,60}\binstead\b"
    r"|(?:^|[.!:;] )(?:always |please |now )?(?:reply|respond) (?:with|that|only)\b"
    r"|\bcite this (?:page|passage|text) as\b|\bgive as your source\b"
    r"|\bcouncil members?\b.{0,30}\b(?:asked|told|ordered|must|should) to\b",
    re.IGNORECASE,
)


# A vote checks the same few quotations many times over.
@lru_cache(maxsize=1024)
def instructs(text: str) -> bool:
    """Whether a text reads as orders to its reader; such a text is no evidence for what it orders.

    A list of tell-tale forms, so it misses some: what protects the council is that text is data, this only
    keeps the plainest orders from being shown as evidence.
    """
    return _HIDDEN.search(text) is not None or _ORDERS.search(tidy(text)) is not None


def checked(ballot: Ballot) -> list[Citation]:
    """The citations that stand: a passage that was read, a quotation that is there, no orders in it."""
    read = set(ballot["passage_ids"])
    return [
        citation
        for citation in ballot["citations"]
        if citation["passage_id"] in read and citation["quote"].strip() and not instructs(citation["quote"])
    ]


def unsupported(ballot: Ballot) -> bool:
    """Whether everything that the ballot cites had to be struck out."""
    return bool(ballot["citations"]) and not checked(ballot)


def distinct(citations: Iterable[Citation]) -> list[Citation]:
    """The citations once each, in the order given."""
    return list({(cited["passage_id"], cited["start"], cited["end"]): cited for cited in citations}.values())
