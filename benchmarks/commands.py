"""`council` commands run as a user runs them, each in a process of its own, with what it took and said."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Ran:
    """One command and what came of it."""

    command: str
    code: int
    wall_s: float
    cpu_s: float
    """Of all its threads and children: what it takes on one core that nobody else uses."""
    out: str
    err: str

    def line(self) -> str:
        """For people."""
        ended = "" if self.code == 0 else f"  exit {self.code}"
        return f"{self.wall_s:7.0f} s{self.cpu_s:7.0f} s of a core  {self.command}{ended}"


def council(*arguments: str, within: Path, codes: Sequence[int] = (0,)) -> Ran:
    """Run one command in a folder.

    Raises:
        SystemExit: it ended otherwise than with one of these codes.
    """
    began, used = time.perf_counter(), _used()
    done = subprocess.run(
        [sys.executable, "-m", "proxycouncil", *arguments],
        cwd=within,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    shown = " ".join(f'"{one}"' if " " in one else one for one in arguments)
    ran = Ran(
        f"council {shown}",
        done.returncode,
        time.perf_counter() - began,
        _used() - used,
        done.stdout,
        done.stderr,
    )
    print(ran.line(), flush=True)
    if done.returncode not in codes:
        raise SystemExit(f"{ran.command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return ran


def told(ran: Sequence[Ran]) -> dict[str, Any]:
    """All of them, for `--json`."""
    return {
        "wall_s": sum(one.wall_s for one in ran),
        "cpu_s": sum(one.cpu_s for one in ran),
        "commands": [asdict(one) for one in ran],
    }


def _used() -> float:
    """CPU seconds of all processes that were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
