"""How much is asked of a server about one place, and who goes on without it. Knows nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Fallback: TypeAlias = Literal["none", "expert"]


@dataclass(frozen=True, slots=True)
class Recall:
    """How much is asked for of a place, and how far a doubt is followed."""

    top_k: int = 20
    """Log-probabilities asked for at every place."""
    top_k_most: int | None = None
    """The longest list asked for where the favourite is in doubt; None: never a longer one."""
    contenders: int = 4
    """Tokens asked for by name where the favourite is in doubt, at most; more make the list longer."""
    fallback: Fallback = "none"
    """Who goes on where the server is gone: nobody, or the member's expert alone."""
