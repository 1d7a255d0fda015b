"""What the graph needs from the outside world, and no more: something that writes, something that finds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from proxycouncil.retrieval.passage import Affinity, Excerpt
from proxycouncil.specialists.request import Event, Likelihood, Request

SlateForm: TypeAlias = Literal["sentences", "passages"]
SlateOrder: TypeAlias = Literal["best_first", "best_last", "edges", "shuffled"]


class Generator(Protocol):
    """Writes text; `proxycouncil.specialists.Engine` is one."""

    def generate(self, request: Request) -> AsyncIterator[Event]:
        """Yield text as it is written and, last, exactly one `Generation`."""
        ...


@runtime_checkable
class Scorer(Protocol):
    """A generator that also says how likely it would have written a text: `Engine` is one, a base behind a
    server is not, and a council does without."""

    async def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[list[Likelihood]]:
        """For every request, how likely each of its texts is as the answer.

        Raises:
            NotSupportedError: it looked like one and can't.
        """
        ...


class Searcher(Protocol):
    """Finds text; `proxycouncil.retrieval.Library` is one. Its methods block: nodes call them in threads."""

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the collections, sorted."""
        ...

    @property
    def embedder_fingerprint(self) -> str:
        """What a calibration of routes was fitted on."""
        ...

    def affinities(self, question: str) -> Mapping[str, Affinity]:
        """How near the question is to each domain."""
        ...

    def slate(
        self,
        question: str,
        *,
        domains: Sequence[str] | None = None,
        form: SlateForm = "sentences",
        limit: int = 4,
        order: SlateOrder = "best_first",
        seed: int = 0,
    ) -> list[Excerpt]:
        """The best excerpts over the named collections (all by default), in the asked order."""
        ...

    def similarity(self, texts: Sequence[str]) -> list[list[float]]:
        """Pairwise cosine of the texts; a prefilter for grouping, never a verdict."""
        ...
