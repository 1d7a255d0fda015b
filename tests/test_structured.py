"""Answers as objects: voted on by their fields, parsed into the caller's class, at every door."""

from __future__ import annotations

import json
from typing import Any

import pytest
from councils import QUESTION, council_of
from fakes import REFUSAL, Script
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel, Field

from proxycouncil.council.langchain import ChatCouncil, ChatProxyTuned
from proxycouncil.council.questions import Question
from proxycouncil.errors import CouncilAbstainedError, EngineError, NotSupportedError
from proxycouncil.graphs.answers import canonical
from proxycouncil.graphs.grouping import group, same
from proxycouncil.graphs.run_settings import RunSettings
from proxycouncil.graphs.structured import fields, spoken, tightened


class Term(BaseModel):
    """A term and what it means."""

    term: str
    year: int | None = Field(default=None, ge=1500)
    tags: list[str] = []


SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}, "year": {"type": "integer"}}}
OBJECTS = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


def _said(**found: Any) -> str:
    return json.dumps(found)


class TestTheVote:
    def test_objects_are_the_same_however_they_are_written(self) -> None:
        forms = [
            '{"answer": "The heart", "year": 1628}',
            '{"year": 1628.0, "answer": "the  heart."}',
            '{"year":1628,"answer":"the heart"}',
        ]
        read = [canonical(text, question="What pumps blood?") for text in forms]
        assert group(read) == [[0, 1, 2]]
        assert {one.kind for one in read} == {"structured"}

    @pytest.mark.parametrize(
        "other",
        [
            {"answer": "the heart", "year": 1629},
            {"answer": "the lung", "year": 1628},
            {"answer": "the heart"},
            {"answer": "the heart", "year": "1628", "more": None},
        ],
    )
    def test_one_field_apart_is_apart(self, other: dict[str, Any]) -> None:
        first = canonical(_said(answer="the heart", year=1628))
        assert not same(first, canonical(json.dumps(other)))
        assert not same(first, canonical("the heart, 1628"))

    @settings(max_examples=40, deadline=None)
    @given(OBJECTS)
    def test_the_value_is_its_own_value(self, found: dict[str, Any]) -> None:
        once = canonical(json.dumps(found))
        assert once.kind == "structured"
        assert canonical(once.value) == once

    def test_members_who_fill_in_the_same_agree(self) -> None:
        replies = {
            "economics": _said(answer="Opportunity cost", year=1914),
            "law": '{"year": 1914, "answer": "opportunity cost"}',
            "medicine": _said(answer="opportunity cost", year=1920),
            "general": REFUSAL,
        }
        with council_of(replies) as council:
            answer = council.ask(
                Question(
                    QUESTION,
                    members=("economics", "law", "medicine", "general"),
                    settings=RunSettings(answer_schema=SCHEMA),
                )
            )
        assert answer.outcome == "consensus"
        assert json.loads(answer.text)["year"] == 1914
        assert answer.tally["groups"][0]["members"] == ["economics", "law"]
        assert answer.tally["abstained"] == ["general"]
        assert answer.citations[0]["title"] == "Opportunity cost"

    def test_an_object_that_breaks_off_is_no_answer(self) -> None:
        with council_of({"*": Script('{"answer": "opportunity', finish="length")}) as council:
            answer = council.ask(Question(QUESTION, settings=RunSettings(answer_schema=SCHEMA)))
        assert answer.outcome == "error"
        assert all("not finished within 256 tokens" in ballot["error"] for ballot in answer.ballots)


class TestTheSchema:
    def test_what_has_no_bound_gets_one_and_what_has_keeps_it(self) -> None:
        found = tightened(Term.model_json_schema())
        assert found["additionalProperties"] is False
        assert found["properties"]["term"]["maxLength"] == 200
        assert found["properties"]["tags"]["maxItems"] == 16
        assert found["properties"]["tags"]["items"]["maxLength"] == 200
        bound = {"type": "string", "maxLength": 3}
        assert tightened({"anyOf": [bound], "additionalProperties": True}) == {
            "anyOf": [bound],
            "additionalProperties": True,
        }

    def test_members_decode_under_it_and_are_told_of_it(self) -> None:
        council = council_of()
        ChatCouncil(council=council).with_structured_output(Term).invoke(QUESTION)
        for request in council.generator.requests:
            schema = json.loads(request.sampling.grammar)
            assert set(schema["properties"]) == {"term", "year", "tags"}
            assert schema["properties"]["term"]["maxLength"] == 200
            assert request.sampling.may_decline
            assert request.sampling.grammar in request.prompt.instruction
            assert request.sampling.max_new_tokens == 256
        council.close()

    def test_what_is_looked_up_in_the_passages_are_the_values(self) -> None:
        found = fields('{"a": ["x", 2, true], "b": {"c": "y"}, "d": null}')
        assert found is not None
        assert spoken(found) == "x 2 y"
        assert fields('{"a": 1') is fields("[1]") is fields("words") is None


class TestLangChain:
    @pytest.mark.parametrize("kind", [ChatCouncil, ChatProxyTuned])
    def test_a_class_comes_back_with_the_decision_beside_it(self, kind: Any) -> None:
        with council_of() as council:
            chat = kind(council=council, model="law").with_structured_output(Term, include_raw=True)
            found = chat.invoke(QUESTION)
        assert isinstance(found["parsed"], Term)
        assert found["parsing_error"] is None
        assert json.loads(found["raw"].text)["term"] == found["parsed"].term
        assert found["raw"].response_metadata["model_name"] == "law"

    def test_settings_of_the_call_do_not_lose_the_schema(self) -> None:
        with council_of() as council:
            chat = ChatCouncil(council=council).with_structured_output(SCHEMA | {"title": "Answer"})
            assert set(chat.invoke(QUESTION, settings={"quorum": 1})) == {"answer", "year"}

    def test_a_council_that_does_not_know_says_so(self) -> None:
        with council_of({}) as council:
            model = ChatCouncil(council=council)
            with pytest.raises(CouncilAbstainedError):
                model.with_structured_output(Term).invoke(QUESTION)
            told = model.with_structured_output(Term, include_raw=True).invoke(QUESTION)
        assert told["parsed"] is None
        assert isinstance(told["parsing_error"], OutputParserException)

    def test_what_can_not_be_is_refused_at_once(self) -> None:
        model = ChatCouncil(council=council_of())
        with pytest.raises(NotSupportedError, match="xml"):
            model.with_structured_output(Term, method="xml")
        with pytest.raises(EngineError, match="unclosed group"):
            model.with_structured_output(
                {"title": "T", "type": "object", "properties": {"a": {"type": "string", "pattern": "("}}}
            )
