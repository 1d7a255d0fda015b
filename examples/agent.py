"""An agent that consults the council: the council is a tool, any model that calls tools drives.

Without AGENT_MODEL (as in `AGENT_MODEL=openai:gpt-5 python examples/agent.py`, with its package and key) a
stand-in drives: it asks the council what it was asked and repeats what it hears.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from langchain.agents import create_agent
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import BaseTool

from proxycouncil import Council


class StandIn(BaseChatModel):
    """Calls the tool `council` once, then says what it was told."""

    @property
    def _llm_type(self) -> str:
        return "stand-in"

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], **_: Any
    ) -> Any:
        """It knows its one tool already."""
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        last = messages[-1]
        if isinstance(last, ToolMessage):
            reply = AIMessage(f"I asked the council. {last.text}")
        else:
            call = {"name": "council", "args": {"question": last.text}, "id": "1", "type": "tool_call"}
            reply = AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=reply)])


def main() -> None:
    """One question to the agent."""
    name = os.environ.get("AGENT_MODEL")
    with Council.starter() as council:
        agent = create_agent(init_chat_model(name) if name else StandIn(), tools=[council.as_tool()])
        found = agent.invoke({"messages": [("user", "What is a contract?")]})
    for message in found["messages"]:
        if isinstance(message, ToolMessage):
            decision = message.artifact["decision"]
            print(f"the tool's artifact: {decision['outcome']}, {len(message.artifact['ballots'])} ballots")
    print(found["messages"][-1].text)


if __name__ == "__main__":
    main()
