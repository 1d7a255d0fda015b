"""OpenAI's chat completions as they stand on the wire: what is asked, what is answered, what is refused.

Knows their shapes and LangChain's messages, and neither HTTP nor the council. Where OpenAI has no place for
something (the decision, dissent, ballots) it stands under `council`, which other clients ignore.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from proxycouncil.errors import (
    CouncilError,
    CouncilFailedError,
    FamilyError,
    LibraryError,
    NotSupportedError,
    UnknownDomainError,
    UsageError,
)

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, AIMessageChunk

_OF_DECISION = (
    "outcome", "confidence", "calibrated", "agreement", "reason", "degraded", "standalone", "dissent",
    "citations", "ballots", "version",
)  # fmt: skip
_REFUSED = ("tools", "functions", "audio", "modalities", "prediction")


class StreamOptions(BaseModel):
    """`stream_options`."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """`POST /v1/chat/completions`. What a council has no use for (`user`, `seed`, penalties) is ignored."""

    model_config = ConfigDict(extra="allow", frozen=True)

    model: str
    messages: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1000)]
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: str | list[str] | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    n: int = 1
    response_format: dict[str, Any] | None = None

    def check(self) -> None:
        """Refuse what can't be done, rather than do something else.

        Raises:
            NotSupportedError: tools, several choices, logprobs of a vote.
        """
        extra = self.model_extra or {}
        for name in _REFUSED:
            if extra.get(name):
                raise NotSupportedError(f"this endpoint takes no {name}", hint=f"leave {name} out")
        kind = (self.response_format or {}).get("type", "text")
        if kind not in ("text", "json_schema") or (kind == "json_schema" and self._schema() is None):
            raise NotSupportedError(
                f"response_format {kind!r} is not supported", hint='"text", or "json_schema" with a schema'
            )
        if self.n != 1:
            raise NotSupportedError("n must be 1", hint="ask again for another answer")
        if self.top_logprobs:
            raise NotSupportedError("top_logprobs are not kept", hint="logprobs of chosen tokens are")

    def arguments(self) -> dict[str, Any]:
        """What a chat model of LangChain is called with."""
        given = {
            "temperature": self.temperature,
            "max_tokens": self.max_completion_tokens or self.max_tokens,
            "stop": [self.stop] if isinstance(self.stop, str) else self.stop,
            "answer_schema": self._schema(),
        }
        return {name: value for name, value in given.items() if value is not None}

    def _schema(self) -> dict[str, Any] | None:
        named = (self.response_format or {}).get("json_schema")
        schema = named.get("schema") if isinstance(named, dict) else None
        return schema if isinstance(schema, dict) else None


@dataclass(frozen=True, slots=True)
class Reply:
    """One completion in the making: what all of its parts have in common."""

    id: str
    created: int
    model: str
    shown: dict[str, Any] = field(default_factory=dict)

    def whole(self, message: AIMessage, *, logprobs: dict[str, Any] | None) -> dict[str, Any]:
        """The answer at once."""
        told = message.response_metadata
        choice = {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": message.text,
                "refusal": None,
                "annotations": _annotations(message),
            },
            "logprobs": logprobs,
            "finish_reason": told.get("finish_reason", "stop"),
        }
        more = {"choices": [choice], "usage": _usage(message), "council": _council(told)}
        return self._frame("chat.completion", more)

    def first(self) -> dict[str, Any]:
        """The chunk that says who speaks."""
        return self._delta({"role": "assistant", "content": ""})

    def part(self, text: str, *, logprobs: dict[str, Any] | None = None) -> dict[str, Any]:
        """Some of the text."""
        return self._delta({"content": text}, logprobs=logprobs)

    def last(self, message: AIMessageChunk, *, logprobs: dict[str, Any] | None) -> dict[str, Any]:
        """The end, with sources and decision; `message` is everything that was streamed."""
        told = message.response_metadata
        delta = {"annotations": cited} if (cited := _annotations(message)) else {}
        finished = self._delta(delta, finish_reason=told.get("finish_reason", "stop"), logprobs=logprobs)
        return {**finished, "council": _council(told)}

    def used(self, message: AIMessageChunk) -> dict[str, Any]:
        """The chunk with the usage, for those who asked for it."""
        return self._frame("chat.completion.chunk", {"choices": [], "usage": _usage(message)})

    def _delta(
        self,
        delta: dict[str, Any],
        *,
        finish_reason: str | None = None,
        logprobs: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        return self._frame("chat.completion.chunk", {"choices": [choice]})

    def _frame(self, kind: str, more: dict[str, Any]) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, **more}


def token_logprobs(texts: Sequence[str], logprobs: Sequence[float]) -> dict[str, Any]:
    """OpenAI's `logprobs`: of the steered distribution, before temperature."""
    content = [
        {"token": text, "logprob": value, "bytes": list(text.encode()), "top_logprobs": []}
        for text, value in zip(texts, logprobs, strict=True)
    ]
    return {"content": content, "refusal": None}


def failure(error: Exception) -> tuple[int, dict[str, Any]]:
    """HTTP status and body of an error, in OpenAI's shape. A fault of ours is not told in detail."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in first["loc"])
        return 400, problem(f"{place}: {first['msg']}", code="invalid_request", param=place)
    if not isinstance(error, CouncilError):
        return 500, problem("the server failed", kind="server_error", code="internal")
    text = f"{error} ({error.hint})" if error.hint else str(error)
    if isinstance(error, UnknownDomainError):
        return 404, problem(text, code="model_not_found", param="model")
    if isinstance(error, UsageError):
        return 400, problem(text, code=error.code)
    status = 503 if isinstance(error, (FamilyError, LibraryError)) else 500
    status = 502 if isinstance(error, CouncilFailedError) else status
    return status, problem(text, kind="server_error", code=error.code)


def problem(
    message: str, *, kind: str = "invalid_request_error", code: str | None = None, param: str | None = None
) -> dict[str, Any]:
    """OpenAI's error object."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _usage(message: AIMessage) -> dict[str, int]:
    used = message.usage_metadata or {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    return {
        "prompt_tokens": used["input_tokens"],
        "completion_tokens": used["output_tokens"],
        "total_tokens": used["total_tokens"],
    }


def _annotations(message: AIMessage) -> list[dict[str, Any]]:
    """Citations as `url_citation`, the only kind that OpenAI's clients know for text."""
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": 0,
                "end_index": len(message.text),
                "url": f"{one['source']}#char={one['start']},{one['end']}",
                "title": one["title"],
            },
        }
        for one in message.response_metadata.get("citations") or ()
    ]


def _council(told: dict[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in _OF_DECISION if name in told}
