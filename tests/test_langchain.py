"""LangChain's shapes of the council beyond the standard suites: what stands behind a message."""

import json
from typing import Any
from uuid import UUID

import pytest
from councils import ANSWER, QUESTION, council_of
from fakes import FakeGenerator, Script
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.language_models import FakeListChatModel
from langchain_core.load import dumpd, load
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from pydantic import ValidationError

from proxycouncil.council.council import Council
from proxycouncil.council.langchain import ChatCouncil, ChatProxyTuned, CouncilRetriever
from proxycouncil.council.langchain.messages import before_stop, conversation
from proxycouncil.errors import (
    CouncilAbstainedError,
    CouncilFailedError,
    NotSupportedError,
    QuestionError,
    UnknownDomainError,
)
from proxycouncil.specialists.request import Request


@pytest.fixture
def council(tmp_path):
    with council_of(root=tmp_path) as opened:
        yield opened


class Heard(BaseCallbackHandler):
    """What a handler is told."""

    def __init__(self) -> None:
        self.runs: dict[UUID, dict[str, Any]] = {}
        self.custom: list[tuple[str, dict[str, Any]]] = []

    def on_chat_model_start(self, serialized, messages, *, run_id, **more):
        self.runs[run_id] = {"name": "model", "parent": more.get("parent_run_id"), "ended": False}

    def on_llm_end(self, response, *, run_id, **more):
        self.runs[run_id]["ended"] = True

    def on_chain_start(self, serialized, inputs, *, run_id, parent_run_id=None, metadata=None, **more):
        self.runs[run_id] = {
            "name": more["name"], "parent": parent_run_id, "told": metadata, "ended": False,
        }  # fmt: skip

    def on_chain_end(self, outputs, *, run_id, **more):
        self.runs[run_id] |= {"ended": True, "outputs": outputs}

    def on_chain_error(self, error, *, run_id, **more):
        self.runs[run_id] |= {"ended": True, "error": error}

    def on_custom_event(self, name, data, *, run_id, **more):
        self.custom.append((name, data))


