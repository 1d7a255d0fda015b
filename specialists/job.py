"""One request on its way through the engine: what was asked, what has been written, what is told of it.

Knows how a request becomes rows and how its tokens become events; nothing of other requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxycouncil.errors import EngineError, PromptTooLongError
from proxycouncil.specialists.cases import REFUSAL
from proxycouncil.specialists.copybook import Copying, open_copybook
from proxycouncil.specialists.grammar import Following, open_grammar
from proxycouncil.specialists.lane import Row
from proxycouncil.specialists.reading import PIECE
from proxycouncil.specialists.request import (
    Event,
    FinishReason,
    Generation,
    Pair,
    Prompt,
    Request,
    SteeringTrace,
    TextDelta,
    Timings,
)
from proxycouncil.specialists.runner import Written
from proxycouncil.specialists.text import SteeringVoice, Text, Voice
from proxycouncil.specialists.writing import TextWriter

if TYPE_CHECKING:
    from proxycouncil.specialists.family import Family
    from proxycouncil.specialists.model import Part


@dataclass(eq=False)
class Job:
    """A request, its consumer and its state; `text` and `writer` exist once it is prepared."""

    request: Request
    send: Callable[[Event | Exception], None]
    submitted: float
    started: float = 0.0
    first: float = 0.0
    text: Text | None = None
    writer: TextWriter | None = None
    room: int = 0
    """Most tokens that may be written."""
    written: list[Written] = field(default_factory=list)
    fault: str | None = None
    """What went wrong in its own row."""

    def prepare(self, family: Family) -> None:
        """Resolve names, load what is missing, encode the prompt for every part.

        Raises:
            CouncilError: the request can never run.
        """
        request = self.request
        check(request)
        text = self.text = text_of(family, request)
        text.copying = _copying(family, text.main, request)
        text.following = _following(family, text.main, request)
        self.room = min(request.sampling.max_new_tokens, *(voice.room for voice in text.voices))
        self.writer = TextWriter(
            family.tokenizer.backend_tokenizer,
            stops=(*request.sampling.stop, *_format_stops(text, request)),
            after=text.main.row.prompt[-8:],
            trim=isinstance(request.prompt, Prompt),
        )

    @property
    def is_long(self) -> bool:
        """Whether its prompt is read piece by piece."""
        return self.text is not None and any(len(voice.row.ids) > PIECE for voice in self.text.voices)

    @property
    def cache_bytes(self) -> int:
        """What its rows take in the caches of all models when they are as long as they may become."""
        voices = self.text.voices if self.text else []
        return sum((len(voice.row.prompt) + self.room) * voice.part.model.cache_bytes for voice in voices)

    def come_back(self) -> None:
        """Be ready to join anew behind what is written: the rows were let go."""
        for voice in self.require_text().voices:
            voice.row.behind = tuple(self.require_text().tokens[:-1])
            voice.row.opening = None

    @property
    def prompt_tokens(self) -> int:
        """Length of the prompt as the main voice reads it."""
        return len(self.text.main.row.prompt) if self.text else 0

    def require_text(self) -> Text:
        """Its text; every job that the scheduler holds has one."""
        if self.text is None:
            raise EngineError(f"request {self.request.id} was not prepared")
        return self.text

    def late(self, now: float) -> bool:
        """Whether its deadline has passed."""
        limit = self.request.deadline_s
        return limit is not None and now - self.submitted >= limit

    def accept(self, written: Sequence[Written], end_ids: frozenset[int]) -> FinishReason | None:
        """Take tokens and tell the consumer; why one is the last, if it is. Those behind it don't count."""
        reason, pieces = None, []
        for one in written:
            reason, piece = self._accept(one, end_ids)
            pieces.append(piece)
            if reason:
                break
        # Tokens of one step are told together: every word to a consumer wakes its event loop.
        self._tell("".join(pieces))
        return reason

    def _accept(self, written: Written, end_ids: frozenset[int]) -> tuple[FinishReason | None, str]:
        """Why a token is the last, if it is, and what can be shown now."""
        if self.writer is None:
            raise EngineError(f"request {self.request.id} was not prepared")
        if written.broken:
            self.fault = "the models gave no numbers (NaN) for this text"
            return "error", ""
        text = self.require_text()
        if text.following and text.following.fault:
            self.fault = text.following.fault
            return "error", ""
        text.tokens.append(written.token)
        self.written.append(written)
        if written.token in end_ids:
            return "stop", ""
        piece = self.writer.push(written.token)
        if self.writer.stopped:
            return "stop", piece
        return ("length" if len(self.written) >= self.room else None), piece

    def finish(self, reason: FinishReason, now: float, error: str | None = None) -> None:
        """Tell the consumer what was held back and, last, the whole generation."""
        if self.writer is not None:
            self._tell(self.writer.finish())
        self.send(self._generation(reason, now, error or self.fault))

    def _tell(self, new: str) -> None:
        if new:
            self.send(TextDelta(self.request.id, new))

    def _generation(self, reason: FinishReason, now: float, error: str | None) -> Generation:
        written = self.written
        return Generation(
            request_id=self.request.id,
            text=self.writer.text if self.writer else "",
            token_ids=tuple(one.token for one in written),
            logprobs=tuple(one.logprob for one in written),
            finish_reason=reason,
            trace=SteeringTrace(
                kl=tuple(one.kl for one in written),
                base_top=tuple(one.base_top for one in written),
                steered_top=tuple(one.steered_top for one in written),
            ),
            timings=self._timings(now),
            prompt_tokens=self.prompt_tokens,
            near_ties=sum(one.near_tie for one in written),
            drafted=self.text.drafted if self.text else 0,
            accepted=self.text.accepted if self.text else 0,
            error=error,
        )

    def _timings(self, now: float) -> Timings:
        started = self.started or now
        first = self.first or now
        return Timings(started - self.submitted, first - started, now - first)


