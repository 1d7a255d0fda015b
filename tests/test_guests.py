"""The council in programs that pin other versions of its libraries: `langgraph dev`, langchain-mcp-adapters.

Each has an environment of its own over .venv: `make langgraph-dev` and `make mcp-adapters` make and try them.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from councils import ANSWER, QUESTION
from test_mcp import STDIO

ROOT = Path(__file__).parents[1]
LANGGRAPH = os.environ.get("COUNCIL_LANGGRAPH", str(ROOT / ".langgraph" / "bin" / "langgraph"))
ADAPTERS = os.environ.get("COUNCIL_MCP_ADAPTERS", str(ROOT / ".mcp-adapters" / "bin" / "python"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.enable_socket,
    pytest.mark.allow_hosts(["127.0.0.1"]),
]


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The starter under `langgraph dev`, in a project that has nothing but a langgraph.json."""
    if not Path(LANGGRAPH).exists():
        pytest.skip("no langgraph: `make langgraph-dev` makes an environment for it")
    project, port = tmp_path_factory.mktemp("project"), free_port()
    shutil.copy(ROOT / "langgraph.json", project)
    command = [LANGGRAPH, "dev", "--no-browser", "--no-reload", "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "LANGSMITH_TRACING": "false"}
    with (project / "log").open("w") as log:
        running = subprocess.Popen(command, cwd=project, env=environment, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(60)


@asynccontextmanager
async def client_of(server: str) -> AsyncIterator[Any]:
    """LangGraph's own client, once the server is up."""
    import httpx
    from langgraph_sdk import get_client

    async with get_client(url=server, timeout=600) as client:
        for _ in range(600):
            try:
                await client.assistants.search()
                break
            except httpx.TransportError:
                await asyncio.sleep(0.5)
        yield client


async def test_langgraph_dev_serves_threads_settings_time_travel_and_memory(server):
    async with client_of(server) as client:
        await try_everything(client)


async def try_everything(client: Any) -> None:
    [assistant] = await client.assistants.search()
    schemas = await client.assistants.get_schemas(assistant["assistant_id"])
    assert {"question", "members", "history", "sub_questions"} == set(schemas["input_schema"]["properties"])
    assert "alphas" in schemas["context_schema"]["properties"]

    thread = (await client.threads.create())["thread_id"]
    first = await client.runs.wait(thread, "council", input={"question": QUESTION})
    assert "best alternative" in first["decision"]["text"]
    kinds = [
        (part.data or {}).get("type")
        async for part in client.runs.stream(
            thread,
            "council",
            input={"question": "and what is a sunk cost?"},
            stream_mode="custom",
            context={"members": ["economics"], "quorum": 1},
        )
    ]
    assert kinds.count("vote") == 1
    assert {"route", "member.token", "ballot"} < set(kinds)
    state = (await client.threads.get_state(thread))["values"]
    assert {ballot["member"] for ballot in state["ballots"]} == {"economics"}
    assert len(state["history"]) == 2

    past = await client.threads.get_history(thread, limit=50)
    before = next(one for one in past if set(one["next"]) == {"consult"})
    replay = await client.runs.wait(
        thread, "council", checkpoint=before["checkpoint"], context={"alphas": {"economics": 0.0}}
    )
    assert all(not any(ballot["trace"]["kl"]) for ballot in replay["ballots"])

    wrong = await client.runs.wait(
        None, "council", input={"question": QUESTION}, context={"ballots": 3}, raise_error=False
    )
    assert wrong["__error__"]["error"] == "ValidationError"

    fact = {"text": "The boat of the club is called Santa Lucia.", "about": "", "at": "2026-01-01"}
    await client.store.put_item(["council", "memories", "ada"], "boat", fact)
    asked = {"question": "What is the boat of the club called?"}
    told = await client.runs.wait(None, "council", input=asked, context={"user": "ada"})
    assert "Santa Lucia" in told["decision"]["text"]
    assert told["decision"]["citations"][0]["domain"] == "memory"
    untold = await client.runs.wait(None, "council", input=asked)
    assert "Santa Lucia" not in untold["decision"]["text"]


ADAPTED = """
import asyncio, json, sys
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools

async def main(server):
    # One session: `client.get_tools()` would start the server, and load its models, with every call.
    async with MultiServerMCPClient({"council": server}).session("council") as session:
        await tell({tool.name: tool for tool in await load_mcp_tools(session)})

async def tell(tools):
    call = {"type": "tool_call", "id": "1", "name": "ask_council", "args": {"question": sys.argv[2]}}
    told = await tools["ask_council"].ainvoke(call)
    found = await tools["search_library"].ainvoke({"query": "What is a fever?", "domain": "medicine"})
    try:
        blank = str(await tools["ask_law"].ainvoke({"question": "  "}))
    except Exception as error:
        blank = f"{type(error).__name__}: {error}"
    print(json.dumps({
        "tools": {name: [tool.description, sorted(tool.args)] for name, tool in tools.items()},
        "text": str(told.content), "structured": (told.artifact or {}).get("structured_content"),
        "found": str(found), "blank": blank,
    }))

asyncio.run(main(json.loads(sys.argv[1])))
"""


def test_langchain_mcp_adapters_lists_and_calls_the_tools():
    if not Path(ADAPTERS).exists():
        pytest.skip("no langchain-mcp-adapters: `make mcp-adapters` makes an environment for it")
    server = {
        "transport": "stdio",
        "command": sys.executable,
        "args": ["-c", STDIO],
        "env": os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"},
    }
    done = subprocess.run(
        [ADAPTERS, "-c", ADAPTED, json.dumps(server), QUESTION], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {"ask_council", "ask_law", "ask_general", "search_library"} < set(told["tools"])
    assert told["tools"]["ask_council"][1] == ["question"]
    assert "All of law." in told["tools"]["ask_law"][0]
    assert ANSWER in told["text"]
    assert told["structured"]["outcome"] == "consensus"
    assert "Fever" in told["found"]
    assert "empty" in told["blank"]
