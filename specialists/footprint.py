"""What an engine holds: weights once and caches as computed, against the most that was seen.

Knows a family, requests and the system's account of this process; nothing of how figures are shown.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proxycouncil.specialists.family import Family
    from proxycouncil.specialists.request import Request

_STATUS = Path("/proc/self/status")
_PAUSE_S = 0.005
"""Between two looks."""
_TINY = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers")


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes."""

    weights: int
    """Of every model and every adapter, once."""
    caches: int
    """Of all texts that were written together, at their longest."""
    peak: int | None
    """The most that the process grew by; None where the system doesn't tell."""

    @property
    def ratio(self) -> float | None:
        """The most that was held, over weights and caches."""
        return None if self.peak is None else self.peak / (self.weights + self.caches)

    def as_dict(self) -> dict[str, float | None]:
        """All figures, for JSON."""
        return asdict(self) | {"peak_over_sum": None if self.ratio is None else round(self.ratio, 3)}


class Watch(threading.Thread):
    """Looks at the memory of this process until it is stopped."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._most = anonymous_bytes()
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look again and again; where the system doesn't tell, not at all."""
        while self._most is not None and not self._stopped.wait(_PAUSE_S):
            self._most = max(self._most, anonymous_bytes() or 0)

    def stop(self) -> int | None:
        """The most that was seen, in bytes."""
        self._stopped.set()
        self.join()
        return self._most


def anonymous_bytes() -> int | None:
    """Resident memory of this process that is no file's: pages of weights' files are the kernel's own."""
    if not _STATUS.is_file():
        return None
    lines = _STATUS.read_text("utf-8").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon")), None)


def footprint(open_family: Callable[[], Family], requests: Sequence[Request]) -> Footprint:
    """Load a family, let it write some texts at once, and look.

    To be called in a process of its own: what other work has left free is reused and not seen. Imports and
    the libraries' own buffers are not counted.
    """
    from proxycouncil.specialists.job import Job

    before = _settled()
    watch = Watch()
    watch.start()
    family = open_family().load()
    jobs = [Job(one, lambda _: None, 0.0) for one in requests]
    for job in jobs:
        job.prepare(family)
    caches = sum(job.cache_bytes for job in jobs)
    asyncio.run(_write(family, requests))
    most = watch.stop()
    peak = None if before is None or most is None else most - before
    return Footprint(family.weight_bytes, caches, peak)


def _settled() -> int | None:
    """What this process holds once all libraries are imported: a tiny model was made, saved and loaded."""
    from tempfile import TemporaryDirectory

    import torch
    import transformers

    from proxycouncil.specialists.checkpoint import open_checkpoint
    from proxycouncil.specialists.loading import load_decoder

    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    sizes: dict[str, Any] = dict.fromkeys(_TINY, 8)
    tiny = transformers.LlamaConfig(**sizes, num_attention_heads=2, num_key_value_heads=1)
    made: Any = transformers.AutoModelForCausalLM
    with TemporaryDirectory() as folder:
        made.from_config(tiny).save_pretrained(folder)
        model = load_decoder(open_checkpoint(folder), torch.device("cpu"), torch.float32)
    with torch.inference_mode():
        model(torch.ones(2, 4, dtype=torch.long))
    return anonymous_bytes()


async def _write(family: Family, asked: Sequence[Request]) -> None:
    from proxycouncil.specialists.engine import Engine

    async with Engine(family) as engine:
        await asyncio.gather(*map(engine.complete, asked))
