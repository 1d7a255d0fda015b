"""Fakes for the two protocols of `graphs/protocols.py`, nothing else: a scripted writer, a small finder."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TypeAlias

from proxycouncil.graphs.protocols import SlateForm, SlateOrder
from proxycouncil.retrieval.passage import Affinity, Excerpt, Passage
from proxycouncil.specialists.request import (
    Event,
    FinishReason,
    Generation,
    Prompt,
    Request,
    SteeringTrace,
    TextDelta,
)

REFUSAL = "That is not in the passages."

LIBRARY = {
    "economics": {
        "Opportunity cost": "Opportunity cost is the value of the best alternative given up. It is not cash.",
        "Inflation": "Inflation is a general rise in prices. A central bank fights it with interest rates.",
    },
    "law": {
        "Contract": "A contract is an agreement that courts enforce. It needs offer and acceptance.",
        "Statute of limitations": "A statute of limitations sets the time to bring a suit.",
    },
    "medicine": {
        "Fever": "A fever is a body temperature above 38 degrees Celsius. It helps to fight an infection.",
        "Insulin": "Insulin is a hormone of the pancreas. It lowers the sugar in the blood.",
    },
}
"""Domain → title → text: enough to route, to read and to cite."""


@dataclass(frozen=True, slots=True)
class Script:
    """One reading: what is written, how fast, how surely, and how it ends."""

    text: str = ""
    logprob: float = -0.1
    delay_s: float = 0.0
    """Before each word; lets a test stop or outrun a reading."""
    finish: FinishReason = "stop"
    error: str | None = None
    raises: BaseException | None = None


Reply: TypeAlias = str | Script | BaseException
Replies: TypeAlias = Mapping[str, Reply] | Callable[[str, Request], Reply]


@dataclass
class FakeGenerator:
    """Writes what its script says.

    `replies` is a function of (member, request) or a mapping looked up by `member/question`, then
    `member`, then `*`; without a match the member declines. The member is the first pair's expert,
    "general" where there is none.
    """

    replies: Replies = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    """Everything that was asked, in order."""
    cancelled: list[str] = field(default_factory=list)
    """Members whose reading was given up by the consumer."""

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        self.requests.append(request)
        member = request.pairs[0].expert if request.pairs else "general"
        script = self._script(member, request)
        words = re.findall(r"\S+\s*", script.text)
        try:
            for word in words:
                await asyncio.sleep(script.delay_s)
                yield TextDelta(request.id, word)
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.append(member)
            raise
        if script.raises is not None:
            raise script.raises
        yield _generation(request, script, words)

    def _script(self, member: str, request: Request) -> Script:
        reply = self._reply(member, request)
        if isinstance(reply, BaseException):
            return Script(raises=reply)
        return reply if isinstance(reply, Script) else Script(reply)

    def _reply(self, member: str, request: Request) -> Reply:
        if callable(self.replies):
            return self.replies(member, request)
        keys = (f"{member}/{question_of(request)}", member, "*")
        return next((self.replies[key] for key in keys if key in self.replies), REFUSAL)


def question_of(request: Request) -> str:
    """What the request asks, whatever form its prompt has."""
    return request.prompt.question if isinstance(request.prompt, Prompt) else request.prompt


def _generation(request: Request, script: Script, words: Sequence[str]) -> Generation:
    return Generation(
        request_id=request.id,
        text=script.text,
        token_ids=tuple(range(len(words))),
        logprobs=(script.logprob,) * len(words),
        finish_reason=script.finish,
        trace=SteeringTrace(kl=(0.01,) * len(words)),
        error=script.error,
    )


class FakeSearcher:
    """Finds by shared words in a small dictionary of passages; sources are files under `root` if given."""

    embedder_fingerprint = "fake-embedder"

    def __init__(
        self, library: Mapping[str, Mapping[str, str]] = LIBRARY, *, root: Path | None = None
    ) -> None:
        self.passages = [
            passage for domain in sorted(library) for passage in _passages(domain, library[domain], root=root)
        ]

    @property
    def domains(self) -> tuple[str, ...]:
        return tuple(sorted({passage.domain for passage in self.passages}))

    def affinities(self, question: str) -> dict[str, Affinity]:
        found: dict[str, list[float]] = {domain: [] for domain in self.domains}
        for passage in self.passages:
            found[passage.domain].append(overlap(question, f"{passage.title} {passage.text}"))
        return {domain: _affinity(sorted(scores, reverse=True)) for domain, scores in found.items()}

    def slate(
        self,
        question: str,
        *,
        domains: Sequence[str] | None = None,
        form: SlateForm = "sentences",
        limit: int = 4,
        order: SlateOrder = "best_first",
        seed: int = 0,
    ) -> list[Excerpt]:
        asked = [passage for passage in self.passages if domains is None or passage.domain in domains]
        excerpts = [excerpt for passage in asked for excerpt in _excerpts(passage, question, form)]
        best = sorted(excerpts, key=lambda excerpt: (-excerpt.score, excerpt.passage.id, excerpt.start))[
            :limit
        ]
        if order == "shuffled":
            Random(seed).shuffle(best)
        return best[::-1] if order == "best_last" else best

    def similarity(self, texts: Sequence[str]) -> list[list[float]]:
        return [[overlap(left, right) for right in texts] for left in texts]


def words_of(text: str) -> set[str]:
    """Lower-cased words of more than two letters."""
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) > 2}


def overlap(left: str, right: str) -> float:
    """Shared words over the smaller set, in [0, 1]."""
    first, second = words_of(left), words_of(right)
    return len(first & second) / max(1, min(len(first), len(second)))


def _affinity(scores: Sequence[float]) -> Affinity:
    return Affinity(
        best=scores[0], mean3=sum(scores[:3]) / len(scores[:3]), example=scores[0], bm25=10 * scores[0]
    )


def _passages(domain: str, entries: Mapping[str, str], *, root: Path | None) -> Iterable[Passage]:
    """One Markdown document a domain, each entry a passage at its exact place in it."""
    source, document = f"{domain}.md", f"# {domain.title()}\n"
    if root is not None:
        source = str(root / source)
    for title, text in entries.items():
        document += f"\n## {title}\n\n"
        start = len(document)
        document += f"{text}\n"
        yield Passage(
            id=f"{domain}-{start}",
            text=text,
            title=title,
            heading_path=(domain.title(), title),
            source=source,
            start=start,
            end=start + len(text),
            domain=domain,
        )
    if root is not None:
        Path(source).write_text(document, encoding="utf-8")


def _excerpts(passage: Passage, question: str, form: SlateForm) -> Iterable[Excerpt]:
    spans = [(0, len(passage.text))]
    if form == "sentences":
        spans = [match.span() for match in re.finditer(r"[^.]+\.", passage.text)]
    for start, end in spans:
        text = passage.text[start:end].strip()
        offset = passage.text.index(text, start)
        yield Excerpt(
            passage=passage,
            text=text,
            start=passage.start + offset,
            end=passage.start + offset + len(text),
            score=overlap(question, f"{passage.title} {text}"),
        )
