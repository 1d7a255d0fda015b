"""LangChain's own shapes: the council and its members as chat models, its library as retriever, as a tool.

Importing this imports langchain-core and nothing heavier; weights and index are opened by the first question.
"""

from __future__ import annotations

from proxycouncil.council.langchain.chat_council import ChatCouncil
from proxycouncil.council.langchain.chat_proxy_tuned import ChatProxyTuned
from proxycouncil.council.langchain.retriever import CouncilRetriever
from proxycouncil.council.langchain.tool import council_tool

__all__ = ["ChatCouncil", "ChatProxyTuned", "CouncilRetriever", "council_tool"]
