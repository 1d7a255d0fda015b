"""The council, or one of its members, as a tool that any agent can consult."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.tools import StructuredTool
from pydantic import BaseModel, Field

from proxycouncil.council.questions import Question

if TYPE_CHECKING:
    from proxycouncil.council.council import Council
    from proxycouncil.council.events import Answer


class Consulted(BaseModel):
    """What an agent fills in."""

    question: str = Field(description="A question that stands alone, in plain words.")


def council_tool(council: Council, *, name: str = "council", member: str | None = None) -> StructuredTool:
    """A tool with `response_format="content_and_artifact"`.

    Content is what the agent reads: the answer with outcome, confidence and numbered sources. The artifact
    is the whole `Answer` as plain data: ballots, tally, citations.

    Args:
        council: whom to ask.
        name: of the tool.
        member: ask this one alone rather than those that the router chooses.
    """
    members = () if member is None else (member,)

    def consult(question: str) -> tuple[str, dict[str, Any]]:
        return told(council.ask(Question(question, members=members)))

    async def aconsult(question: str) -> tuple[str, dict[str, Any]]:
        return told(await council.aask(Question(question, members=members)))

    return StructuredTool.from_function(
        consult,
        coroutine=aconsult,
        name=name,
        description=description_of(council, member),
        args_schema=Consulted,
        response_format="content_and_artifact",
    )


def told(answer: Answer) -> tuple[str, dict[str, Any]]:
    """An answer as text for a model, and whole."""
    decision = answer.decision
    lines = [decision.text or f"The council does not know: {decision.reason}"]
    if decision.text:
        how = "calibrated" if decision.calibrated else "uncalibrated"
        lines.append(f"({decision.outcome}, confidence {decision.confidence:.2f}, {how})")
    lines += [
        f"[{number}] {one['title']} ({one['source']}): “{one['quote']}”"
        for number, one in enumerate(decision.citations, start=1)
    ]
    return "\n".join(lines), answer.model_dump(mode="json")


def description_of(council: Council, member: str | None) -> str:
    """What the council, or one member, is good for: a model chooses its tools by that."""
    known = council.config.specialists
    if member in known:
        covers = known[member].description or known[member].title or member
        return f"Asks a specialist, who answers from its documents with sources. Field: {covers}"
    fields = "; ".join(one.description or one.title or name for name, one in known.items())
    return (
        "Asks a council of specialists, who answer from their documents with sources and say so when they "
        f"do not know. Fields: {fields}"
    )
