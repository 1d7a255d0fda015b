"""`with_structured_output`: a schema of LangChain's four kinds → answers of that shape.

The schema becomes what members decode under and what is voted on (`RunSettings.answer_schema`). This knows
LangChain's parsers and no model.
"""

from __future__ import annotations

import json
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.runnables import RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.pydantic import is_basemodel_subclass

from proxycouncil.errors import NotSupportedError
from proxycouncil.graphs.structured import tightened
from proxycouncil.specialists.grammar import check_grammar

if TYPE_CHECKING:
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.output_parsers import BaseOutputParser
    from langchain_core.runnables import Runnable

    from proxycouncil.council.langchain.base import CouncilChatModel

METHOD = "json_schema"
_METHODS = (METHOD, "function_calling", "json_mode")
"""LangChain's names for ways to the same end; here all of them are decoding under the grammar."""


def structured(
    model: CouncilChatModel,
    schema: dict[str, Any] | type,
    *,
    include_raw: bool,
    method: str | None = METHOD,
    strict: bool | None = None,  # noqa: ARG001 (members can't do otherwise)
) -> Runnable[LanguageModelInput, Any]:
    """The model with its answers as objects; see `CouncilChatModel.with_structured_output`."""
    if method not in (*_METHODS, None):
        raise NotSupportedError(
            f"this model has no method {method!r} of structured output", hint=f"use {METHOD!r}"
        )
    wanted = convert_to_json_schema(schema)
    check_grammar(json.dumps(tightened(wanted)))
    told = {"kwargs": {"method": METHOD}, "schema": schema}
    # Left to itself a council that does not know says so in words, which no parser could read.
    bound = model.bind(
        answer_schema=wanted, raise_on_abstain=not include_raw, ls_structured_output_format=told
    )
    parser = _parser(schema)
    if not include_raw:
        return bound | parser
    parsed = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    ).with_fallbacks([RunnablePassthrough.assign(parsed=lambda _: None)], exception_key="parsing_error")
    return RunnableMap(raw=bound) | parsed


def _parser(schema: dict[str, Any] | type) -> BaseOutputParser[Any]:
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return PydanticOutputParser(pydantic_object=cast(Any, schema))
    return JsonOutputParser()
