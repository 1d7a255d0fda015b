"""One member reads and casts its ballots. Never raises: whatever happens becomes a ballot that says so."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast

from proxycouncil.graphs.answers import canonical, is_refusal
from proxycouncil.graphs.brief import Brief
from proxycouncil.graphs.citing import citation, cite, relevance
from proxycouncil.graphs.context import CouncilContext, Emit, Member, StoppedReading
from proxycouncil.graphs.quoting import quotable
from proxycouncil.graphs.state import (
    Assignment,
    Ballot,
    Citation,
    ExcerptRecord,
    Method,
    Signals,
    Slate,
    Status,
    Trace,
    Usage,
)
from proxycouncil.graphs.structured import fields, spoken
from proxycouncil.specialists.request import Generation, Request, TextDelta

_GRACE_S = 1.0
"""The engine keeps the deadline itself and hands back what was written; this is for one that does not."""

_NO_SIGNALS = Signals(confidence=None, support=None, logprob=None, kl=None)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One ballot in the making."""

    assignment: Assignment
    member: Member
    slate: Slate
    context: CouncilContext
    emit: Emit
    written: list[str] = field(default_factory=list)
    started: float = field(default_factory=perf_counter)

    @property
    def brief(self) -> Brief:
        """What is asked."""
        given = self.assignment["slate"]
        return Brief(self.member, self.slate, self.assignment["question"], given, self.context)

    @property
    def locale(self) -> str:
        """How the member writes numbers and dates; its own word before the council's."""
        return self.member.locale or self.context.settings.locale

    def say(self, kind: str, **more: object) -> None:
        """Report progress."""
        self.emit({"type": kind, "member": self.member.name, "slate": self.slate, **more})


async def consult(assignment: Assignment, context: CouncilContext, emit: Emit) -> list[Ballot]:
    """The member's ballots: the first on the shared slate, further ones on its own, each in another order."""
    member = context.members.get(assignment["member"])
    if member is None:
        return [_unseated(assignment)]
    readings = [
        _Reading(assignment, member, "own" if index else "shared", context, emit)
        for index in range(context.settings.ballots)
    ]
    return list(await asyncio.gather(*(_ballot(reading) for reading in readings)))


async def reread(assignment: Assignment, context: CouncilContext, emit: Emit) -> Ballot:
    """The member's reading of what is disputed: its assignment's slate."""
    member = context.members.get(assignment["member"])
    if member is None:
        return _unseated(assignment)
    return await _ballot(_Reading(assignment, member, "disputed", context, emit))


async def _ballot(reading: _Reading) -> Ballot:
    """Read under the deadline and the brake; turn every ending into a ballot."""
    reading.say("member.start", alpha=_alpha(reading.member))
    limit = asyncio.timeout(reading.context.settings.deadline_s + _GRACE_S)
    try:
        async with limit:
            with reading.context.consultation.braked(reading.assignment["turn"]):
                ballot = await _read(reading)
    except StoppedReading:
        ballot = _unfinished(reading, "stopped")
    except Exception as failure:  # noqa: BLE001 (whatever it was, it becomes a ballot that says so)
        ballot = (
            _unfinished(reading, "late")
            if limit.expired()
            else _unfinished(reading, "failed", error=f"{type(failure).__name__}: {failure}")
        )
    reading.emit({"type": "ballot", "ballot": ballot})
    return ballot


async def _read(reading: _Reading) -> Ballot:
    """Find what to read, let the steered model write, judge what it wrote."""
    brief = reading.brief
    excerpts = await brief.excerpts()
    generation = await _write(reading, await brief.request(excerpts))
    ballot = _ended(reading, excerpts, generation)
    ballot["usage"] = Usage(
        prompt_tokens=generation.prompt_tokens, completion_tokens=len(generation.token_ids)
    )
    return ballot


def _ended(reading: _Reading, excerpts: list[ExcerptRecord], generation: Generation) -> Ballot:
    if generation.finish_reason == "deadline":
        return _unfinished(reading, "late")
    if generation.finish_reason in ("error", "cancelled"):
        status: Status = "failed" if generation.finish_reason == "error" else "stopped"
        return _unfinished(reading, status, error=generation.error)
    return Ballot({**_judged(reading, excerpts, generation), "trace": _trace(generation)})


async def _write(reading: _Reading, request: Request) -> Generation:
    finished: Generation | None = None
    # To its end: a stream that is left open costs a task that closes it.
    async for event in reading.context.generator.generate(request):
        if isinstance(event, Generation):
            finished = event
        else:
            _keep(reading, event)
    if finished is None:
        raise RuntimeError("the generator ended without a generation")
    return finished


