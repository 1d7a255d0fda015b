"""What both chat models share: whom they talk to, the standard parameters, serialisation, what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import agenerate_from_stream, generate_from_stream
from langchain_core.outputs import ChatResult
from pydantic import Field, field_validator, model_validator

from proxycouncil.council.langchain.opening import STARTER, chosen_council
from proxycouncil.errors import NotSupportedError
from proxycouncil.graphs.run_settings import RunSettings

if TYPE_CHECKING:
    from typing import Self

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.load.serializable import SerializedConstructor, SerializedNotImplemented
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool

    from proxycouncil.council.council import Council

_TOOL_ARGUMENTS = ("tools", "functions", "response_format")


class CouncilChatModel(BaseChatModel):
    """Base of `ChatCouncil` and `ChatProxyTuned`.

    A model that was given its `council` as an object can be serialised where that council came from a
    council.toml or is the starter.
    """

    origin: str = STARTER
    """`starter`, or the path of a council.toml; its council is shared within the process."""
    council: Any = Field(default=None, exclude=True, repr=False)
    """A `Council` to talk to instead."""
    temperature: float | None = None
    max_tokens: int | None = None
    """Length of one reading in tokens."""
    timeout: float | None = None
    """Seconds for one reading."""
    stop: list[str] | None = None
    streaming: bool = False
    settings: dict[str, Any] = Field(default_factory=dict)
    """Fields of `RunSettings`: α by member, members, thresholds, budget."""

    @field_validator("settings")
    @classmethod
    def _checked(cls, settings: dict[str, Any]) -> dict[str, Any]:
        RunSettings.model_validate(settings)
        return settings

    @model_validator(mode="after")
    def _name_the_origin(self) -> Self:
        if self.council is not None:
            self.origin = self.council.origin
        return self

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Yes: everything but a council given as an object is plain data."""
        return True

    @classmethod
    def get_lc_namespace(cls) -> list[str]:
        """Where it is imported from: the module that it happens to be in is nobody's business."""
        return ["proxycouncil", "council", "langchain"]

    def to_json(self) -> SerializedConstructor | SerializedNotImplemented:
        """As LangChain has it; a council that nothing opens again is not written down."""
        return super().to_json() if self.origin else self.to_json_not_implemented()

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],  # noqa: ARG002
        *,
        tool_choice: str | None = None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ANN401, ARG002
    ) -> NoReturn:
        """Refused: no prompt format of a family has a place for tools.

        Raises:
            NotSupportedError: always.
        """
        raise NotSupportedError(
            "this model can't call tools: its family's prompt format has no place for them",
            hint="let a model that calls tools drive, and give it council.as_tool()",
        )

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        **kwargs: Any,  # noqa: ANN401
    ) -> Runnable[LanguageModelInput, Any]:
        """The model with objects for answers; needs the extra `grammar`.

        Members decode under the schema's grammar, steered as ever, and the fields of an object are voted on
        together. Strings without a bound get one (200 characters), lists too (16 items), so that answers end.

        Args:
            schema: a pydantic class, a TypedDict, a JSON Schema or an OpenAI tool.
            include_raw: a dict of `raw` (the message), `parsed`, and `parsing_error` instead of the object.
            kwargs: `method`, any of LangChain's three, which are one here; `strict` says nothing, members
                can't do otherwise.

        Raises:
            MissingExtraError: llguidance is not installed.
            EngineError: the schema can't be decoded under; says why.
            CouncilAbstainedError (when asked, without `include_raw`): the council does not know.
        """
        from proxycouncil.council.langchain.structured import structured

        return structured(self, schema, include_raw=include_raw, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> ChatResult:
        return await agenerate_from_stream(self._astream(messages, stop, run_manager, **kwargs))

    def _council(self) -> Council:
        return chosen_council(self.council, self.origin)

    def _run_settings(self, stop: Sequence[str] | None, given: dict[str, Any]) -> RunSettings:
        """Of one call: what was said at construction, then what was said with the call."""
        refused = next((name for name in _TOOL_ARGUMENTS if given.get(name)), None)
        if refused is not None:
            raise NotSupportedError(f"this model takes no {refused}", hint="see bind_tools()")
        standard = {
            "temperature": given.get("temperature", self.temperature),
            "max_new_tokens": given.get("max_tokens", self.max_tokens),
            "deadline_s": given.get("timeout", self.timeout),
            "stop": tuple(stop or self.stop or ()) or None,
            "answer_schema": given.get("answer_schema"),
        }
        said = {name: value for name, value in standard.items() if value is not None}
        return RunSettings.model_validate({**self.settings, **said, **given.get("settings", {})})

    @property
    def _identifying_params(self) -> dict[str, Any]:
        shown = ("origin", "model", "temperature", "max_tokens", "timeout", "stop", "settings")
        return {name: getattr(self, name) for name in shown}

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:  # noqa: ANN401
        """Key of a cache: also how members are steered now, and which of several councils this is."""
        council = self._council()
        which = self.origin or f"council at {id(council)}"
        return f"{super()._get_llm_string(stop=stop, **kwargs)}---{which}---{sorted(council.alphas.items())}"
