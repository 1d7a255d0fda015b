"""`ChatProxyTuned`: one member of a council as a LangChain chat model, its text as it is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from proxycouncil.council.langchain.base import CouncilChatModel
from proxycouncil.council.langchain.messages import PROVIDER, conversation, usage
from proxycouncil.council.questions import Question
from proxycouncil.council.specialist import Reading, read
from proxycouncil.errors import CouncilFailedError
from proxycouncil.specialists.request import Generation, TextDelta

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.messages import BaseMessage

    from proxycouncil.specialists.request import Event

_FINISH = {"stop": "stop", "length": "length"}


class ChatProxyTuned(CouncilChatModel):
    """A specialist (`model` is its name): the base steered by its expert, reading its own collection.

    ```python
    from proxycouncil.council.langchain import ChatProxyTuned

    for chunk in ChatProxyTuned(model="economics").stream("What is inflation?"):
        print(chunk.text, end="")
    ```

    Tokens stream as they are written. Nothing is voted on: no confidence, no abstention.
    """

    model: str
    """Name of a member."""

    @property
    def _llm_type(self) -> str:
        return "proxycouncil-member"

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ANN401
    ) -> Iterator[ChatGenerationChunk]:
        telling = _Telling(self, self._read(messages, stop, kwargs), str(kwargs.get("model") or self.model))
        with closing(self._council().write(telling.reading.request)) as events:
            for event in events:
                yield telling.chunk(event)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ANN401
    ) -> AsyncIterator[ChatGenerationChunk]:
        reading = await asyncio.to_thread(self._read, messages, stop, kwargs)
        telling = _Telling(self, reading, str(kwargs.get("model") or self.model))
        async with aclosing(self._council().awrite(reading.request)) as events:
            async for event in events:
                yield telling.chunk(event)

    def _read(self, messages: list[BaseMessage], stop: list[str] | None, given: dict[str, Any]) -> Reading:
        text, history, instruction = conversation(messages)
        question = Question(text, history=history, settings=self._run_settings(stop, given))
        return read(self._council(), str(given.get("model") or self.model), question, instruction=instruction)


@dataclass(slots=True)
class _Telling:
    """Events of the engine as chunks; what was written is kept for its citations."""

    chat: ChatProxyTuned
    reading: Reading
    model: str
    written: list[str] = field(default_factory=list)

    def chunk(self, event: Event) -> ChatGenerationChunk:
        """One event as a chunk; the generation is the last."""
        if isinstance(event, TextDelta):
            return self._text(event.text)
        if event.finish_reason == "error":
            raise CouncilFailedError(f"{self.model} failed: {event.error}", hint="`council doctor` looks")
        return self._last(event)

    def _text(self, text: str) -> ChatGenerationChunk:
        # Prompts end before a space that every answer begins with.
        shown = text if self.written else text.lstrip()
        if shown:
            self.written.append(shown)
        return ChatGenerationChunk(
            message=AIMessageChunk(content=shown, response_metadata={"model_provider": PROVIDER})
        )

    def _last(self, generation: Generation) -> ChatGenerationChunk:
        text = "".join(self.written)
        citations = self.reading.citations(text, self.chat._council())  # noqa: SLF001 (its own helper)
        kl = generation.trace.kl
        metadata = {
            "model_name": self.model,
            "model_provider": PROVIDER,
            "finish_reason": _FINISH.get(generation.finish_reason, generation.finish_reason),
            "standalone": self.reading.question,
            "version": self.reading.context.version,
            "citations": [dict(citation) for citation in citations],
            "text_length": len(text),
            "token_ids": list(generation.token_ids),
            "logprobs": list(generation.logprobs),
            "kl": sum(kl) / len(kl) if kl else None,
        }
        return ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                response_metadata=metadata,
                usage_metadata=usage(generation.prompt_tokens, len(generation.token_ids)),
                chunk_position="last",
            )
        )
