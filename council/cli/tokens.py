"""`council ask --tokens` and `--tokens-html`: what steering did, after the answer.

Knows events and reporters; how it looks is in `tokens_text` and `tokens_page`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from proxycouncil.council.events import Answer, BallotEvent, CouncilEvent, DecisionEvent
from proxycouncil.council.rendering import console_for
from proxycouncil.council.steered import steered, tokenizer_of
from proxycouncil.council.tokens_page import save_page, tokens_page
from proxycouncil.council.tokens_text import show_tokens
from proxycouncil.errors import UsageError

if TYPE_CHECKING:
    from proxycouncil.council.cli.reporting import Reporter
    from proxycouncil.council.council import Council
    from proxycouncil.graphs.state import Ballot


class TokensReporter:
    """Reports as another does and then shows the tokens: on stderr, so that stdout stays the answer's."""

    def __init__(self, reporter: Reporter, council: Council, *, show: bool, page: Path | None) -> None:
        self._reporter, self._council = reporter, council
        self._show, self._page = show, page
        self._ballots: list[Ballot] = []

    def show(self, event: CouncilEvent) -> None:
        """One event, as it happens; the tokens behind the last."""
        self._reporter.show(event)
        if isinstance(event, BallotEvent):
            self._ballots.append(event.ballot)
        elif isinstance(event, DecisionEvent) and event.outcome != "error":
            self._tell(event.question, self._ballots)

    def report(self, answer: Answer) -> None:
        """A whole answer at once, and its tokens."""
        self._reporter.report(answer)
        if answer.outcome != "error":
            self._tell(answer.decision.question, answer.ballots)

    def _tell(self, question: str, ballots: list[Ballot]) -> None:
        readings = steered(ballots, tokenizer_of(self._council))
        if self._show or not readings:
            console = console_for(sys.stderr)
            console.print()
            show_tokens(console, readings)
        if self._page is not None and readings:
            save_page(self._page, tokens_page(question, readings))


def check_page(page: Path | None, *, several: bool) -> None:
    """Refuse before anything is asked what could not be written after it.

    Raises:
        UsageError: the file is there already, or there is more than one question.
    """
    if several:
        raise UsageError("--tokens and --tokens-html show one question", hint="leave --file out")
    if page is not None and page.exists():
        raise UsageError(f"{page} is there already", hint="name another file")
