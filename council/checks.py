"""What a council needs from its machine, checked one by one. Loads no weights, writes nothing."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from proxycouncil.errors import CouncilError

if TYPE_CHECKING:
    from proxycouncil.council.config import CouncilConfig
    from proxycouncil.council.council import Council

Status: TypeAlias = Literal["ok", "warn", "fail"]

_ROOM_BYTES = 1_000_000_000
"""Free space under which a library of some size, or a download, may not fit."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `cure` says what to do and is empty where nothing needs doing."""

    name: str
    status: Status
    detail: str
    cure: str = ""


def examine(council: Council) -> Iterator[Check]:
    """Every check in turn; one that raises has failed with what it raised."""
    config = council.config
    weights = {"anti-expert": config.family.antiexpert, **_experts(config)}
    remote = config.family.base_url is not None
    base = partial(_remote_base, config) if remote else partial(_weights, "base", config.family.base)
    checks: list[tuple[str, Callable[[], Check]]] = [
        ("python", _python),
        ("packages", _packages),
        ("base", base),
        *((name, partial(_weights, name, where)) for name, where in weights.items()),
        ("embedder", partial(_embedder, config)),
        ("library", partial(_library, council)),
        ("calibration", partial(_calibration, council)),
        ("disk", partial(_disk, council)),
        ("threads", partial(_threads, config)),
    ]
    yield from examined(checks)


def examined(checks: Iterable[tuple[str, Callable[[], Check]]]) -> Iterator[Check]:
    """Make checks, each under its name."""
    for name, check in checks:
        try:
            yield check()
        except CouncilError as error:
            yield Check(name, "fail", str(error), error.hint)
        except Exception as error:  # noqa: BLE001 (the patient may have anything)
            yield Check(name, "fail", f"{type(error).__name__}: {error}", "run again with --debug")


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _packages() -> Check:
    """Whether every requirement of this package is installed in a version that it allows."""
    from packaging.requirements import Requirement

    wrong: list[str] = []
    needed = [Requirement(text) for text in requires("proxycouncil") or ()]
    plain = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    for one in plain:
        try:
            found = version(one.name)
        except PackageNotFoundError:
            wrong.append(f"{one.name} is missing")
            continue
        if not one.specifier.contains(found, prereleases=True):
            wrong.append(f"{one.name} {found} is not {one.specifier}")
    if wrong:
        return Check("packages", "fail", "; ".join(wrong), "pip install -c constraints.txt proxycouncil")
    return Check("packages", "ok", f"{len(plain)} requirements met, torch {version('torch')}")


def _experts(config: CouncilConfig) -> dict[str, str]:
    members = {**config.specialists, "general": config.generalist}
    return {f"expert {name}": one.expert for name, one in members.items() if one.expert}


def _weights(name: str, where: str | None) -> Check:
    """Whether the files are there and whole; a header of safetensors says how long its file must be."""
    if where is None:
        return Check(name, "warn", "none set", "set family.antiexpert before giving any member an expert")
    folder = Path(where)
    if not folder.is_absolute():
        return _hub_weights(name, where)
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        return Check(
            name, "fail", f"no *.safetensors in {folder}", "check the path, or make the expert: council tune"
        )
    for file in files:
        fault = _fault_of(file)
        if fault:
            return Check(name, "fail", f"{file}: {fault}", "copy or download the file again")
    return Check(name, "ok", f"{folder} ({sum(file.stat().st_size for file in files) / 1e6:.1f} MB)")


def _remote_base(config: CouncilConfig) -> Check:
    """Whether the server is there, tells log-probabilities, and means the same by its ids."""
    from proxycouncil.council.assembly import base_server
    from proxycouncil.specialists.checkpoint import open_checkpoint
    from proxycouncil.specialists.loading import load_tokenizer
    from proxycouncil.specialists.remote.inspection import inspect_server

    server = base_server(config)
    if server is None or config.family.antiexpert is None:
        return Check("base", "warn", "runs here", "set family.base_url")
    tokenizer = load_tokenizer(open_checkpoint(config.family.antiexpert))
    once = replace(server, retries=0)  # somebody is waiting for the finding
    return Check("base", "ok", asyncio.run(inspect_server(once, tokenizer, top_k=config.family.top_k)))


