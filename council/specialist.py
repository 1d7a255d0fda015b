"""One member alone: what it reads, what it is asked to write, what it may cite. No route, no vote.

For those who want a steered model that reads, rather than a council's decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxycouncil.council.questions import Question, cleaned
from proxycouncil.errors import UnknownDomainError
from proxycouncil.graphs.brief import record
from proxycouncil.graphs.citing import cite
from proxycouncil.graphs.structured import asks_for
from proxycouncil.graphs.understand import stand_alone
from proxycouncil.specialists.request import Prompt, Request, Sampling, Snippet

if TYPE_CHECKING:
    from proxycouncil.council.council import Council
    from proxycouncil.graphs.context import CouncilContext, Member
    from proxycouncil.graphs.state import Citation, ExcerptRecord


@dataclass(frozen=True, slots=True)
class Reading:
    """A request of one member, with the excerpts that stand in its prompt."""

    question: str
    request: Request
    excerpts: tuple[ExcerptRecord, ...]
    context: CouncilContext
    """Of the version that it began with; held, so that its expert stays."""

    def citations(self, text: str, council: Council) -> list[Citation]:
        """The excerpts that support what was written; none where none does."""
        found, _ = cite(text, self.question, self.excerpts)
        return [council.placed(citation) for citation in found]


def read(council: Council, member: str, question: Question, *, instruction: str = "") -> Reading:
    """Find what the member reads and say how it is asked; searches, so it blocks.

    Args:
        council: whose member it is.
        member: its name.
        question: with the history that makes it stand alone, and settings of its own.
        instruction: goes before the member's own, for prompt formats that have a place for one.

    Raises:
        UnknownDomainError: no member is called that.
        QuestionError: empty, or too long to be a question.
    """
    text = stand_alone(cleaned(question.text), question.history)
    context = council.context(question.settings)
    seat = context.members.get(member)
    if seat is None:
        raise UnknownDomainError(
            f"no member is called {member!r}", hint=f"members are {', '.join(context.members)}"
        )
    excerpts = tuple(
        record(excerpt)
        for excerpt in context.searcher.slate(
            text,
            domains=seat.domains,
            form=context.settings.slate,
            limit=context.settings.excerpts,
            order=context.settings.order,
        )
    )
    grammar = context.settings.grammar
    parts = (instruction, seat.instruction, asks_for(grammar) if grammar else "")
    instructed = "\n".join(part for part in parts if part)
    request = _request(text, seat, excerpts, context=context, instruction=instructed)
    return Reading(text, request, excerpts, context)


def _request(
    question: str,
    seat: Member,
    excerpts: tuple[ExcerptRecord, ...],
    *,
    context: CouncilContext,
    instruction: str,
) -> Request:
    settings = context.settings
    return Request(
        prompt=Prompt(
            question=question,
            snippets=tuple(Snippet(excerpt["title"], excerpt["text"]) for excerpt in excerpts),
            instruction=instruction,
            shots=context.shots(seat.name, question) if context.shots else (),
        ),
        pairs=seat.pairs,
        sampling=Sampling(
            temperature=settings.temperature,
            max_new_tokens=settings.max_new_tokens,
            stop=settings.stop,
            verbatim=settings.verbatim and settings.grammar is None,
            grammar=settings.grammar,
        ),
        deadline_s=settings.deadline_s,
    )
