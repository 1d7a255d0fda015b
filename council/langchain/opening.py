"""Which council a LangChain object talks to: one that it was given, or the one that its `config` names.

Objects that name the same council share it, so that a chain of five does not load the weights five times.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxycouncil.council.council import Council

STARTER = "starter"


@lru_cache(maxsize=8)
def shared_council(config: str) -> Council:
    """The council of this process for `starter` or the path of a council.toml."""
    from proxycouncil.council.council import Council

    return Council.starter() if config == STARTER else Council.from_file(config)


def chosen_council(given: Council | None, config: str) -> Council:
    """The council that was given, else the shared one."""
    return shared_council(config) if given is None else given
