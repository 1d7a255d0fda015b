"""Where conversations are kept: in memory unless the settings name a database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from proxycouncil.errors import ConfigError

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

_SQLITE = "sqlite:///"


@asynccontextmanager
async def open_saver(url: str | None) -> AsyncIterator[BaseCheckpointSaver[str]]:
    """A LangGraph checkpointer for `sqlite:///FILE`, or one that forgets with the process."""
    if url is None:
        from langgraph.checkpoint.memory import InMemorySaver

        yield InMemorySaver()
    elif url.startswith(_SQLITE):
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        file = Path(url.removeprefix(_SQLITE))
        file.parent.mkdir(parents=True, exist_ok=True)
        async with AsyncSqliteSaver.from_conn_string(str(file)) as saver:
            yield saver
    else:
        raise ConfigError(
            f"checkpoints in {url.partition(':')[0]} are not supported yet", hint="use sqlite:///FILE"
        )
