"""A conversation with the council in a terminal, or over a pipe.

It knows turns, sessions and Ctrl-C. How things look is in `rendering`, where lines come from in
`chat_input`, what the slash commands do in `chat_commands`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from rich.text import Text

from proxycouncil.council.chat_commands import perform
from proxycouncil.council.events import (
    NOBODY,
    NOTHING,
    Answer,
    BallotEvent,
    CouncilEvent,
    DecisionEvent,
    MemberTokenEvent,
    PartEvent,
    PlanEvent,
    RouteEvent,
    VoteEvent,
    part_answer,
)
from proxycouncil.council.panes import Panes
from proxycouncil.council.rendering import (
    Locate,
    asked_line,
    ballot_line,
    dissent_lines,
    numbered_answer,
    one_line,
    part_line,
    place_of,
    plan_lines,
    verdict,
    visible,
    vote_table,
)
from proxycouncil.errors import CouncilError
from proxycouncil.graphs.reconsider import in_force

if TYPE_CHECKING:
    from rich.console import Console

    from proxycouncil.council.chat_input import LineReader
    from proxycouncil.council.council import Council
    from proxycouncil.council.feedback import Feedback

TWICE_WITHIN_S = 2.0
_FRAMES_A_SECOND = 8


class Chat:
    """One session: reads lines, asks the council, shows what happens.

    Args:
        council: whom to ask; it opens itself while the user types.
        thread: name of the session.
        reader: where lines come from.
        console: where everything is shown.
        locate: where a citation can be looked up.
        feedback: where `/agree` and `/disagree` are kept; None: nowhere.
        user: whose memories are read and written; None: nobody's.
        clock: seconds, for Ctrl-C twice.
    """

    def __init__(
        self,
        council: Council,
        *,
        thread: str,
        reader: LineReader,
        console: Console,
        locate: Locate = place_of,
        feedback: Feedback | None = None,
        user: str | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.council = council
        self.thread = thread
        self.console = console
        self.locate = locate
        self.feedback = feedback
        self.user = user
        self.last: Answer | None = None
        self.answers: list[Answer] = []
        self.plan: bool | None = None
        """Whether questions are asked part by part; None: as the settings say."""
        self._reader = reader
        self._clock = clock
        self._interrupted_at = float("-inf")
        self._leaving = False

    def run(self) -> None:
        """Until `/quit`, the end of the lines or Ctrl-C twice."""
        self.council.warm()
        while not self._leaving:
            try:
                self.take(self._reader.read())
            except EOFError:
                self.leave()
            except KeyboardInterrupt:
                self._interrupt()

    def take(self, line: str) -> None:
        """One line: a command or a question; what is wrong with it is said and the chat goes on."""
        line = line.strip()
        if not line:
            return
        try:
            if line.startswith("/"):
                perform(self, line)
            else:
                self.answer(line)
        except CouncilError as error:
            self.say(f"error: {error}", style="red")
            if error.hint:
                self.say(f"hint: {error.hint}", style="dim")

    def answer(self, question: str, *, members: tuple[str, ...] = (), plan: bool | None = None) -> None:
        """Ask, and show the ballots as they come, the vote and the decision."""
        wish = self.plan if plan is None else plan
        events = self.council.stream(question, thread=self.thread, members=members, plan=wish, user=self.user)
        turn = _Turn(self._clock())
        later: list[CouncilEvent] = []
        try:
            with self._progress() as show, closing(events):
                for event in events:
                    turn.take(event)
                    show(event)
                    # What is decided is printed once the panes are gone.
                    # Of a plan the parts' answers stand for their votes.
                    if isinstance(event, VoteEvent | DecisionEvent):
                        later.append(event)
                        if isinstance(event, DecisionEvent) and event.parts:
                            later = [event]
                    else:
                        self._show(event)
        except KeyboardInterrupt:
            self._stopped(turn)
            raise
        for event in later:
            self._show(event)
        self.last = turn.answer(self._clock())
        if self.last is not None and self.last.decision.undecided:
            self._settle(self.last.decision.undecided)
        elif self.last is not None:
            self.answers.append(self.last)

    def _settle(self, texts: list[str]) -> None:
        """Let the user choose among the answers; an empty line leaves the turn open."""
        for number, text in enumerate(texts, start=1):
            self.say(f"  {number}: {one_line(text)}")
        self.say("which is right? its number, 0 for none, an empty line leaves it open", style="yellow")
        line = self._reader.read().strip()
        if not line.isdecimal() or int(line) > len(texts):
            self.say("left open; this turn is not part of the conversation", style="yellow")
            return
        self.last = self.council.settle(self.thread, texts[int(line) - 1] if int(line) else "")
        self.answers.append(self.last)
        self._decide(self.last.decision)

    def _stopped(self, turn: _Turn) -> None:
        """What was written so far is shown; the conversation goes on as if it had not been asked."""
        for (member, slate), text in turn.unfinished.items():
            self.say(f"  {member} ({slate}): {one_line(text)} …", style="dim")
        self.say("stopped; this turn is not part of the conversation", style="yellow")

    def say(self, text: str, *, style: str | None = None) -> None:
        """A line of the program's own."""
        self.console.print(Text(visible(text)), style=style)

    def leave(self) -> None:
        """Go after this line."""
        self._leaving = True

    def _show(self, event: CouncilEvent) -> None:
        match event:
            case PlanEvent():
                for line in plan_lines(event.plan):
                    self.console.print(line)
            case PartEvent():
                self.console.print(part_line(event.number, event.of, event.part))
            case RouteEvent():
                self.console.print(asked_line(event.route))
            case BallotEvent():
                self.console.print(ballot_line(event.ballot))
            case VoteEvent() if event.tally["groups"]:
                self.console.print()
                self.console.print(vote_table(event.tally))
            case DecisionEvent():
                self._decide(event)

    def _decide(self, decision: DecisionEvent) -> None:
        self.console.print()
        self.console.print(numbered_answer(decision, locate=self.locate))
        self.console.print()
        self.console.print(verdict(decision), style="dim")
        for line in dissent_lines(decision):
            self.console.print(line, style="dim")

    @contextmanager
    def _progress(self) -> Iterator[Callable[[CouncilEvent], None]]:
        """The members side by side as they write; nothing at all where there is no terminal.

        By the clock, never by the token; gone when the decision is printed.
        """
        if not self.console.is_terminal or self.console.is_dumb_terminal:
            yield lambda _: None
            return
        from rich.live import Live

        panes = Panes()
        with Live(panes, console=self.console, refresh_per_second=_FRAMES_A_SECOND, transient=True):
            yield panes.take

    def _interrupt(self) -> None:
        now = self._clock()
        if now - self._interrupted_at <= TWICE_WITHIN_S:
            self.leave()
        else:
            self.say("Ctrl-C once more, or Ctrl-D, leaves", style="dim")
        self._interrupted_at = now


