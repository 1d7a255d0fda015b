"""A council of fakes with parts in files, so that versions of it can be made, compared and promoted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from councils import ANSWER, QUESTION
from fakes import FakeGenerator, FakeSearcher, question_of
from safetensors.numpy import save_file

from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.council.council import Council
from proxycouncil.council.versions.opening import open_config

TOML = """
[family]
base = "./base"
antiexpert = "./antiexpert"
device = "cpu"

[specialists.economics]
expert = "./experts/economics"
description = "All of economics."

[generalist]
expert = "./experts/general"

[council]
max_new_tokens = 6
calibration = "calibration.json"
"""


def write_expert(folder: Path, says: str) -> Path:
    """A whole adapter as far as files go; what it says stands in its settings."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({"says": says}), encoding="utf-8")
    save_file({"a": np.zeros(3, dtype=np.float32)}, folder / "adapter_model.safetensors")
    return folder


def write_model(folder: Path) -> None:
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    save_file({"a": np.zeros(3, dtype=np.float32)}, folder / "model.safetensors")


def write_council(tmp_path: Path) -> Path:
    """A council.toml with parts beside it, and twenty questions."""
    (tmp_path / "council.toml").write_text(TOML, encoding="utf-8")
    (tmp_path / "calibration.json").write_text("{}", encoding="utf-8")
    for name in ("base", "antiexpert"):
        write_model(tmp_path / name)
    for name in ("economics", "general"):
        write_expert(tmp_path / "experts" / name, ANSWER)
    lines = [
        {"id": f"q{n}", "question": f"{QUESTION} ({n})", "accepted": [ANSWER], "domain": "economics"}
        for n in range(20)
    ]
    (tmp_path / "asked.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path / "council.toml"


def open_fake(reference: Path | None) -> Council:
    """A council whose members say what stands in their expert's settings."""
    config, version = open_config(reference or Path("council.toml"))
    members = {**config.specialists, "general": config.generalist}
    says = {
        name: json.loads((Path(one.expert or "") / "adapter_config.json").read_text())["says"]
        for name, one in members.items()
    }

    def reply(member: str, request: Any) -> str:
        return str(says[member]).replace("{question}", question_of(request))

    return Council(
        config,
        generator=FakeGenerator(reply),
        searcher=FakeSearcher(),
        origin=str(reference),
        version=version,
    )


def council(file: Path, *arguments: str) -> int:
    config = ["--config", str(file)]
    return run([arguments[0], *config, *arguments[1:]], Process(open_fake))


def promote(file: Path, *more: str) -> int:
    return council(file, "promote", "--questions", str(file.with_name("asked.jsonl")), *more)
