"""Where conversations are kept, in memory unless the settings name a database; and long-term memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from proxycouncil.errors import ConfigError

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.store.base import BaseStore
    from psycopg_pool import AsyncConnectionPool

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")
_CONNECTIONS = 4
_CONNECT_WITHIN_S = 10.0


def open_saver(url: str | None) -> AbstractAsyncContextManager[BaseCheckpointSaver[str]]:
    """A LangGraph checkpointer for `sqlite:///FILE` or `postgresql://…`; without a URL one that forgets.

    Raises:
        ConfigError: no such database can be used; said without its password.
    """
    if url is None:
        return _in_memory()
    if url.startswith(_SQLITE):
        return _sqlite(Path(url.removeprefix(_SQLITE)))
    if url.startswith(_POSTGRES):
        return _postgres(url)
    raise ConfigError(
        f"conversations can't be kept in {url.partition(':')[0]}",
        hint="use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE",
    )


def open_store(url: str) -> AbstractAsyncContextManager[BaseStore]:
    """A LangGraph store for `sqlite:///FILE` or `postgresql://…`.

    Raises:
        ConfigError: no such database can be used; said without its password.
    """
    if url.startswith(_SQLITE):
        return _sqlite_store(Path(url.removeprefix(_SQLITE)))
    return _postgres_store(url)


def beside(url: str | None) -> Path | None:
    """Where files that belong to conversations are kept; None: nowhere for longer than the process."""
    if url is None or not url.startswith(_SQLITE):
        return None
    file = Path(url.removeprefix(_SQLITE)).expanduser()
    return file.with_name(f"{file.name}.attachments")


@asynccontextmanager
async def _in_memory() -> AsyncIterator[BaseCheckpointSaver[str]]:
    from langgraph.checkpoint.memory import InMemorySaver

    yield InMemorySaver()


@asynccontextmanager
async def _sqlite(file: Path) -> AsyncIterator[BaseCheckpointSaver[str]]:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    await asyncio.to_thread(_check, file, "can't keep conversations", "council.checkpoints")
    async with AsyncSqliteSaver.from_conn_string(str(file)) as saver:
        yield saver


@asynccontextmanager
async def _sqlite_store(file: Path) -> AsyncIterator[BaseStore]:
    import sqlite3

    from langgraph.store.sqlite.aio import AsyncSqliteStore

    fault, setting = "can't keep what is remembered", "memory.store"
    await asyncio.to_thread(_check, file, fault, setting)
    try:
        async with AsyncSqliteStore.from_conn_string(str(file)) as store:
            await store.setup()
            yield store
    except sqlite3.OperationalError as error:
        raise _unusable(file, fault, setting, error) from error


def _check(file: Path, fault: str, setting: str) -> None:
    """Open and read the database once, plainly.

    Where that fails in aiosqlite it leaves a thread behind that answers to an event loop which may be closed.
    """
    import sqlite3
    from contextlib import closing

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA schema_version")
    except (OSError, sqlite3.DatabaseError) as error:
        raise _unusable(file, fault, setting, error) from error


def _unusable(file: Path, fault: str, setting: str, error: Exception) -> ConfigError:
    return ConfigError(f"{file} {fault}: {error}", hint=f"free space, mend its rights, or {setting}")


@asynccontextmanager
async def _postgres(url: str) -> AsyncIterator[BaseCheckpointSaver[str]]:
    async with _pool(url, setting="council.checkpoints") as pool:
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        yield saver


@asynccontextmanager
async def _postgres_store(url: str) -> AsyncIterator[BaseStore]:
    async with _pool(url, setting="memory.store") as pool:
        from langgraph.store.postgres.aio import AsyncPostgresStore

        store = AsyncPostgresStore(pool)
        await store.setup()
        yield store


@asynccontextmanager
async def _pool(url: str, *, setting: str) -> AsyncIterator[AsyncConnectionPool[Any]]:
    """A pool rather than one connection: it outlives a restart of the server."""
    try:
        import langgraph.checkpoint.postgres  # noqa: F401 (comes with the same extra)
        from psycopg.rows import dict_row
        from psycopg_pool import AsyncConnectionPool, PoolTimeout
    except ImportError as error:
        raise ConfigError(
            f"PostgreSQL needs a package that is missing: {error.name}",
            hint="pip install 'proxycouncil[postgres]'",
        ) from error
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        url,
        max_size=_CONNECTIONS,
        min_size=1,
        open=False,
        check=AsyncConnectionPool.check_connection,
        # What LangGraph asks for: its migrations can't run inside a transaction.
        kwargs={"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row},
    )
    try:
        await pool.open(wait=True, timeout=_CONNECT_WITHIN_S)
    except PoolTimeout as error:
        await pool.close()
        raise ConfigError(
            f"no PostgreSQL server answers at {_shown(url)}",
            hint=f"start it, or mend {setting}; user, password and database must be right too",
        ) from error
    async with pool:
        yield pool


def _shown(url: str) -> str:
    """The address without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or 5432}{parts.path}"