class _Turn:
    """The events of one question."""

    def __init__(self, started: float) -> None:
        self.events: list[CouncilEvent] = []
        self.unfinished: dict[tuple[str, str], str] = {}
        """What each reading has written so far, by member and slate."""
        self._started = started

    def take(self, event: CouncilEvent) -> None:
        """One more event."""
        self.events.append(event)
        match event:
            case MemberTokenEvent():
                key = (event.member, event.slate)
                self.unfinished[key] = self.unfinished.get(key, "") + event.text
            case BallotEvent():
                self.unfinished.pop((event.ballot["member"], event.ballot["slate"]), None)

    def answer(self, now: float) -> Answer | None:
        """Everything that happened as one object."""
        found = {type(event): event for event in self.events}
        route, vote, decision = (found.get(kind) for kind in (RouteEvent, VoteEvent, DecisionEvent))
        if not (isinstance(route, RouteEvent) and isinstance(vote, VoteEvent)):
            return None
        if not isinstance(decision, DecisionEvent):
            return None
        cast = [event.ballot for event in self.events if isinstance(event, BallotEvent)]
        again = vote.tally.get("reconsidered")
        plan = found.get(PlanEvent)
        return Answer(
            decision=decision,
            route=route.route,
            ballots=in_force(again) if again else cast,
            tally=vote.tally,
            seconds=now - self._started,
            plan=plan.plan if isinstance(plan, PlanEvent) else None,
            parts=list(self._parts(decision)),
        )

    def _parts(self, decision: DecisionEvent) -> Iterator[Answer]:
        """The parts with what was heard of each before it was decided."""
        decided = iter(decision.parts)
        route, ballots, tally = NOBODY, [], NOTHING
        for event in self.events:
            match event:
                case RouteEvent():
                    route = event.route
                case BallotEvent():
                    ballots.append(event.ballot)
                case VoteEvent():
                    tally = event.tally
                case PartEvent():
                    yield part_answer(next(decided), route=route, ballots=ballots, tally=tally, like=decision)
                    route, ballots, tally = NOBODY, [], NOTHING
