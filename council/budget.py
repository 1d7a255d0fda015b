"""Slates that fit the base's prompt: the lowest ranked excerpts are left out, and that is said."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from proxycouncil.graphs.forwarding import ForwardingSearcher
from proxycouncil.graphs.protocols import SlateForm, SlateOrder

if TYPE_CHECKING:
    from proxycouncil.council.attachments import AttachedSearcher
    from proxycouncil.retrieval.library import Library
    from proxycouncil.retrieval.passage import Excerpt

_log = logging.getLogger(__name__)


class BudgetedSearcher(ForwardingSearcher["Library | AttachedSearcher"]):
    """A library as a `Searcher` whose slates take at most `tokens` tokens of the reading model."""

    def __init__(
        self, library: Library | AttachedSearcher, *, tokens: int, count: Callable[[str], int]
    ) -> None:
        super().__init__(library)
        self._tokens = tokens
        self._count = count

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
        """As the library's, without what does not fit."""
        found = self.library.slate(question, domains=domains, form=form, limit=limit, order=order, seed=seed)
        # A token has at least one byte, so a short slate need not wait for the tokenizer.
        if sum(len(f"{one.passage.title}: {one.text}".encode()) for one in found) <= self._tokens:
            return found
        fitting = self.library.slate(
            question, domains=domains, form=form, limit=limit, order=order, seed=seed,
            budget_tokens=self._tokens, count_tokens=self._count,
        )  # fmt: skip
        if len(fitting) < len(found):
            _log.warning(
                "read %d of %d excerpts: the others do not fit into %d tokens (retrieval.budget_tokens)",
                len(fitting), len(found), self._tokens,
            )  # fmt: skip
        return fitting