class TestChatCouncil:
    def test_a_message_carries_the_decision_and_its_sources(self, council, tmp_path):
        message = ChatCouncil(council=council).invoke(QUESTION)
        assert message.text == ANSWER
        told = message.response_metadata
        assert told["outcome"] == "consensus"
        assert {ballot["member"] for ballot in told["ballots"]} >= {"economics", "general"}
        assert told["tally"]["groups"][0]["text"] == ANSWER
        json.dumps(told)
        (block,) = message.content_blocks
        (citation,) = block["annotations"]
        assert citation["title"] == "Opportunity cost"
        assert message.text[citation["start_index"] : citation["end_index"]] == ANSWER
        assert citation["url"] == (tmp_path / "economics.md").as_uri()
        extras = citation["extras"]
        document = (tmp_path / "economics.md").read_text()
        assert document[extras["source_start"] : extras["source_end"]] == citation["cited_text"]

    @pytest.mark.parametrize("version", ["v0", "v1"])
    def test_streamed_chunks_add_up_to_the_invoked_message(self, council, version):
        model = ChatCouncil(council=council, output_version=version)
        chunks = list(model.stream(QUESTION))
        merged = chunks[0]
        for chunk in chunks[1:]:
            merged += chunk
        invoked = model.invoke(QUESTION)
        assert merged.text == invoked.text
        (streamed,), (whole,) = merged.content_blocks, invoked.content_blocks
        assert streamed["annotations"] == whole["annotations"]
        assert merged.response_metadata["model_name"] == "council"
        assert merged.response_metadata["outcome"] == "consensus"
        assert merged.usage_metadata == invoked.usage_metadata
        assert [chunk.chunk_position for chunk in chunks] == [None, "last"]

    def test_usage_is_the_sum_over_members_and_readings(self):
        with council_of() as council:
            counter = UsageMetadataCallbackHandler()
            message = ChatCouncil(council=council).invoke(QUESTION, config={"callbacks": [counter]})
        used = [ballot["usage"] for ballot in message.response_metadata["ballots"]]
        assert len(used) > 2
        assert message.usage_metadata["output_tokens"] == sum(one["completion_tokens"] for one in used)
        assert message.usage_metadata["output_tokens"] == len(used) * len(ANSWER.split())
        assert counter.usage_metadata["council"]["output_tokens"] == message.usage_metadata["output_tokens"]

    def test_a_model_can_be_named_by_its_members(self, council):
        message = ChatCouncil(council=council).invoke(QUESTION, model="law, medicine")
        assert {b["member"] for b in message.response_metadata["ballots"]} == {"law", "medicine"}
        with pytest.raises(UnknownDomainError):
            ChatCouncil(council=council).invoke(QUESTION, model="gpt")

    def test_a_conversation_is_understood_from_its_messages(self, council):
        model = ChatCouncil(council=council)
        first = model.invoke("What is insulin?")
        talk = [
            SystemMessage("Be brief."),
            HumanMessage("What is insulin?"),
            first,
            HumanMessage("What does it do?"),
        ]
        told = model.invoke(talk).response_metadata
        assert "insulin" in told["standalone"].lower()
        assert told["standalone"] != "What does it do?"

    def test_what_one_call_sets_reaches_the_members_and_no_other_call(self):
        generator = FakeGenerator({"*": ANSWER})
        council = council_of()
        council._generator = generator
        with council:
            model = ChatCouncil(council=council, settings={"alphas": {"law": 0.5}}, temperature=0.3)
            model.invoke(QUESTION, model="law", stop=["best"], max_tokens=7, timeout=3)
            ChatCouncil(council=council).invoke(QUESTION, model="law")
        first, last = generator.requests[0], generator.requests[-1]
        assert first.pairs[0].alpha == 0.5
        assert first.sampling.temperature == 0.3
        assert first.sampling.stop == ("best",)
        assert first.sampling.max_new_tokens == 7
        assert first.deadline_s == 3
        assert last.pairs[0].alpha == 1.0
        assert last.sampling.stop == ()

    def test_settings_that_do_not_exist_are_refused_at_once(self, council):
        with pytest.raises(ValidationError):
            ChatCouncil(council=council, settings={"alpha": 1})

    def test_nothing_after_a_stop_sequence_is_said(self, council):
        assert ChatCouncil(council=council).invoke(QUESTION, stop=[" best"]).text == "the value of the"

    def test_not_knowing_is_said_or_raised_as_asked(self):
        with council_of({}) as council:
            message = ChatCouncil(council=council).invoke(QUESTION)
            assert message.response_metadata["outcome"] == "abstain"
            assert message.text.startswith("The council does not know")
            model = ChatCouncil(council=council, raise_on_abstain=True)
            with pytest.raises(CouncilAbstainedError):
                model.invoke(QUESTION)
            other = model.with_fallbacks([FakeListChatModel(responses=["ask a bank"])])
            assert other.invoke(QUESTION).text == "ask a bank"

    def test_a_council_that_fails_raises_and_with_retry_asks_again(self):
        failures = iter([True] * 4)

        def replies(_: str, __: Request) -> Script:
            return Script(raises=RuntimeError("out of paper")) if next(failures, False) else Script(ANSWER)

        with council_of(replies, ballots=1) as council:
            model = ChatCouncil(council=council, model="law")
            with pytest.raises(CouncilFailedError, match="out of paper"):
                model.invoke(QUESTION)
            patient = model.with_retry(stop_after_attempt=6, wait_exponential_jitter=False)
            assert patient.invoke(QUESTION).text == ANSWER

    async def test_async_answers_alike(self, council):
        model = ChatCouncil(council=council)
        assert (await model.ainvoke(QUESTION)).text == ANSWER
        assert [one.text for one in await model.abatch([QUESTION] * 3)] == [ANSWER] * 3

    def test_closing_a_stream_midway_frees_the_members(self):
        generator = FakeGenerator({"*": Script("one two three four five", delay_s=0.05)})
        council = council_of()
        council._generator = generator

        class Leaves(BaseCallbackHandler):
            raise_error = True

            def on_custom_event(self, name, data, *, run_id, **more):
                if name == "council.member.token":
                    raise KeyboardInterrupt

        with council, pytest.raises(KeyboardInterrupt):
            ChatCouncil(council=council, model="law").invoke(QUESTION, config={"callbacks": [Leaves()]})
        assert "law" in generator.cancelled


