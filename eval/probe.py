"""Has a model changed behind our back? The same questions again, held against how much answers vary anyway.

A provider may replace a model under its name. At the start the questions are asked twice: how much the second
differs from the first is the noise of this council as it is. Each later asking is compared with the first,
and called changed where it differs by more than the noise did, question by question. Two signs, each tested
exactly and one-sided, together at 1 %, since a probe is repeated for months:

- **answers** that changed although what was read did not;
- **log-probabilities** of readings whose words did not change: a model that was quantized or tuned on moves
  those long before it says anything else.

Knows saved runs; knows no council and no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from proxycouncil.eval.paired import fewer
from proxycouncil.eval.regress import Pair, paired, read_alike
from proxycouncil.eval.runs import Record, same_answer

LEVEL = 0.01


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign: how far the runs differ now and differed at the start, and how likely that is by chance."""

    questions: int
    now: float
    noise: float
    p: float


@dataclass(frozen=True, slots=True)
class Probe:
    """What one asking says beside the first."""

    changed: bool
    answers: Sign
    """Shares of questions with another answer."""
    logprobs: Sign
    """Medians over questions of the mean |Δ log-probability| of a token, in nats."""
    ids: tuple[str, ...]
    """Questions with another answer."""
    failed: int
    """Questions that failed today, or at the start: a server that is gone has not changed its model."""


def probe(first: Sequence[Record], again: Sequence[Record], now: Sequence[Record]) -> Probe:
    """Compare runs with the first ones.

    Args:
        first: the runs at the start.
        again: of the same council, right after: the noise.
        now: of whatever answers today.

    Raises:
        UsageError: the runs are not of the same questions.
    """
    noise = {pair.id: pair for pair in paired(first, again)[0]}
    asked = [(noise[pair.id], pair) for pair in paired(first, now)[0] if pair.id in noise]
    both = [(before, pair) for before, pair in asked if not (_failed(before) or _failed(pair))]
    answers = _answers([(a, b) for a, b in both if read_alike(a) and read_alike(b)])
    logprobs = _logprobs(both)
    return Probe(
        changed=min(answers.p, logprobs.p) < LEVEL / 2,
        answers=answers,
        logprobs=logprobs,
        ids=tuple(pair.id for _, pair in both if read_alike(pair) and not same_answer(pair.old, pair.new)),
        failed=len(asked) - len(both),
    )


def _failed(pair: Pair) -> bool:
    return "error" in (pair.old["decision"]["outcome"], pair.new["decision"]["outcome"])


def _answers(both: Sequence[tuple[Pair, Pair]]) -> Sign:
    before = [not same_answer(pair.old, pair.new) for pair, _ in both]
    after = [not same_answer(pair.old, pair.new) for _, pair in both]
    p = fewer([b - a for b, a in zip(before, after, strict=True)])
    count = max(1, len(both))
    return Sign(len(both), now=sum(after) / count, noise=sum(before) / count, p=p)


def _logprobs(both: Sequence[tuple[Pair, Pair]]) -> Sign:
    found = [(_moved(before), _moved(after)) for before, after in both]
    moved = [(before, after) for before, after in found if before is not None and after is not None]
    if not moved:
        return Sign(0, now=0.0, noise=0.0, p=1.0)
    further = [(before > after) - (after > before) for before, after in moved]
    return Sign(
        len(moved),
        now=median(after for _, after in moved),
        noise=median(before for before, _ in moved),
        p=fewer(further),
    )


def _moved(pair: Pair) -> float | None:
    """Mean |Δ log-probability| of a token over readings whose tokens are the same; None where none is."""
    old, new = _readings(pair.old), _readings(pair.new)
    moved = [
        abs(before - after)
        for key in old.keys() & new.keys()
        for before, after in zip(old[key], new[key], strict=True)
    ]
    return fmean(moved) if moved else None


def _readings(record: Record) -> dict[tuple[str, str, tuple[int, ...]], list[float]]:
    """Log-probabilities by member, slate and tokens."""
    return {
        (ballot["member"], ballot["slate"], tuple(ballot["trace"]["token_ids"])): ballot["trace"]["logprobs"]
        for ballot in record["ballots"]
        if ballot.get("trace") and ballot["trace"]["logprobs"]
    }
