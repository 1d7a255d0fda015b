"""`council mcp` by the official SDK's own client: in process, on stdio and over HTTP."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from councils import ANSWER, QUESTION, council_of
from fakes import FakeGenerator, Script
from mcp import Client, StdioServerParameters
from serving import served

from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.council.mcp import create_server

ROOT = Path(__file__).parents[1]


async def test_the_council_its_members_and_the_library_are_tools():
    with council_of() as council:
        async with Client(create_server(council)) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools) == {
        "ask_council", "ask_economics", "ask_law", "ask_medicine", "ask_general", "search_library",
    }  # fmt: skip
    assert "All of law." in (tools["ask_law"].description or "")
    assert set(tools["ask_council"].input_schema["properties"]) == {"question"}
    assert tools["ask_council"].output_schema is not None


async def test_an_answer_is_structured_and_progress_is_told():
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    with council_of() as council:
        async with Client(create_server(council)) as client:
            found = await client.call_tool("ask_council", {"question": QUESTION}, progress_callback=hear)
    answer = found.structured_content
    assert answer is not None
    assert answer["answer"] == ANSWER
    assert answer["outcome"] == "consensus"
    assert answer["sources"][0]["title"] == "Opportunity cost"
    steps = [progress for progress, _, _ in told]
    assert steps == sorted(set(steps))
    assert told[-1][0] == told[-1][1]


async def test_one_member_is_asked_alone():
    with council_of() as council:
        async with Client(create_server(council)) as client:
            await client.call_tool("ask_law", {"question": QUESTION})
        assert {request.pairs[0].expert for request in council.generator.requests} == {"law"}


async def test_passages_are_found():
    with council_of() as council:
        async with Client(create_server(council)) as client:
            found = await client.call_tool(
                "search_library", {"query": "What is a fever?", "domain": "medicine", "limit": 1}
            )
    assert found.structured_content is not None
    assert [one["title"] for one in found.structured_content["passages"]] == ["Fever"]


async def test_what_goes_wrong_is_told_to_the_model():
    with council_of({"*": RuntimeError("out of paper")}) as council:
        async with Client(create_server(council)) as client:
            failed = await client.call_tool("ask_council", {"question": QUESTION})
            blank = await client.call_tool("ask_council", {"question": "  "})
    assert failed.is_error
    assert "out of paper" in str(failed.content)
    assert blank.is_error


async def test_a_cancelled_call_stops_its_members():
    generator = FakeGenerator({"*": Script("one two three", delay_s=60)})
    council = council_of()
    council._generator = generator
    with council:
        async with Client(create_server(council)) as client:
            call = asyncio.create_task(client.call_tool("ask_law", {"question": QUESTION}))
            while not generator.requests:
                await asyncio.sleep(0.01)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            while "law" not in generator.cancelled:
                await asyncio.sleep(0.01)


STDIO = """
import sys
from councils import council_of
from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
sys.exit(run(["mcp"], Process(lambda _: council_of())))
"""


async def test_it_speaks_over_stdio():
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"}
    command = StdioServerParameters(command=sys.executable, args=["-c", STDIO], env=environment)
    async with Client(command) as client:
        found = await client.call_tool("ask_council", {"question": QUESTION})
    assert found.structured_content is not None
    assert found.structured_content["answer"] == ANSWER


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_it_speaks_streamable_http():
    with council_of() as council, served(create_server(council).streamable_http_app()) as url:
        async with Client(f"{url}/mcp") as client:
            found = await client.call_tool("ask_council", {"question": QUESTION})
    assert found.structured_content is not None
    assert found.structured_content["answer"] == ANSWER


def test_http_is_for_this_machine_alone(capsys: Any):
    assert run(["mcp", "--transport", "http", "--host", "0.0.0.0"], Process(lambda _: council_of())) == 2
    assert "127.0.0.1" in capsys.readouterr().err


def test_a_client_that_is_gone_is_no_fault():
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"}
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", STDIO]
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        assert server.stderr is not None
        hello = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }
        for message in (
            {"id": 1, "method": "initialize", "params": hello},
            {"method": "notifications/initialized"},
        ):
            server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        server.stdin.flush()
        assert "serverInfo" in server.stdout.readline()
        server.stdout.close()
        server.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}) + "\n")
        server.stdin.close()
        said = server.stderr.read()
        assert server.wait() == 1
    assert "error:" not in said
    assert "Traceback" not in said