def _hub_weights(name: str, where: str) -> Check:
    from huggingface_hub import try_to_load_from_cache

    repository, _, revision = where.partition("@")
    for file in ("config.json", "adapter_config.json"):
        if isinstance(try_to_load_from_cache(repository, file, revision=revision or None), str):
            return Check(name, "ok", f"{where} in the hub's cache")
    return Check(name, "warn", f"{where} is not downloaded", f"hf download {repository}")


def _fault_of(file: Path) -> str | None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(file), framework="np") as tensors:
            return None if tensors.keys() else "holds no tensors"
    except (SafetensorError, OSError) as error:
        return f"not a whole safetensors file ({error})"


def _embedder(config: CouncilConfig) -> Check:
    from proxycouncil.retrieval.embedder import Embedder

    embedder = Embedder(config.retrieval.embedder)
    return Check("embedder", "ok", f"{embedder.name}, fingerprint {embedder.fingerprint}")


def _library(council: Council) -> Check:
    domains = council.library.domains
    if not domains:
        return Check("library", "warn", "no documents", "council ingest DOMAIN PATH…")
    silent = sorted(set(council.config.specialists) - set(domains))
    if silent:
        cure = f"council ingest {silent[0]} PATH…"
        return Check("library", "warn", f"no documents for {', '.join(silent)}", cure)
    return Check("library", "ok", f"{len(domains)} domains: {', '.join(domains)}")


def _calibration(council: Council) -> Check:
    """Whether confidences were fitted, and on this council as it is."""
    cure = "council calibrate QUESTIONS"
    if "confidence" not in (council.calibration or {}):
        return Check("calibration", "warn", "confidences are not calibrated", cure)
    if council.stale:
        return Check(
            "calibration", "warn", f"stale: {', '.join(council.stale)} changed since it was fitted", cure
        )
    votes = "votes and confidences" if "vote" in (council.calibration or {}) else "confidences"
    return Check(
        "calibration", "ok", f"{votes} fitted on this council, as far as it says what it was fitted on"
    )


def _disk(council: Council) -> Check:
    """Whether the place of the library can be written, with room to spare."""
    place = _library_place(council)
    nearest = next(folder for folder in (place, *place.parents) if folder.is_dir())
    if not os.access(nearest, os.W_OK):
        return Check(
            "disk", "warn", f"{nearest} can't be written", "reading works; ingesting needs the permission"
        )
    with tempfile.TemporaryFile(dir=nearest) as probe:
        probe.write(b"probe")
    free = shutil.disk_usage(nearest).free
    if free < _ROOM_BYTES:
        return Check("disk", "warn", f"{free / 1e9:.1f} GB free at {nearest}", "make room before ingesting")
    return Check("disk", "ok", f"{free / 1e9:.0f} GB free at {nearest}")


def _library_place(council: Council) -> Path:
    """Where passages are kept: the starter's library lies in the cache, whatever its settings say."""
    from proxycouncil.retrieval.library import Library

    try:
        library = council.library
    except CouncilError:
        return council.config.retrieval.path
    place = library.stats().place if isinstance(library, Library) else ""
    return Path(place) if Path(place).is_absolute() else council.config.retrieval.path


def _threads(config: CouncilConfig) -> Check:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = config.family.threads or torch.get_num_threads()
    if threads > cores:
        cure = f"set family.threads to {cores} or fewer"
        return Check("threads", "warn", f"{threads} threads of torch on {cores} cores", cure)
    return Check(
        "threads", "ok", f"{threads} threads of torch on {cores} cores, device {config.family.device}"
    )
