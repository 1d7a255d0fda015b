"""What a cold `council ask` costs beside the bare imports of its libraries: pairs in turn, medians.

    python -m benchmarks.cold [--pairs 5] [--json FILE]

Wall and CPU seconds of whole processes. The bare imports load torch, transformers' Llama class,
sentence_transformers, chromadb and langgraph, one after another, in one process. Also what loading the
starter's family takes behind those imports (base, anti-expert and seven experts), and its first question once
models and index are open, and once `Council.prepare()` has opened the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

BARE = """
import torch
from transformers import LlamaForCausalLM
import sentence_transformers, chromadb, langgraph.graph
"""
LIGHT = "import proxycouncil"
LOADING = f"""
{BARE}
from proxycouncil.council import starter
from proxycouncil.council.assembly import open_family
from proxycouncil.council.config import CouncilConfig
from proxycouncil.specialists import engine
config = CouncilConfig.load(starter.DIRECTORY / "council.toml")
began = clock()
family = open_family(config).load()
for expert in (*config.specialists, "general"):
    family.part(expert)
told(began)
"""
FIRST = """
from proxycouncil import Council
with Council.starter() as council:
    {opened}
    began = clock()
    council.ask("What is opportunity cost?")
    told(began)
"""
INSIDE = {
    "loading the family": LOADING,
    "first question, models and index open": FIRST.format(opened="council.library, council.family"),
    "first question, prepared": FIRST.format(opened="council.prepare()"),
}
"""Scripts that time a part of themselves."""
TIMING = """
import time
def clock():
    return time.perf_counter(), time.process_time()
def told(began):
    print(*(now - then for now, then in zip(clock(), began)))
"""
OFFLINE = os.environ | {"HF_HUB_OFFLINE": "1"}
COMMANDS = {
    "bare imports": [sys.executable, "-c", BARE],
    "council ask": [sys.executable, "-m", "proxycouncil", "ask", "What is opportunity cost?"],
    "council --help": [sys.executable, "-m", "proxycouncil", "--help"],
    "import proxycouncil": [sys.executable, "-c", LIGHT],
}


def run(command: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=OFFLINE)
    wall = perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def timed(script: str) -> tuple[float, float]:
    """Wall and CPU seconds of the part that a script times."""
    command = [sys.executable, "-c", TIMING + script]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=OFFLINE)
    wall, cpu = map(float, done.stdout.split())
    return wall, cpu


def measure(pairs: int) -> dict[str, object]:
    """Every command in turn, `pairs` times, after one round that is not counted."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in (*COMMANDS, *INSIDE)}
    for round_number in range(pairs + 1):
        for name, command in COMMANDS.items():
            figures = run(command)
            if round_number:
                seen[name].append(figures)
        if round_number:
            for name, script in INSIDE.items():
                seen[name].append(timed(script))
    ratios = [ask[0] / bare[0] for ask, bare in zip(seen["council ask"], seen["bare imports"], strict=True)]
    return {
        "wall_s": {name: median(wall for wall, _ in runs) for name, runs in seen.items()},
        "cpu_s": {name: median(cpu for _, cpu in runs) for name, runs in seen.items()},
        "ask_vs_bare_imports": median(ratios),
        "ratios": ratios,
    }


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pairs", type=int, default=5)
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    figures = measure(chosen.pairs)
    print(json.dumps(figures, indent=2))
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