class TestTracing:
    def test_every_member_the_vote_and_the_decision_are_runs_below_the_model(self, council):
        heard = Heard()
        ChatCouncil(council=council, settings={"alphas": {"law": 2.0}}).invoke(
            QUESTION, model="law,economics", config={"callbacks": [heard]}
        )
        runs = list(heard.runs.values())
        (model,) = [key for key, run in heard.runs.items() if run["name"] == "model"]
        below = [run for run in runs if run["parent"] == model]
        assert sorted(run["name"] for run in below) == sorted(
            ["member economics"] * 2 + ["member law"] * 2 + ["vote", "decision"]
        )
        assert all(run["ended"] for run in runs)
        told = {run["name"]: run["told"] for run in below}
        assert told["member law"]["alpha"] == 2.0
        assert told["member economics"]["alpha"] == 1.0
        assert told["vote"]["agreement"] == 1.0
        assert ANSWER in told["vote"]["weights"]
        assert told["decision"]["outcome"] == "consensus"

    def test_custom_events_are_the_event_stream(self, council):
        heard = Heard()
        ChatCouncil(council=council).invoke(QUESTION, config={"callbacks": [heard]})
        kinds = [name for name, _ in heard.custom]
        assert kinds[0] == "council.route"
        assert kinds[-1] == "council.decision"
        assert {"council.member.start", "council.member.token", "council.ballot", "council.vote"} < set(kinds)
        assert all(data["v"] == 1 and f"council.{data['type']}" == name for name, data in heard.custom)

    async def test_async_handlers_hear_the_same(self, council):
        class Listens(AsyncCallbackHandler):
            def __init__(self) -> None:
                self.names: list[str] = []

            async def on_chain_start(self, serialized, inputs, **more):
                self.names.append(more["name"])

        heard = Listens()
        await ChatCouncil(council=council, model="law").ainvoke(QUESTION, config={"callbacks": [heard]})
        assert heard.names == ["member law", "member law", "vote", "decision"]

    def test_a_failure_ends_the_runs_it_cuts_short(self):
        heard = Heard()
        with council_of({"*": RuntimeError("out of paper")}) as council, pytest.raises(CouncilFailedError):
            ChatCouncil(council=council).invoke(QUESTION, config={"callbacks": [heard]})
        below = [run for run in heard.runs.values() if run["name"] != "model"]
        assert below
        assert all(run["ended"] for run in below)


class TestCaching:
    def test_the_same_question_is_answered_from_the_cache(self):
        with council_of() as council:
            model = ChatCouncil(council=council, cache=InMemoryCache())
            first = model.invoke(QUESTION)
            asked = len(council.generator.requests)
            assert model.invoke(QUESTION).text == first.text
            assert len(council.generator.requests) == asked

    def test_other_steering_or_another_council_is_another_key(self):
        cache = InMemoryCache()
        with council_of() as council, council_of({"*": "something else"}) as other:
            model = ChatCouncil(council=council, cache=cache)
            model.invoke(QUESTION)
            asked = len(council.generator.requests)
            council.set_alpha("law", 0.5)
            model.invoke(QUESTION)
            assert len(council.generator.requests) == 2 * asked
            assert ChatCouncil(council=other, cache=cache).invoke(QUESTION).text == "something else"


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
class TestSerialisation:
    @pytest.mark.parametrize("kind", [ChatCouncil, ChatProxyTuned, CouncilRetriever])
    def test_a_model_is_loaded_by_naming_its_class(self, kind: Any):
        more = {"domains": ("law",), "k": 2} if kind is CouncilRetriever else {"model": "law"}
        made = kind(origin="/there/council.toml", **more)
        written = json.loads(json.dumps(dumpd(made)))
        again = load(written, allowed_objects=[kind], valid_namespaces=["proxycouncil"])
        assert type(again) is kind
        assert again.origin == made.origin
        assert dumpd(again) == written

    def test_a_council_that_no_file_describes_is_not_written_down(self, council):
        assert dumpd(ChatCouncil(council=council))["type"] == "not_implemented"

    def test_a_councils_origin_is_taken_over(self):
        assert ChatCouncil(council=Council.starter()).origin == "starter"


@pytest.mark.parametrize("kind", [ChatCouncil, ChatProxyTuned])
def test_what_the_models_cannot_do_is_refused_with_a_hint(kind: Any, council):
    model = kind(council=council, model="law")
    for refused in (
        lambda: model.bind_tools([council.as_tool()]),
        lambda: model.invoke(QUESTION, tools=[{"type": "function"}]),
    ):
        with pytest.raises(NotSupportedError) as caught:
            refused()
        assert caught.value.hint
        assert isinstance(caught.value, NotImplementedError)


