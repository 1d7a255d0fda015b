"""Yes/no cases from checked statements: *Yes.* or *No.*, then the sentence that decides it.

Knows the wording of the FEVER records. Knows nothing of files, tokens or models.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Iterator, Sequence

from proxycouncil.specialists.cases import REFUSAL, Case
from proxycouncil.specialists.request import Snippet
from training.corpus import Record
from training.reading import MAX_ANSWER_WORDS, sentences, typed

WITHOUT_EVIDENCE = 0.08
_TO_BE = re.compile(
    r"^(?P<subject>(?:The |[A-Z])[\w'. -]{1,40}?) (?P<verb>is|was|are|were|has|can) (?P<rest>.+)$"
)


def claim_cases(records: Sequence[Record], draw: random.Random) -> Iterator[Case]:
    """One case a record: the statement as a question, its evidence among sentences of other records."""
    for record in records:
        evidence = sentences(record["context"])[:1]
        claim = record["instruction"].partition(": ")[2].rstrip(".")
        if not claim or not evidence or len(evidence[0].split()) > MAX_ANSWER_WORDS:
            continue
        others = [sentences(other["context"])[:1] for other in draw.sample(records, draw.randint(1, 3))]
        rest = [text for found in others for text in found if len(text.split()) < 35]
        refuse = bool(rest) and draw.random() < WITHOUT_EVIDENCE
        texts = rest if refuse else [*evidence, *rest]
        draw.shuffle(texts)
        verdict = record["response"].partition(",")[0]
        yield Case(
            question=typed(_question(claim, draw), draw),
            snippets=tuple(Snippet(_title(text), text) for text in texts),
            answer=REFUSAL if refuse else f"{verdict}. {evidence[0]}",
            group="general",
            entry=f"{zlib.crc32(claim.encode()):08x}",
            source=record["source"],
            license=record["license"],
        )


def _question(claim: str, draw: random.Random) -> str:
    if (match := _TO_BE.match(claim)) and draw.random() < 0.6:
        subject = match["subject"]
        subject = subject[0].lower() + subject[1:] if subject.startswith("The ") else subject
        return f"{match['verb'].capitalize()} {subject} {match['rest']}?"
    return draw.choice((f"Is it true that {claim}?", f"{claim}, right?", f"Is it correct that {claim}?"))


def _title(text: str) -> str:
    """The first run of capitalised words, as an encyclopaedia names its entries."""
    match = re.search(r"[A-Z][\w'-]*(?: [A-Z][\w'-]*)*", text)
    return match[0] if match else text.split(maxsplit=1)[0]
