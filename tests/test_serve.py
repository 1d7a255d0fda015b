"""`council serve`, by the official openai client and LangChain's ChatOpenAI, over a port of this machine."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from councils import ANSWER, QUESTION, council_of
from fakes import FakeGenerator, Script
from hypothesis import given
from hypothesis import strategies as st
from langchain_openai import ChatOpenAI
from serving import served

from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.doors import bearer_token
from proxycouncil.council.cli.running import Process
from proxycouncil.council.serve.app import create_app
from proxycouncil.council.serve.limits import Limits, Meter, OverLimitError
from proxycouncil.errors import UsageError

TOKEN = "a-token-of-some-length"
ASKED: Any = [{"role": "user", "content": QUESTION}]
pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    # A connection of the client's pool, collected by whichever test comes next.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """One server with a token, for all that do not need their own."""
    with council_of() as council, served(create_app(council, token=TOKEN)) as url:
        yield url


@pytest.fixture
def client(address) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key=TOKEN, max_retries=0) as opened:
        yield opened


def post(url: str, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    return httpx.post(f"{url}/v1/chat/completions", headers=headers | more.pop("headers", {}), **more)


class TestOpenAIClient:
    def test_models_are_the_council_and_its_members(self, client):
        assert [model.id for model in client.models.list()] == [
            "council", "economics", "law", "medicine", "general",
        ]  # fmt: skip
        assert client.models.retrieve("law").id == "law"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("gpt")

    def test_a_completion_has_text_usage_sources_and_the_decision(self, client):
        done = client.chat.completions.create(model="council", messages=ASKED)
        (choice,) = done.choices
        assert choice.message.content == ANSWER
        assert choice.finish_reason == "stop"
        (source,) = choice.message.annotations or []
        assert source.url_citation.title == "Opportunity cost"
        assert (
            choice.message.content[source.url_citation.start_index : source.url_citation.end_index] == ANSWER
        )
        told = (done.model_extra or {})["council"]
        assert told["outcome"] == "consensus"
        used = sum(ballot["usage"]["completion_tokens"] for ballot in told["ballots"])
        assert done.usage is not None
        assert done.usage.completion_tokens == used

    @pytest.mark.parametrize("model", ["council", "economics"])
    def test_a_stream_adds_up_to_the_same(self, client, model):
        chunks = list(
            client.chat.completions.create(
                model=model, messages=ASKED, stream=True, stream_options={"include_usage": True}
            )
        )
        deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
        assert deltas[0].role == "assistant"
        assert "".join(delta.content or "" for delta in deltas) == ANSWER
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens > 0
        assert all(chunk.usage is None for chunk in chunks[:-1])
        assert len({chunk.id for chunk in chunks}) == 1
        if model == "economics":
            assert sum(bool(delta.content) for delta in deltas) == len(ANSWER.split())

    async def test_async_answers_alike(self, address):
        async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key=TOKEN) as client:
            done = await client.chat.completions.create(model="law", messages=ASKED)
        assert done.choices[0].message.content == ANSWER

    def test_members_give_logprobs_and_a_vote_has_none(self, client):
        done = client.chat.completions.create(model="economics", messages=ASKED, logprobs=True)
        logprobs = done.choices[0].logprobs
        assert logprobs is not None
        assert [one.logprob for one in logprobs.content or []] == [-0.1] * len(ANSWER.split())
        with pytest.raises(openai.BadRequestError, match="a vote has no logprobs"):
            client.chat.completions.create(model="council", messages=ASKED, logprobs=True)

    def test_parameters_reach_the_members(self):
        generator = FakeGenerator({"*": ANSWER})
        council = council_of()
        council._generator = generator
        with (
            council,
            served(create_app(council, token=None)) as url,
            openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client,
        ):
            done = client.chat.completions.create(
                model="law", messages=ASKED, temperature=0.5, max_completion_tokens=5, stop=["\n"]
            )
        (request,) = generator.requests
        assert request.sampling.temperature == 0.5
        assert request.sampling.max_new_tokens == 5
        assert request.sampling.stop == ("\n",)
        assert done.model == "law"

    def test_a_conversation_comes_with_the_messages(self, client):
        talk: Any = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is insulin?"},
            {"role": "assistant", "content": "Insulin is a hormone of the pancreas."},
            {"role": "user", "content": [{"type": "text", "text": "What does it do?"}]},
        ]
        done = client.chat.completions.create(model="council", messages=talk)
        assert "insulin" in (done.model_extra or {})["council"]["standalone"].lower()

    @pytest.mark.parametrize("model", ["council", "law"])
    def test_a_schema_is_kept_to(self, client, model):
        schema = {
            "type": "object",
            "properties": {"answer": {"type": "string"}, "year": {"type": "integer"}},
            "required": ["answer", "year"],
        }
        wanted: Any = {"type": "json_schema", "json_schema": {"name": "found", "schema": schema}}
        done = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "What is insulin?"}],
            response_format=wanted,
        )
        assert set(json.loads(done.choices[0].message.content)) == {"answer", "year"}

    @pytest.mark.parametrize(
        ("more", "kind"),
        [
            ({"model": "gpt"}, openai.NotFoundError),
            ({"tools": [{"type": "function", "function": {"name": "f"}}]}, openai.BadRequestError),
            ({"response_format": {"type": "json_object"}}, openai.BadRequestError),
            ({"n": 2}, openai.BadRequestError),
            ({"temperature": 9}, openai.BadRequestError),
            ({"messages": []}, openai.BadRequestError),
            ({"messages": [{"role": "user", "content": ""}]}, openai.BadRequestError),
            ({"messages": [{"role": "nobody", "content": "x"}]}, openai.BadRequestError),
            ({"stream": True, "model": "gpt"}, openai.NotFoundError),
        ],
    )
    def test_what_cannot_be_done_is_refused_in_openais_words(self, client, more, kind):
        with pytest.raises(kind) as caught:
            client.chat.completions.create(**{"model": "council", "messages": ASKED, **more})
        assert caught.value.body["message"]
        assert caught.value.body["type"] == "invalid_request_error"


class TestChatOpenAI:
    """LangChain's own client."""

    def model(self, address: str, **more: Any) -> ChatOpenAI:
        return ChatOpenAI(base_url=f"{address}/v1", api_key=TOKEN, model="council", **more)

    def test_it_invokes_and_streams(self, address):
        message = self.model(address).invoke(QUESTION)
        assert message.text == ANSWER
        assert message.usage_metadata["output_tokens"] > 0
        merged = None
        for chunk in self.model(address, stream_usage=True).stream(QUESTION):
            merged = chunk if merged is None else merged + chunk
        assert merged is not None
        assert merged.text == ANSWER
        assert merged.usage_metadata == message.usage_metadata


