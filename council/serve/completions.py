"""A request becomes the words of a chat model: `council`, or one member. Knows no HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from time import time
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from langchain_core.messages import AIMessageChunk, convert_to_messages

from proxycouncil.council.langchain import ChatCouncil, ChatProxyTuned
from proxycouncil.council.langchain.chat_council import COUNCIL
from proxycouncil.council.serve.wire import ChatRequest, Reply, failure, token_logprobs
from proxycouncil.errors import NotSupportedError, UnknownDomainError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from langchain_core.messages import BaseMessage

    from proxycouncil.council.council import Council
    from proxycouncil.council.serve.metrics import Metrics


class Completions:
    """Answers by the models of one council."""

    def __init__(self, council: Council, metrics: Metrics) -> None:
        self._council = council
        self._metrics = metrics

    @property
    def models(self) -> tuple[str, ...]:
        """`council` and every member."""
        return (COUNCIL, *self._council.members)

    async def whole(self, request: ChatRequest) -> dict[str, Any]:
        """The answer at once; raises what went wrong."""
        merged = None
        async for chunk in self._chunks(request):
            merged = chunk if merged is None else merged + chunk
        return _reply(request).whole(self._done(merged), logprobs=self._logprobs(request, merged))

    async def stream(self, request: ChatRequest) -> AsyncGenerator[str, None]:
        """Server-sent events. What goes wrong before the first is raised, afterwards it is one of them."""
        reply, merged = _reply(request), None
        chunks = self._chunks(request)
        async with aclosing(cast("AsyncGenerator[AIMessageChunk, None]", chunks)):
            try:
                async for chunk in chunks:
                    if merged is None:
                        yield _event(reply.first())
                    merged = chunk if merged is None else merged + chunk
                    if chunk.text:
                        yield _event(reply.part(chunk.text))
            except Exception as error:
                if merged is None:
                    raise
                yield _event(failure(error)[1])
                return
        done = self._done(merged)
        yield _event(reply.last(done, logprobs=self._logprobs(request, done)))
        if request.stream_options.include_usage:
            yield _event(reply.used(done))
        yield "data: [DONE]\n\n"

    async def _chunks(self, request: ChatRequest) -> AsyncIterator[AIMessageChunk]:
        request.check()
        model = self._model(request)
        # `_astream`'s public twin; LangChain's tracing by environment variable works here too.
        async for chunk in model.astream(_messages(request), **request.arguments()):
            yield chunk

    def _model(self, request: ChatRequest) -> ChatCouncil | ChatProxyTuned:
        if request.model not in self.models:
            raise UnknownDomainError(
                f"no model is called {request.model!r}", hint=f"models are {', '.join(self.models)}"
            )
        if request.model != COUNCIL:
            return ChatProxyTuned(council=self._council, model=request.model)
        if request.logprobs:
            raise NotSupportedError("a vote has no logprobs", hint="ask one member for them")
        return ChatCouncil(council=self._council)

    def _done(self, merged: AIMessageChunk | None) -> AIMessageChunk:
        if merged is None:
            raise RuntimeError("a chat model streamed nothing")
        self._metrics.answered(merged.response_metadata, cast("dict[str, Any]", merged.usage_metadata))
        return merged

    def _logprobs(self, request: ChatRequest, merged: AIMessageChunk | None) -> dict[str, Any] | None:
        if not request.logprobs or merged is None:
            return None
        told, family = merged.response_metadata, self._council.family
        ids = told["token_ids"]
        tokenizer = family.tokenizer if family else None
        texts = [str(tokenizer.decode([one])) if tokenizer else str(one) for one in ids]
        return token_logprobs(texts, told["logprobs"])


def _messages(request: ChatRequest) -> list[BaseMessage]:
    try:
        return convert_to_messages(request.messages)
    except (ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise UsageError(f"messages: {error}", hint="each has a role and a content") from error


def _reply(request: ChatRequest) -> Reply:
    return Reply(f"chatcmpl-{uuid4().hex}", int(time()), request.model)


def _event(fields: dict[str, Any]) -> str:
    return f"data: {json.dumps(fields)}\n\n"