def _keep(reading: _Reading, delta: TextDelta) -> None:
    reading.written.append(delta.text)
    reading.say("member.token", text=delta.text)


def _judged(reading: _Reading, excerpts: list[ExcerptRecord], generation: Generation) -> Ballot:
    """A finished text: an answer, a refusal, or a reading too unsure to stand for itself."""
    text = generation.text.strip()
    confidence = math.exp(generation.mean_logprob) if generation.token_ids else 0.0
    signals = Signals(
        confidence=confidence, support=None, logprob=generation.mean_logprob, kl=_mean(generation.trace.kl)
    )
    method: Method = "steered" if generation.alone is None else "alone"
    if is_refusal(text):
        return _cast(
            reading, "abstained", text, excerpts=excerpts, signals=signals,
            method=method, error=generation.alone,
        )  # fmt: skip
    if reading.context.settings.grammar is not None:
        return _filled(reading, text, excerpts, signals=signals)
    below = reading.context.settings.unsure_below
    quote = quotable(reading.assignment["question"], excerpts) if below and confidence < below else None
    if quote:
        signals["support"], signals["relevance"] = 1.0, quote["score"]
        return _cast(
            reading, "answered", quote["text"], excerpts=excerpts, signals=signals,
            citations=[citation(quote)], method="quoted", error=generation.alone,
        )  # fmt: skip
    citations, signals["support"] = cite(text, reading.assignment["question"], excerpts)
    signals["relevance"] = relevance(citations, excerpts)
    return _cast(
        reading, "answered", text, excerpts=excerpts, signals=signals, citations=citations,
        method=method, error=generation.alone,
    )  # fmt: skip


def _filled(reading: _Reading, text: str, excerpts: Sequence[ExcerptRecord], *, signals: Signals) -> Ballot:
    """An answer under a schema; what it cites supports its values."""
    found = fields(text)
    if found is None:
        tokens = reading.context.settings.max_new_tokens
        return _cast(
            reading, "failed", text, excerpts=excerpts, signals=signals,
            error=f"the answer's JSON was not finished within {tokens} tokens",
        )  # fmt: skip
    citations, signals["support"] = cite(spoken(found), reading.assignment["question"], excerpts)
    signals["relevance"] = relevance(citations, excerpts)
    return _cast(reading, "answered", text, excerpts=excerpts, signals=signals, citations=citations)


def _cast(
    reading: _Reading,
    status: Status,
    text: str,
    *,
    excerpts: Sequence[ExcerptRecord] = (),
    signals: Signals = _NO_SIGNALS,
    citations: Sequence[Citation] = (),
    method: Method = "steered",
    error: str | None = None,
) -> Ballot:
    answers = status == "answered"
    question, locale = reading.assignment["question"], reading.locale if answers else ""
    made = Ballot(
        turn=reading.assignment["turn"],
        member=reading.assignment["member"],
        slate=reading.slate,
        status=status,
        text=text,
        value=canonical(text, question=question, locale=locale).value if answers else "",
        method=method,
        signals=cast(Signals, dict(signals)),
        passage_ids=list(dict.fromkeys(excerpt["passage_id"] for excerpt in excerpts)),
        citations=list(citations),
        error=error,
        seconds=perf_counter() - reading.started,
    )
    if locale:
        made["locale"] = locale
    return made


def _unfinished(reading: _Reading, status: Status, *, error: str | None = None) -> Ballot:
    return _cast(reading, status, "".join(reading.written).strip(), error=error)


def _unseated(assignment: Assignment) -> Ballot:
    """A member that the context does not know: said as a failed ballot, so that no vote is lost silently."""
    nobody = Member(assignment["member"])
    reading = _Reading(assignment, nobody, "shared", cast(CouncilContext, None), lambda _: None)
    return _cast(reading, "failed", "", error=f"no member is called {assignment['member']!r}")


def _trace(generation: Generation) -> Trace:
    steering = generation.trace
    return Trace(
        token_ids=list(generation.token_ids),
        logprobs=list(generation.logprobs),
        kl=list(steering.kl),
        base_top=list(steering.base_top),
        steered_top=list(steering.steered_top),
    )


def _alpha(member: Member) -> float:
    """How strongly the member is steered; 0 where it is the base alone."""
    return sum(pair.alpha for pair in member.pairs)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
