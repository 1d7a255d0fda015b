"""`RemoteBase` against llama.cpp's own server: the local engine's text, whole vocabulary and short lists.

Needs the server's program (`make llama-server`, or its path in LLAMA_SERVER) and the `gguf` package.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from gguf_files import write_gguf
from tiny import STARTER, VOCABULARY

from proxycouncil.specialists import (
    Engine,
    Family,
    Generation,
    Pair,
    Prompt,
    Recall,
    RemoteBase,
    Request,
    Sampling,
    Server,
    Snippet,
)

BUILT = Path(__file__).parents[1] / ".llama" / "bin" / "llama-server"
PROGRAM = os.environ.get("LLAMA_SERVER") or (str(BUILT) if BUILT.exists() else shutil.which("llama-server"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.skipif(not PROGRAM, reason="no llama-server: `make llama-server` builds one"),
]

SLATE = (
    Snippet("Opportunity cost", "Opportunity cost is the value of the best alternative that is given up."),
    Snippet("Sunk cost", "A sunk cost has been paid already and can't be got back."),
)
QUESTIONS = ("What is opportunity cost?", "what do you call a cost that can't be got back", "who was Newton")
ASKED = [
    Request(Prompt(question, SLATE), pairs, Sampling(max_new_tokens=24), id=f"{question} {pairs}")
    for question in QUESTIONS
    for pairs in ((), (Pair("general"),))
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The starter's base in float32 throughout, its cache too."""
    pytest.importorskip("gguf")
    model = write_gguf(STARTER / "base", tmp_path_factory.mktemp("gguf") / "base.gguf")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    exact = ["-ctk", "f32", "-ctv", "f32", "-fa", "off"]
    command = [str(PROGRAM), "-m", str(model), "--port", str(port), "--parallel", "8", "-c", "8192", *exact]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", process)
            yield Server(f"http://127.0.0.1:{port}", "llama.cpp", "base", timeout_s=60)
        finally:
            process.terminate()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        assert process.poll() is None, "llama-server ended"
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.25)
    raise TimeoutError(url)


@pytest.fixture(scope="module")
def experts() -> dict[str, Path]:
    return {"general": STARTER / "experts" / "general"}


@pytest.fixture(scope="module")
def ours(experts: dict[str, Path]) -> list[Generation]:
    """The same, computed here."""

    async def together() -> list[Generation]:
        async with Engine(Family(STARTER / "base", STARTER / "antiexpert", experts=experts)) as engine:
            return list(await asyncio.gather(*map(engine.complete, ASKED)))

    return asyncio.run(together())


def write(experts: dict[str, Path], server: Server, asked: list[Request], recall: Recall) -> list[Generation]:
    async def together() -> list[Generation]:
        family = Family(None, STARTER / "antiexpert", experts=experts)
        async with RemoteBase(family, server, recall=recall) as base:
            return list(await asyncio.gather(*map(base.complete, asked)))

    return asyncio.run(together())


def test_the_whole_vocabulary_gives_the_local_engines_text(
    experts: dict[str, Path], server: Server, ours: list[Generation]
) -> None:
    theirs = write(experts, server, ASKED, Recall(VOCABULARY))
    for here, there in zip(ours, theirs, strict=True):
        assert there.text == here.text
        assert there.logprobs == pytest.approx(here.logprobs, abs=5e-3)
        assert all(there.trace.certified)


def test_a_short_list_with_the_certificate_gives_it_too(
    experts: dict[str, Path], server: Server, ours: list[Generation]
) -> None:
    theirs = write(experts, server, ASKED, Recall(top_k=20, top_k_most=VOCABULARY))
    for here, there in zip(ours, theirs, strict=True):
        assert all(there.trace.certified)
        assert there.text == here.text


def test_a_drawn_text_is_the_same_text(experts: dict[str, Path], server: Server) -> None:
    drawn = [
        replace(one, sampling=replace(one.sampling, temperature=0.8, top_p=0.9, seed=3)) for one in ASKED[:2]
    ]

    async def here() -> list[Generation]:
        async with Engine(Family(STARTER / "base", STARTER / "antiexpert", experts=experts)) as engine:
            return list(await asyncio.gather(*map(engine.complete, drawn)))

    local = asyncio.run(here())
    theirs = write(experts, server, drawn, Recall(VOCABULARY))
    assert [one.text for one in theirs] == [one.text for one in local]
