"""A process that reads foreign formats, and its parent's end of the wire.

A parser of other people's files may crash, hang or eat all memory, and some files are made so that it does.
In a process of its own, with bounded memory and time, that costs one file. Nothing of ours is known here but
documents; requests and replies are one line of JSON each.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from proxycouncil.errors import UsageError
from proxycouncil.retrieval.document import Document, Mark

MEMORY_BYTES = 6_000_000_000
"""Address space of the reading process: libraries map much that they never use."""
_CHUNK = 1 << 16


class ReadingProcess:
    """Reads one file after the other in a child; started when needed, and anew when it died.

    Args:
        seconds: after which a file is given up.
    """

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def read(self, path: Path, kind: str) -> Document:
        """What the reader of that kind makes of the file.

        Raises:
            UsageError: what the reader says is wrong, or how it died.
        """
        child = self._running()
        stdin = child.stdin
        try:
            if stdin is None:
                raise BrokenPipeError
            stdin.write(json.dumps({"path": str(path), "kind": kind}).encode() + b"\n")
            stdin.flush()
            reply: dict[str, Any] = json.loads(self._line(child))
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            self.close()
            raise UsageError(
                f"{path}: {_death(error, child.returncode, self._seconds)}",
                hint="the file is damaged or too much: convert it to text, or leave it out",
            ) from error
        if "error" in reply:
            raise UsageError(f"{path}: {reply['error']}", hint=reply["hint"])
        marks = tuple(Mark(start, place, tuple(headings)) for start, place, headings in reply["marks"])
        return Document(reply["text"], reply["form"], marks, tuple(reply["notes"]), reply["reader"])

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child, self._rest = None, b""

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            import proxycouncil

            home = str(Path(proxycouncil.__file__).parents[1])
            paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
            self._child = subprocess.Popen(
                [sys.executable, "-m", "proxycouncil.retrieval.extracting"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
            )
        return self._child

    def _line(self, child: subprocess.Popen[bytes]) -> bytes:
        pipe = child.stdout
        if pipe is None:
            raise EOFError
        end = time.monotonic() + self._seconds
        parts = [self._rest]
        while b"\n" not in parts[-1]:
            ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise TimeoutError
            parts.append(os.read(pipe.fileno(), _CHUNK))
            if not parts[-1]:
                child.wait()
                raise EOFError
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return line


def _death(error: Exception, code: int | None, seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"could not be read in {seconds:.0f} s"
    return f"its reader died (exit {code})"


def serve() -> None:
    """Answer requests until there are no more. Whatever a library prints goes nowhere near the replies."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _bound_memory()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        replies.write(json.dumps(_answer(Path(request["path"]), request["kind"])).encode() + b"\n")
        replies.flush()


def _answer(path: Path, kind: str) -> dict[str, Any]:
    from proxycouncil.retrieval.formats import extract

    try:
        document = extract(path, kind)
    except UsageError as error:
        return {"error": str(error), "hint": error.hint}
    except MemoryError:
        return {"error": "needs too much memory", "hint": "split the file"}
    except Exception as error:  # noqa: BLE001 (a parser's own kinds: each of them means a file it can't read)
        cause = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return {"error": f"is broken: {cause}", "hint": "open it and save it anew, or convert it to text"}
    return {
        "text": document.text,
        "form": document.form,
        "marks": [[mark.start, mark.place, mark.headings] for mark in document.marks],
        "notes": document.notes,
        "reader": document.reader,
    }


def _bound_memory() -> None:
    with suppress(ImportError, ValueError, OSError):  # where there is no such bound, time is the only one
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


if __name__ == "__main__":
    serve()
