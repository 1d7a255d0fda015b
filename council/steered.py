"""Readings of a question with what steering did at each of their tokens: what text and page both show.

Knows ballots and rows; nothing of colours, HTML or terminals.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxycouncil.council.rendering import visible
from proxycouncil.errors import UsageError
from proxycouncil.specialists.request import SteeringTrace
from proxycouncil.specialists.token_rows import TokenRow, rows_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from proxycouncil.council.council import Council
    from proxycouncil.graphs.state import Ballot
    from proxycouncil.specialists.family import Family

SHADES = (0.05, 0.2, 0.5, 1.0, 2.0)
"""KL in nats from which on a token is shaded one step deeper; below the first it is not shaded."""
STRONGEST = 5
"""Positions that are listed."""


@dataclass(frozen=True, slots=True)
class Steered:
    """What one member wrote in one reading, token by token."""

    member: str
    slate: str
    ending: str
    """How it was cast: answered, abstained, or quoted instead of the member's own words."""
    rows: tuple[TokenRow, ...]

    @property
    def mean_kl(self) -> float:
        """Mean KL(steered‖base) in nats."""
        return sum(row.kl for row in self.rows) / len(self.rows)

    @property
    def changed(self) -> int:
        """Tokens at which steering had another favourite than the base."""
        return sum(row.changed for row in self.rows)

    @property
    def strongest(self) -> list[TokenRow]:
        """Where steering moved the base most, the strongest first; what it left alone is not among them."""
        moved = [row for row in self.rows if row.kl >= SHADES[0] or row.changed]
        return sorted(moved, key=lambda row: (-row.kl, row.position))[:STRONGEST]

    @property
    def summary(self) -> str:
        """Who, how much was moved, and how often."""
        size, share = len(self.rows), self.changed / len(self.rows)
        return (
            f"{self.member} ({self.slate}, {self.ending}): {size} tokens, mean KL {self.mean_kl:.2f} nats,"
            f" another favourite at {self.changed} ({share:.0%})"
        )


def steered(ballots: Iterable[Ballot], tokenizer: PreTrainedTokenizerBase) -> list[Steered]:
    """The readings that were written to their end, by a writer that keeps a trace."""
    return [one for one in (_steered(ballot, tokenizer) for ballot in ballots) if one.rows]


def tokenizer_of(council: Council) -> PreTrainedTokenizerBase:
    """What spells the tokens of a council's ballots.

    Raises:
        UsageError: it was given a generator that is no engine.
    """
    family: Family | None = council.family or getattr(council.generator, "family", None)
    if family is None:
        raise UsageError("what writes here has no vocabulary", hint="tokens are an engine's to tell")
    return family.tokenizer


def shade(kl: float) -> int:
    """How deep a token is shaded: 0 (not at all) to 5."""
    return bisect(SHADES, kl)


def shown(text: str) -> str:
    """A token's text, with white space that would not be seen made visible."""
    return visible(text.replace("\n", "⏎").replace("\t", "⇥"))


def quoted(text: str) -> str:
    """A token's text between quotation marks, so that its spaces count."""
    return f"“{shown(text)}”"


def _steered(ballot: Ballot, tokenizer: PreTrainedTokenizerBase) -> Steered:
    trace = ballot.get("trace")
    ending = "quoted instead" if ballot["method"] == "quoted" else ballot["status"]
    rows: list[TokenRow] = []
    if trace is not None:
        steering = SteeringTrace(tuple(trace["kl"]), tuple(trace["base_top"]), tuple(trace["steered_top"]))
        rows = rows_of(trace["token_ids"], trace["logprobs"], steering, tokenizer=tokenizer)
    return Steered(ballot["member"], ballot["slate"], ending, tuple(rows))
