"""What a member is asked in each of its readings: what it reads, and the request to the generator.

A reading can be asked again just as it was, by whoever scores what it would have said. Knows members,
searchers and settings; nothing of ballots.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proxycouncil.graphs.context import CouncilContext, Member
from proxycouncil.graphs.state import ExcerptRecord, Slate
from proxycouncil.graphs.structured import asks_for
from proxycouncil.retrieval.passage import Excerpt
from proxycouncil.specialists.request import Prompt, Request, Sampling, Snippet

_PLACES: Mapping[Slate, int] = {"shared": 0, "own": 1, "disputed": 2}
"""Of a reading among those of its member; draws and orders depend on it."""


@dataclass(frozen=True, slots=True)
class Brief:
    """One reading that is to be made."""

    member: Member
    slate: Slate
    question: str
    given: Sequence[ExcerptRecord]
    """What is read, unless it is the member's own slate."""
    context: CouncilContext

    @property
    def seed(self) -> int:
        """The same for the same member, reading and question, whatever else is asked."""
        key = f"{self.member.name}\0{_PLACES[self.slate]}\0{self.question}"
        return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest())

    async def excerpts(self) -> list[ExcerptRecord]:
        """What is read, in the order in which it is read."""
        if self.slate != "own":
            return list(self.given)
        settings = self.context.settings
        found = await asyncio.to_thread(
            self.context.searcher.slate,
            self.question,
            domains=self.member.domains,
            form=settings.slate,
            limit=settings.own_excerpts or settings.excerpts,
            order=settings.own_order,
            seed=self.seed,
        )
        return [record(excerpt) for excerpt in found]

    async def request(self, excerpts: Sequence[ExcerptRecord]) -> Request:
        """What the generator is asked."""
        settings, shots = self.context.settings, self.context.shots
        return Request(
            prompt=Prompt(
                question=self.question,
                snippets=tuple(Snippet(excerpt["title"], excerpt["text"]) for excerpt in excerpts),
                instruction=self._instruction(),
                shots=await asyncio.to_thread(shots, self.member.name, self.question) if shots else (),
            ),
            pairs=self.member.pairs,
            sampling=Sampling(
                temperature=settings.temperature,
                max_new_tokens=settings.max_new_tokens,
                stop=settings.stop,
                seed=self.seed,
                verbatim=settings.verbatim and settings.grammar is None,
                grammar=settings.grammar,
                may_decline=settings.grammar is not None,
            ),
            deadline_s=settings.deadline_s,
        )

    def _instruction(self) -> str:
        grammar = self.context.settings.grammar
        return "\n".join(part for part in (self.member.instruction, grammar and asks_for(grammar)) if part)


def record(excerpt: Excerpt) -> ExcerptRecord:
    """An excerpt as plain data."""
    passage = excerpt.passage
    made = ExcerptRecord(
        passage_id=passage.id,
        title=passage.title,
        text=excerpt.text,
        source=passage.source,
        start=excerpt.start,
        end=excerpt.end,
        domain=passage.domain,
        score=excerpt.score,
    )
    if passage.place:
        made["place"] = passage.place
    return made
