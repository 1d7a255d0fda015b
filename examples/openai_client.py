"""The official OpenAI client against `council serve`, which this program starts and stops."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from openai import OpenAI


@contextmanager
def council_server() -> Iterator[tuple[str, str]]:
    """Address and token of a server on a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token, address = secrets.token_hex(16), f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "proxycouncil", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=os.environ | {"COUNCIL_TOKEN": token}) as server:
        try:
            wait_for(f"{address}/healthz", server)
            yield address, token
        finally:
            server.terminate()


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    """Until it answers, or has ended."""
    while server.poll() is None:
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit("council serve did not start")


def main() -> None:
    """One answer whole, one member's streamed."""
    with council_server() as (address, token), OpenAI(base_url=f"{address}/v1", api_key=token) as client:
        print("models:", ", ".join(model.id for model in client.models.list()))
        done = client.chat.completions.create(
            model="council", messages=[{"role": "user", "content": "What is opportunity cost?"}]
        )
        print("council:", done.choices[0].message.content)
        for source in done.choices[0].message.annotations or []:
            print("  from", source.url_citation.title, source.url_citation.url)
        stream = client.chat.completions.create(
            model="law", messages=[{"role": "user", "content": "What is a contract?"}], stream=True
        )
        print("law: ", end="")
        for chunk in stream:
            if chunk.choices:
                print(chunk.choices[0].delta.content or "", end="", flush=True)
        print()


if __name__ == "__main__":
    main()
