"""Messages in, messages out: a conversation as question and history, an answer as a message.

Knows LangChain's messages and the council's answers, and no model. Content is a plain string; the citations
become annotations when somebody asks for `content_blocks` (or sets `output_version="v1"`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.block_translators import register_translator

from proxycouncil.council.questions import Question
from proxycouncil.errors import QuestionError
from proxycouncil.graphs.state import Ballot, Citation, Message, Tally

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.messages import content as blocks

    from proxycouncil.council.events import DecisionEvent

PROVIDER = "proxycouncil"


def conversation(messages: Sequence[BaseMessage]) -> tuple[str, tuple[Message, ...], str]:
    """The last question, the turns before it, and what the system messages instruct.

    Raises:
        QuestionError: the last message that people wrote is missing, or holds no text.
    """
    asked = [index for index, message in enumerate(messages) if isinstance(message, HumanMessage)]
    if not asked or not messages[asked[-1]].text.strip():
        raise QuestionError(
            "there is no human message with text", hint='invoke("What is …?"), or a list ending in one'
        )
    instruction = "\n".join(m.text for m in messages if isinstance(m, SystemMessage) and m.text)
    return messages[asked[-1]].text, tuple(_turns(messages[: asked[-1]])), instruction


def question_of(messages: Sequence[BaseMessage]) -> Question:
    """The conversation as the council is asked; it has no place for system messages."""
    text, history, _ = conversation(messages)
    return Question(text, history=history)


def _turns(messages: Iterable[BaseMessage]) -> Iterable[Message]:
    """Every reply with the question before it."""
    question = ""
    for message in messages:
        if isinstance(message, HumanMessage):
            question = message.text
        elif isinstance(message, AIMessage) and question:
            told = message.response_metadata
            citations = told.get("citations") or [{}]
            yield Message(
                question=question,
                standalone=str(told.get("standalone") or question),
                answer=message.text,
                subject=str(citations[0].get("title", "")),
            )
            question = ""


def usage_of(ballots: Iterable[Ballot]) -> UsageMetadata:
    """Tokens over all members and readings."""
    used = [ballot["usage"] for ballot in ballots if "usage" in ballot]
    return usage(sum(u["prompt_tokens"] for u in used), sum(u["completion_tokens"] for u in used))


def usage(prompt_tokens: int, completion_tokens: int) -> UsageMetadata:
    """LangChain's shape of it."""
    return UsageMetadata(
        input_tokens=prompt_tokens,
        output_tokens=completion_tokens,
        total_tokens=prompt_tokens + completion_tokens,
    )


def decision_metadata(
    decision: DecisionEvent, ballots: Iterable[Ballot], tally: Tally | None, *, model: str
) -> dict[str, Any]:
    """All that stands behind an answer. Sent once a message: merged chunks concatenate strings and lists."""
    decided = decision.model_dump(mode="json", exclude={"v", "type", "question", "text", "thread"})
    return {
        "model_name": model,
        "model_provider": PROVIDER,
        "finish_reason": "stop",
        **decided,
        "ballots": [dict(ballot) for ballot in ballots],
        "tally": None if tally is None else dict(tally),
    }


def before_stop(text: str, stop: Iterable[str]) -> str:
    """The text up to the first stop sequence."""
    ends = [place for one in stop if one and (place := text.find(one)) >= 0]
    return text[: min(ends)] if ends else text


def annotated(citations: Iterable[Citation], *, length: int) -> list[blocks.Annotation]:
    """LangChain's citations; they span the whole answer, whose offsets are absolute."""
    return [
        {
            "type": "citation",
            "id": f"{one['passage_id']}:{one['start']}-{one['end']}",
            "url": _url(one["source"]),
            "title": one["title"],
            "start_index": 0,
            "end_index": length,
            "cited_text": one["quote"],
            "extras": {
                "domain": one["domain"],
                "passage_id": one["passage_id"],
                "source": one["source"],
                "source_start": one["start"],
                "source_end": one["end"],
            },
        }
        for one in citations
    ]


def _url(source: str) -> str:
    path = Path(source)
    return path.as_uri() if path.is_absolute() else source


def _blocks(message: AIMessage) -> list[blocks.ContentBlock]:
    """One text block with the citations; nothing for a chunk that says neither."""
    if not isinstance(message.content, str):
        raise NotImplementedError  # blocks already: langchain-core reads them itself
    told = message.response_metadata
    cited = annotated(told.get("citations") or (), length=_length(message))
    if cited:
        return [{"type": "text", "text": message.content, "annotations": cited}]
    return [{"type": "text", "text": message.content}] if message.content else []


def _length(message: AIMessage) -> int:
    """Of the whole answer: the last chunk carries the citations and none of the text."""
    return int(message.response_metadata.get("text_length") or len(str(message.content)))


def _chunk_blocks(message: AIMessageChunk) -> list[blocks.ContentBlock]:
    return _blocks(message)


register_translator(PROVIDER, _blocks, _chunk_blocks)
