"""What `council ask` prints: events for machines, an answer for people."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Protocol

from proxycouncil.council.events import (
    Answer,
    BallotEvent,
    CouncilEvent,
    DecisionEvent,
    PartEvent,
    PlanEvent,
    RouteEvent,
    VoteEvent,
)
from proxycouncil.council.rendering import (
    Locate,
    asked_line,
    ballot_line,
    console_for,
    dissent_lines,
    numbered_answer,
    one_line,
    part_line,
    plan_lines,
    verdict,
)


class Reporter(Protocol):
    """Shows what happens and what was decided."""

    def show(self, event: CouncilEvent) -> None:
        """One event, as it happens."""
        ...

    def report(self, answer: Answer) -> None:
        """A whole answer at once, one of many."""
        ...


class JsonReporter:
    """One object a line, ASCII only: no character of a text can look like the end of a line."""

    def show(self, event: CouncilEvent) -> None:
        """Print the event at once, also into a pipe."""
        sys.stdout.write(event.model_dump_json(ensure_ascii=True) + "\n")
        sys.stdout.flush()

    def report(self, answer: Answer) -> None:
        """Print what was routed, cast, counted and decided."""
        for event in events_of(answer):
            self.show(event)


class TextReporter:
    """The answer on stdout and nothing else; progress and verdict on stderr."""

    def __init__(self, *, locate: Locate, several: bool = False) -> None:
        self._locate = locate
        self._answers = console_for(sys.stdout)
        self._progress = console_for(sys.stderr)
        self._several = several
        self._answered = 0

    def show(self, event: CouncilEvent) -> None:
        """Progress; or the decision."""
        match event:
            case PlanEvent():
                for line in plan_lines(event.plan):
                    self._progress.print(line)
            case PartEvent():
                self._progress.print(part_line(event.number, event.of, event.part))
            case RouteEvent():
                self._progress.print(asked_line(event.route))
            case BallotEvent():
                self._progress.print(ballot_line(event.ballot))
            case DecisionEvent():
                self._decide(event)

    def report(self, answer: Answer) -> None:
        """The answer on stdout; of several, the question on stderr and a blank line before."""
        if self._answered:
            self._answers.print()
        if self._several:
            self._progress.print(f"> {one_line(answer.decision.question)}")
        self._decide(answer.decision)

    def _decide(self, decision: DecisionEvent) -> None:
        self._answered += 1
        if decision.outcome == "error":
            self._progress.print(f"error: {one_line(decision.reason)}", style="red")
            return
        self._answers.print(numbered_answer(decision, locate=self._locate))
        self._progress.print()
        self._progress.print(verdict(decision))
        for line in dissent_lines(decision):
            self._progress.print(line)


def events_of(answer: Answer) -> Iterator[CouncilEvent]:
    """The events that lead to an answer, without the tokens; a question that was never put has but one."""
    if answer.plan is not None:
        yield PlanEvent(plan=answer.plan)
        decided = answer.decision.parts
        for number, (one, part) in enumerate(zip(answer.parts, decided, strict=True), start=1):
            if one.route["members"] or one.decision.outcome != "error":
                yield from _behind(one)
            yield PartEvent(number=number, of=len(answer.plan["steps"]), part=part)
    elif answer.route["members"] or answer.decision.outcome != "error":
        yield from _behind(answer)
    yield answer.decision


def _behind(answer: Answer) -> Iterator[CouncilEvent]:
    yield RouteEvent(standalone=answer.decision.standalone, route=answer.route)
    for ballot in answer.ballots:
        yield BallotEvent(ballot=ballot)
    yield VoteEvent(tally=answer.tally)