class TestWhoComesIn:
    def test_a_token_is_needed_everywhere_but_for_health(self, address):
        assert httpx.get(f"{address}/healthz").json() == {"status": "ok"}
        for path in ("/metrics", "/v1/models", "/v1/models/law"):
            assert httpx.get(address + path).status_code == 401
        for shown in ("", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer ä".encode()):
            answer = post(address, headers={"Authorization": shown}, content="{}")
            assert answer.status_code == 401
            assert answer.json()["error"]["code"] == "invalid_api_key"

    def test_without_a_token_only_loopbacks_own_names_are_served(self):
        with council_of() as council, served(create_app(council, token=None)) as url:
            assert httpx.get(f"{url}/v1/models").status_code == 200
            assert httpx.get(f"{url}/v1/models", headers={"Host": "evil.example"}).status_code == 403

    def test_a_server_that_others_reach_needs_a_token_of_some_length(self, monkeypatch, capsys):
        monkeypatch.delenv("COUNCIL_TOKEN", raising=False)
        assert bearer_token("127.0.0.1") is None
        with pytest.raises(UsageError, match="bearer token"):
            bearer_token("0.0.0.0")
        monkeypatch.setenv("COUNCIL_TOKEN", "short")
        with pytest.raises(UsageError, match="too short"):
            bearer_token("127.0.0.1")
        monkeypatch.setenv("COUNCIL_TOKEN", TOKEN)
        assert bearer_token("0.0.0.0") == TOKEN
        monkeypatch.delenv("COUNCIL_TOKEN")
        assert run(["serve", "--host", "0.0.0.0"], Process(lambda _: council_of())) == 2
        assert "bearer token" in capsys.readouterr().err


class TestLimits:
    def test_bodies_have_a_size_and_a_type(self):
        limits = Limits(body_bytes=500)
        with council_of() as council, served(create_app(council, token=TOKEN, limits=limits)) as url:
            body = json.dumps({"model": "council", "messages": ASKED})
            assert post(url, content=body).status_code == 200
            assert post(url, content=body + " " * 500).status_code == 413
            assert post(url, content=body, headers={"Content-Type": "text/plain"}).status_code == 415
            assert post(url, content="{").status_code == 400

    def test_a_caller_who_asks_too_often_is_told_when_to_come_again(self):
        limits = Limits(per_minute=2)
        with council_of() as council, served(create_app(council, token=TOKEN, limits=limits)) as url:
            body = json.dumps({"model": "law", "messages": ASKED})
            codes = [post(url, content=body).status_code for _ in range(3)]
            assert codes == [200, 200, 429]
            refused = post(url, content=body)
            assert int(refused.headers["retry-after"]) >= 1
            assert refused.json()["error"]["type"] == "rate_limit_error"

    def test_who_finds_the_waiting_room_full_is_turned_away(self):
        limits = Limits(at_once=1, waiting=0)
        slow = {"*": Script("one two", delay_s=0.5)}
        with council_of(slow) as council, served(create_app(council, token=TOKEN, limits=limits)) as url:
            body = json.dumps({"model": "law", "messages": ASKED})
            codes: list[int] = []
            first = threading.Thread(target=lambda: codes.append(post(url, content=body).status_code))
            first.start()
            while not council.generator.requests:
                time.sleep(0.01)
            assert post(url, content=body).status_code == 429
            first.join()
            assert codes == [200]

    def test_a_caller_who_hangs_up_frees_the_members(self):
        generator = FakeGenerator({"*": Script("one two", delay_s=60)})
        council = council_of()
        council._generator = generator
        with council, served(create_app(council, token=TOKEN)) as url:
            for stream in (False, True):
                generator.cancelled.clear()
                with pytest.raises(httpx.ReadTimeout):
                    post(
                        url,
                        content=json.dumps({"model": "law", "messages": ASKED, "stream": stream}),
                        timeout=httpx.Timeout(5.0, read=1.0),
                    )
                while "law" not in generator.cancelled:
                    time.sleep(0.01)


def test_metrics_count_requests_outcomes_and_tokens(address, client):
    client.chat.completions.create(model="council", messages=ASKED)
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="made-up", messages=ASKED)
    page = httpx.get(f"{address}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    for line in (
        'council_requests_total{model="council",status="200"}',
        'council_requests_total{model="unknown",status="404"}',
        'council_outcomes_total{outcome="consensus"}',
        'council_tokens_total{kind="completion"}',
        'council_request_seconds_count{model="council"}',
        "council_requests_inside 0.0",
    ):
        assert line in page
    assert "made-up" not in page


def test_everybody_failing_is_a_server_error_that_says_why():
    with (
        council_of({"*": RuntimeError("out of paper")}) as council,
        served(create_app(council, token=TOKEN)) as url,
    ):
        failed = post(url, content=json.dumps({"model": "council", "messages": ASKED}))
    assert failed.status_code == 502
    assert "out of paper" in failed.json()["error"]["message"]


@given(st.integers(1, 600), st.lists(st.integers(0, 30), max_size=15))
def test_no_caller_gets_more_than_a_minutes_worth_ahead(per_minute, pauses):
    now = 0.0
    meter = Meter(per_minute, clock=lambda: now)

    def let_in() -> bool:
        try:
            meter.take("a")
        except OverLimitError as error:
            return error.after_s <= 0
        return True

    taken = 0
    for pause in pauses:
        now += pause
        taken += let_in()
    assert taken <= per_minute * (1 + now / 60) + 1e-6
    meter.take("b")
