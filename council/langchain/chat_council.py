"""`ChatCouncil`: a council as a LangChain chat model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from proxycouncil.council.events import BallotEvent, CouncilEvent, DecisionEvent, VoteEvent
from proxycouncil.council.langchain.base import CouncilChatModel
from proxycouncil.council.langchain.messages import (
    PROVIDER,
    before_stop,
    decision_metadata,
    question_of,
    usage_of,
)
from proxycouncil.council.langchain.tracing import async_tracer, tracer
from proxycouncil.errors import CouncilAbstainedError, CouncilFailedError

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.messages import BaseMessage

    from proxycouncil.council.questions import Question
    from proxycouncil.graphs.state import Ballot, Tally

COUNCIL = "council"


class ChatCouncil(CouncilChatModel):
    """The council answers the last human message, in the light of those before it.

    ```python
    from proxycouncil.council.langchain import ChatCouncil

    model = ChatCouncil()  # the starter; ChatCouncil(origin="council.toml"), ChatCouncil(council=mine)
    message = model.invoke("What is opportunity cost?")
    print(message.text, message.response_metadata["confidence"])
    ```

    Where the council does not know, the message says so (`response_metadata["outcome"]` is `abstain`), or
    with `raise_on_abstain` it raises, so that `with_fallbacks` can ask somebody else.

    What streams is the decision, whole, because no word of it is known before the vote; what the members
    write before comes as custom events `council.member.token`.
    """

    model: str = COUNCIL
    """`council`: the router chooses; otherwise names of members with commas."""
    raise_on_abstain: bool = False

    @property
    def _llm_type(self) -> str:
        return "proxycouncil"

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Iterator[ChatGenerationChunk]:
        question, model = self._question(messages, stop, kwargs)
        heard, spans = _Heard(raises=self._raises(kwargs)), tracer(run_manager, self.callbacks)
        try:
            with closing(self._council().stream(question)) as events:
                for event in events:
                    heard.take(event)
                    spans.take(event)
        except BaseException as error:
            spans.break_off(error)
            raise
        yield from self._chunks(heard, question, model)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> AsyncIterator[ChatGenerationChunk]:
        question, model = self._question(messages, stop, kwargs)
        heard, spans = _Heard(raises=self._raises(kwargs)), async_tracer(run_manager, self.callbacks)
        try:
            async with aclosing(self._council().astream(question)) as events:
                async for event in events:
                    heard.take(event)
                    await spans.take(event)
        except BaseException as error:
            await spans.break_off(error)
            raise
        for chunk in self._chunks(heard, question, model):
            yield chunk

    def _question(
        self, messages: list[BaseMessage], stop: list[str] | None, given: dict[str, Any]
    ) -> tuple[Question, str]:
        model = str(given.get("model") or self.model)
        members = () if model == COUNCIL else tuple(name.strip() for name in model.split(","))
        settings = self._run_settings(stop, given)
        return replace(question_of(messages), members=members, settings=settings), model

    def _raises(self, given: dict[str, Any]) -> bool:
        return bool(given.get("raise_on_abstain", self.raise_on_abstain))

    def _chunks(self, heard: _Heard, question: Question, model: str) -> Iterator[ChatGenerationChunk]:
        """The answer in one piece, then everything that is sent once."""
        stops = question.settings.stop if question.settings else None
        text = before_stop(_text(heard.decided, raises=heard.raises), stops or ())
        yield ChatGenerationChunk(
            message=AIMessageChunk(content=text, response_metadata={"model_provider": PROVIDER})
        )
        metadata = decision_metadata(heard.decided, heard.ballots, heard.tally, model=model)
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                response_metadata={**metadata, "text_length": len(text)},
                usage_metadata=usage_of(heard.ballots),
                chunk_position="last",
            )
        )


def _text(decision: DecisionEvent, *, raises: bool) -> str:
    if decision.outcome == "error":
        raise CouncilFailedError(decision.reason, hint="response_metadata of the others tells more")
    if decision.outcome == "abstain" and raises:
        raise CouncilAbstainedError(decision.reason, hint="with_fallbacks() can ask somebody else")
    return decision.text or f"The council does not know: {decision.reason}"


@dataclass(slots=True)
class _Heard:
    """What the events of one question said; `raises` where it would not know."""

    raises: bool
    ballots: list[Ballot] = field(default_factory=list)
    tally: Tally | None = None
    decision: DecisionEvent | None = None

    def take(self, event: CouncilEvent) -> None:
        """One more event."""
        match event:
            case BallotEvent():
                self.ballots.append(event.ballot)
            case VoteEvent():
                self.tally = event.tally
            case DecisionEvent():
                self.decision = event

    @property
    def decided(self) -> DecisionEvent:
        """The decision, which ends every stream."""
        if self.decision is None:
            raise CouncilFailedError("the council's stream ended without a decision")
        return self.decision
