"""Given texts behind given prompts, read in one go: how likely steering would have written each.

Every different prompt is read once in every model that speaks in it, however many texts stand behind it and
however many requests share it; then all texts are read together, padded on the right, where nothing they say
can reach back. Knows texts, lanes and logits; nothing of queues, consumers or time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from proxycouncil.errors import EngineError, PromptTooLongError
from proxycouncil.specialists.job import check, text_of
from proxycouncil.specialists.lane import Lane, Row
from proxycouncil.specialists.mixing import Heard, mix
from proxycouncil.specialists.reading import PIECE
from proxycouncil.specialists.request import Likelihood, Prompt, Request
from proxycouncil.specialists.text import SteeringVoice, Text, Voice

if TYPE_CHECKING:
    from torch import Tensor

    from proxycouncil.specialists.family import Family
    from proxycouncil.specialists.model import Model

LOGIT_BYTES = 2**28
"""Logits of one model that are held at once; what is more is read in several goes."""

CACHE_BYTES = 2**31
"""The same for the caches of all rows, where the engine was given no `memory`."""

_Key: TypeAlias = tuple[int, str, tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One text behind one prompt. Rows that read the same are shared between those that need them."""

    request: int
    """Place of its request."""
    place: int
    """Among the texts behind that request's prompt."""
    text: Text
    ids: tuple[int, ...]

    def cache_bytes(self, length: int) -> int:
        """What its rows take in all caches with so many tokens behind the prompt."""
        voices = self.text.voices
        return sum((len(voice.row.prompt) + length) * voice.part.model.cache_bytes for voice in voices)

    def fits(self, length: int) -> bool:
        """Whether every context holds so many tokens behind the prompt, padding counted."""
        return all(voice.room >= length for voice in self.text.voices)


def prepare(
    family: Family, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
) -> list[Scored]:
    """Encode prompts and texts; texts behind one prompt of the main model stand together.

    Raises:
        CouncilError: an expert is unknown, a text is empty, or does not fit behind its prompt.
    """
    rows: dict[_Key, Row] = {}
    found: list[Scored] = []
    for at, (request, texts) in enumerate(zip(requests, continuations, strict=True)):
        check(request)
        voices = text_of(family, request)
        for place, said in enumerate(texts):
            one = Scored(at, place, *_behind(voices, _ids(voices.main, request, said), rows))
            if not one.fits(len(one.ids)):
                raise PromptTooLongError(
                    f"{len(one.ids)} tokens do not fit behind a prompt of {len(voices.main.row.prompt)}",
                    hint="give it fewer or shorter passages, or a shorter text",
                )
            found.append(one)
    first = {one.text.main.row.prompt: at for at, one in reversed(list(enumerate(found)))}
    return sorted(found, key=lambda one: first[one.text.main.row.prompt])


def chunks(scored: Sequence[Scored], *, width: int, memory: int | None = None) -> Iterator[list[Scored]]:
    """What is read at once: as many as logits and caches may take, and none that padding would push out."""
    chunk: list[Scored] = []
    for one in scored:
        if chunk and not _together([*chunk, one], width=width, memory=memory or CACHE_BYTES):
            yield chunk
            chunk = []
        chunk.append(one)
    if chunk:
        yield chunk


def _together(scored: Sequence[Scored], *, width: int, memory: int) -> bool:
    length = max(len(one.ids) for one in scored)
    return (
        len(scored) * length * width * 4 <= LOGIT_BYTES
        and sum(one.cache_bytes(length) for one in scored) <= memory
        and all(one.fits(length) for one in scored)
    )


def likelihoods(family: Family, scored: Sequence[Scored]) -> list[Likelihood]:
    """One prefill of base, experts and anti-expert over all texts; in the order given."""
    import torch

    length = max(len(one.ids) for one in scored)
    padded = [[*one.ids, *[0] * (length - len(one.ids))] for one in scored]
    texts = [one.text for one in scored]
    tokens = torch.tensor(padded)
    _, steered = mix(family, texts, _heard(scored, tokens))
    told = torch.log_softmax(steered, dim=-1).gather(1, tokens.to(steered.device).reshape(-1, 1))
    logprobs = told.reshape(len(scored), length).tolist()
    return [
        Likelihood(one.ids, tuple(row[: len(one.ids)])) for one, row in zip(scored, logprobs, strict=True)
    ]


def _heard(scored: Sequence[Scored], tokens: Tensor) -> list[Heard]:
    """What every model says at every place of every text that it speaks in."""
    import torch

    models: dict[int, Model] = {}
    places: dict[int, dict[int, tuple[Row, int]]] = {}
    for at, one in enumerate(scored):
        for voice in one.text.voices:
            models[id(voice.part.model)] = voice.part.model
            places.setdefault(id(voice.part.model), {})[id(voice.row)] = voice.row, at
    heard: list[Heard] = []
    for key, found in places.items():
        lane = Lane(models[key])
        _open(lane, [row for row, _ in found.values()])
        openings = [row.opening for row in lane.rows if row.opening is not None]
        logits = torch.stack(openings).unsqueeze(1)
        if tokens.shape[1] > 1:
            read = tokens[[found[id(row)][1] for row in lane.rows], :-1].to(logits.device)
            logits = torch.cat([logits, lane.advance(read)], dim=1)
        heard.append((lane, lane.rows, logits))
    return heard


def _open(lane: Lane, rows: Sequence[Row]) -> None:
    """Read the prompts of the rows, each different one once, long ones piece by piece."""
    short: list[Row] = []
    for row in rows:
        if len(row.ids) <= PIECE or any(known.key == row.key for known in lane.rows):
            short.append(row)
            continue
        cache = lane.begin(row)
        while not lane.read_on(row, cache, PIECE):
            pass
        lane.join(row, cache)
    if short:
        lane.admit(short)


def _ids(main: Voice, request: Request, said: str) -> tuple[int, ...]:
    """A text as it would follow the prompt: an answer with the token that ends it, or just text."""
    form = main.part.format
    ids = form.target_ids(said) if isinstance(request.prompt, Prompt) else form.encoder.data(said)
    if not said.strip() or not ids:
        raise EngineError("there is nothing to score in an empty text", hint="leave it out")
    return tuple(ids)


def _behind(voices: Text, ids: tuple[int, ...], rows: dict[_Key, Row]) -> tuple[Text, tuple[int, ...]]:
    """The same voices with rows for this text; a row that some other text has is that one's, too."""

    def shared(voice: Voice) -> Voice:
        part, prompt = voice.part, voice.row.prompt
        key = id(part.model), part.adapter, prompt, ids
        return Voice(part, rows.setdefault(key, Row(prompt, part.adapter)))

    steering = tuple(
        SteeringVoice(shared(pair.expert), shared(pair.antiexpert), pair.alpha) for pair in voices.steering
    )
    return Text(shared(voices.main), steering, voices.sampling, voices.plausibility), ids