def check(request: Request) -> None:
    """Refuse settings that mean nothing.

    Raises:
        EngineError: names the setting and what is allowed.
    """
    sampling = request.sampling
    rules = {
        "max_new_tokens must be at least 1": sampling.max_new_tokens >= 1,
        "temperature must not be negative": sampling.temperature >= 0,
        "top_k must be at least 1": sampling.top_k is None or sampling.top_k >= 1,
        "top_p must lie in (0, 1]": sampling.top_p is None or 0 < sampling.top_p <= 1,
        "min_p must lie in [0, 1]": sampling.min_p is None or 0 <= sampling.min_p <= 1,
        "repetition_penalty must be positive": sampling.repetition_penalty > 0,
        "plausibility must lie in [0, 1]": request.plausibility is None or 0 <= request.plausibility <= 1,
        "solo runs one small model alone and takes no pairs": request.solo is None or not request.pairs,
        "verbatim copies from a Prompt's snippets, and a bare string has none": (
            not sampling.verbatim or isinstance(request.prompt, Prompt)
        ),
        # What is implausible may be all that a slate allows.
        "verbatim and plausibility exclude each other": not sampling.verbatim or request.plausibility is None,
        "grammar and plausibility exclude each other": (
            sampling.grammar is None or request.plausibility is None
        ),
        "grammar and verbatim exclude each other": sampling.grammar is None or not sampling.verbatim,
    }
    for rule, kept in rules.items():
        if not kept:
            raise EngineError(rule, hint="correct the request's settings")


def text_of(family: Family, request: Request) -> Text:
    """The rows of a request, each part asked in its own format.

    Raises:
        CouncilError: an expert is unknown, or the prompt is empty or too long.
    """
    for pair in request.pairs:
        if pair.expert not in family.experts:
            raise family.unknown(pair.expert)
    rows: dict[str, Voice] = {}

    def voice(name: str) -> Voice:
        return rows.setdefault(name, _voice(family.part(name), request))

    def steering(pair: Pair) -> SteeringVoice:
        return SteeringVoice(voice(pair.expert), voice("antiexpert"), pair.alpha)

    # A pair of weight 0 would change nothing and is not run.
    pairs = tuple(steering(pair) for pair in request.pairs if pair.alpha != 0)
    return Text(voice(request.solo or family.main), pairs, request.sampling, request.plausibility or 0.0)


def _copying(family: Family, main: Voice, request: Request) -> Copying | None:
    if not request.sampling.verbatim or not isinstance(request.prompt, Prompt):
        return None
    end_ids = (end for end in family.end_ids if end < family.width)
    prompt = request.prompt
    return Copying(
        open_copybook(prompt.snippets, main.part.format, end_ids=end_ids, question=prompt.question)
    )


def _following(family: Family, main: Voice, request: Request) -> Following | None:
    if request.sampling.grammar is None:
        return None
    form = main.part.format
    asked = isinstance(request.prompt, Prompt)
    return open_grammar(
        request.sampling.grammar,
        family.tokenizer,
        lead=form.lead if asked else " ",
        end_ids=(end for end in family.end_ids if end < family.width),
        width=family.width,
        refusal=form.target_ids(REFUSAL)[:-1] if asked and request.sampling.may_decline else (),
    )


def _voice(part: Part, request: Request) -> Voice:
    prompt = tuple(part.format.encode(request.prompt))
    voice = Voice(part, Row(prompt, part.adapter))
    if not prompt:
        raise EngineError("the prompt is empty", hint="ask something")
    if voice.room < 1:
        raise PromptTooLongError(
            f"the prompt has {len(prompt)} tokens, {part.name} reads at most {part.model.context - 1}",
            hint="give it fewer or shorter passages, or ask a shorter question",
        )
    return voice


def _format_stops(text: Text, request: Request) -> tuple[str, ...]:
    return text.main.part.format.stops if isinstance(request.prompt, Prompt) else ()