class TestChatProxyTuned:
    def test_text_streams_as_it_is_written_and_is_cited(self, council):
        chunks = list(ChatProxyTuned(council=council, model="economics").stream(QUESTION))
        assert len([chunk for chunk in chunks if chunk.text]) == len(ANSWER.split())
        merged = chunks[0]
        for chunk in chunks[1:]:
            merged += chunk
        assert merged.text == ANSWER
        assert merged.response_metadata["citations"][0]["title"] == "Opportunity cost"
        assert merged.content_blocks[0]["annotations"][0]["end_index"] == len(ANSWER)
        assert merged.response_metadata["finish_reason"] == "stop"
        assert len(merged.response_metadata["logprobs"]) == len(ANSWER.split())

    def test_it_reads_its_own_collection_and_is_steered_by_its_own_expert(self, council):
        ChatProxyTuned(council=council, model="law").invoke(
            [SystemMessage("Be brief."), HumanMessage("What is a contract?")]
        )
        (request,) = council.generator.requests
        assert request.pairs[0].expert == "law"
        assert {snippet.title for snippet in request.prompt.snippets} <= {
            "Contract",
            "Statute of limitations",
        }
        assert request.prompt.instruction == "Be brief."

    async def test_async_streams_alike(self, council):
        model = ChatProxyTuned(council=council, model="economics")
        texts = [chunk.text async for chunk in model.astream(QUESTION)]
        assert "".join(texts) == ANSWER

    def test_an_unknown_member_and_a_failing_one_are_errors(self):
        with council_of({"law": Script(finish="error", error="out of memory")}) as council:
            with pytest.raises(UnknownDomainError):
                ChatProxyTuned(council=council, model="gpt").invoke(QUESTION)
            with pytest.raises(CouncilFailedError, match="out of memory"):
                ChatProxyTuned(council=council, model="law").invoke(QUESTION)


class TestRetriever:
    def test_documents_say_where_they_stand(self, council, tmp_path):
        for form in ("passages", "sentences"):
            found = CouncilRetriever(council=council, form=form).invoke("What is a fever?")
            assert found[0].metadata["title"] == "Fever"
            for one in found:
                document = (tmp_path / f"{one.metadata['domain']}.md").read_text()
                assert document[one.metadata["start"] : one.metadata["end"]] == one.page_content

    def test_one_collection_or_several(self, council):
        found = CouncilRetriever(council=council, domains=("law", "economics"), k=9).invoke(
            "What is a fever?"
        )
        assert {one.metadata["domain"] for one in found} == {"law", "economics"}


class TestTool:
    def test_an_agent_reads_text_and_the_program_gets_the_answer(self, council):
        call = {"name": "council", "args": {"question": QUESTION}, "id": "1", "type": "tool_call"}
        message = council.as_tool().invoke(call)
        assert message.content.startswith(ANSWER)
        assert "[1] Opportunity cost" in message.content
        assert message.artifact["decision"]["outcome"] == "consensus"
        assert message.artifact["ballots"]

    def test_a_member_alone_is_a_tool_that_says_its_field(self, council):
        tool = council.as_tool(name="ask_law", member="law")
        assert "All of law." in tool.description
        call = {"name": "ask_law", "args": {"question": QUESTION}, "id": "1", "type": "tool_call"}
        assert {b["member"] for b in tool.invoke(call).artifact["ballots"]} == {"law"}


def test_the_last_human_message_is_the_question_and_replies_are_history():
    text, history, instruction = conversation(
        [
            SystemMessage("a"),
            HumanMessage("one"),
            HumanMessage("two"),
            AIMessage("reply"),
            HumanMessage("three"),
        ]
    )
    assert text == "three"
    assert [(turn["question"], turn["answer"]) for turn in history] == [("two", "reply")]
    assert instruction == "a"
    for nothing in ([], [AIMessage("x")], [HumanMessage("  ")]):
        with pytest.raises(QuestionError):
            conversation(nothing)


def test_text_ends_before_the_first_stop_sequence():
    assert before_stop("abcabc", ["c", "b", ""]) == "a"
    assert before_stop("abc", ["x"]) == "abc"
    assert before_stop("abc", []) == "abc"
