"""What runs on a cluster in tests: councils of the two fakes that say who answered, and note it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from councils import council_of
from fakes import FakeGenerator, FakeSearcher, Script, question_of

from proxycouncil.council.council import Council
from proxycouncil.council.versions.opening import open_config


def open_logging(folder: str, delay_s: float = 0.0) -> Council:
    """Members answer with the number of their process; whoever begins a question notes it in `folder`."""
    begun: set[str] = set()

    def reply(member: str, request: Any) -> Script:
        question = question_of(request)
        if question not in begun:
            begun.add(question)
            with (Path(folder) / f"{os.getpid()}.log").open("a", encoding="utf-8") as log:
                log.write(json.dumps({"question": question, "pid": os.getpid()}) + "\n")
        return Script(f"process {os.getpid()}", delay_s=delay_s)

    return council_of(reply)


def open_versioned(file: str, delay_s: float = 0.0) -> Council:
    """A council of a council.toml whose members say what stands in their expert's settings."""
    config, version = open_config(file)

    def reply(member: str, request: Any) -> Script:
        return Script("an answer in words", delay_s=delay_s)

    return Council(
        config, generator=FakeGenerator(reply), searcher=FakeSearcher(), origin=file, version=version
    )


def begun(folder: Path) -> list[dict[str, Any]]:
    """What was noted, of all processes."""
    lines = [line for log in sorted(folder.glob("*.log")) for line in log.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def wait_until(true: Any, *, seconds: float = 120.0) -> None:
    """Until it is true; fails after so many seconds."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("it did not become true")
        time.sleep(0.05)
