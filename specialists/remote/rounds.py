"""The rounds of one text: the small models draft, the server is asked about every place, agreement is kept.

A round sends the prompt, the prompt and one draft, … , the prompt and all drafts as one request (a *fan*)
and keeps what steering chose itself, plus one token. Each choice depends on the steered distribution, the
seed and the position alone, so the fan changes no token. Where a token not seen may be the favourite, it is
asked for by name (`logit_bias` makes the server write it and tell its log-probability) or the list is made
longer. Knows one text, its small models and a client; nothing of consumers or time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from proxycouncil.errors import RemoteBaseError, RemoteBaseGoneError
from proxycouncil.specialists.remote.certificate import Seen, View, steer_seen
from proxycouncil.specialists.remote.inspection import TOLERANCE, biased
from proxycouncil.specialists.runner import Written
from proxycouncil.specialists.sampler import choose

if TYPE_CHECKING:
    from torch import Tensor

    from proxycouncil.specialists.remote.client import Client
    from proxycouncil.specialists.remote.recall import Recall
    from proxycouncil.specialists.remote.small import SmallModels
    from proxycouncil.specialists.text import Text, Voice

T = TypeVar("T")

_INQUIRIES = 4
"""Further questions about one place, at most: favourite, contenders, longer list, contenders."""


@dataclass(eq=False)
class Rounds:
    """One text. `run` does torch's work on its thread; `soloist` writes by itself without asking the base."""

    text: Text
    small: SmallModels
    client: Client
    recall: Recall
    run: Callable[[Callable[[], T]], Awaitable[T]]
    soloist: Voice | None = None
    alone: str | None = None
    """Why its expert writes by itself, if it does."""
    certified: list[bool] = field(default_factory=list)
    unseen: list[float] = field(default_factory=list)
    """Of every token written."""

    async def write(self, count: int) -> list[Written]:
        """A token, and up to `count` that were drafted rightly before it.

        Raises:
            RemoteBaseGoneError: the server is gone and nobody may go on without it.
            RemoteBaseError: the server does not tell what steering needs.
        """
        if self.soloist is not None:
            return [await self.run(partial(self._solo, self.soloist))]
        drafts = await self.run(partial(self.small.draft, count))
        try:
            views = await self._verified(drafts)
        except RemoteBaseGoneError as error:
            self.soloist = self._successor(error)
            await self.run(partial(self.small.forget, len(drafts)))
            return await self.write(0)
        self.text.drafted += len(drafts)
        self.text.accepted += len(views) - 1
        drawn = self.text.sampling.temperature > 0
        self.certified += [view.unseen == 0 if drawn else view.certified for view, _ in views]
        self.unseen += [view.unseen for view, _ in views]
        return [written for _, written in views]

    def _successor(self, error: RemoteBaseGoneError) -> Voice:
        expert = self.text.drafter
        if self.recall.fallback != "expert" or expert is None:
            raise error
        self.alone = str(error)
        return expert

    def _solo(self, voice: Voice) -> Written:
        logits = self.small.logits(voice)
        if self.alone is not None:
            self.certified.append(False)
            self.unseen.append(1.0)
        return self._chosen(logits, logits, ())

    async def _verified(self, drafts: Sequence[int]) -> list[tuple[View, Written]]:
        """What steering writes at each place, as long as that is what was drafted."""
        prompt = [*self.text.main.row.prompt, *self.text.tokens]
        prompts = [[*prompt, *drafts[:place]] for place in range(len(drafts) + 1)]
        told = await self.client.ask(prompts, top_k=self.recall.top_k)
        kept: list[tuple[View, Written]] = []
        for place, seen in enumerate(told):
            view = await self._settled(seen, prompts[place], drafts[:place])
            written = await self.run(partial(self._chosen, view.base, view.steered, drafts[:place]))
            kept.append((view, written))
            if place < len(drafts) and written.token != drafts[place]:
                break
        return kept

    async def _settled(self, seen: Seen, prompt: Sequence[int], ahead: Sequence[int]) -> View:
        """The place with its doubt followed as far as `recall` says."""
        view = await self.run(partial(self._view, seen, ahead))
        top_k = self.recall.top_k
        for _ in range(_INQUIRIES):
            drawn = self.text.sampling.temperature > 0
            if view.certified or (drawn and not view.blind):
                break
            if view.blind:
                seen = seen.joined(await self._favourite(prompt, view.contenders))
            elif len(view.contenders) <= self.recall.contenders:
                seen = seen.joined(await self._by_name(prompt, view.contenders, seen.ceiling))
            elif top_k < (self.recall.top_k_most or 0):
                top_k = min(8 * top_k, self.recall.top_k_most or 0)
                seen = seen.joined((await self.client.ask([prompt], top_k=top_k))[0])
            else:
                break
            view = await self.run(partial(self._view, seen, ahead))
        if view.blind:
            raise RemoteBaseError(
                "the server told nothing of the tokens that this reply may go on with",
                hint="ask for more (family.top_k), or turn council.verbatim off",
            )
        return view

    async def _by_name(self, prompt: Sequence[int], tokens: Sequence[int], ceiling: float) -> Seen:
        """Log-probabilities of tokens that were not listed, a request each, all at once."""
        told = await asyncio.gather(
            *(self.client.ask([prompt], top_k=1, favour=(token,)) for token in tokens)
        )
        known = {
            token: one.logprobs[token]
            for token, (one,) in zip(tokens, told, strict=True)
            if token in one.logprobs
        }
        if any(value > ceiling + TOLERANCE for value in known.values()):
            raise biased(self.client)
        return Seen(known, ceiling, tokens[0])

    async def _favourite(self, prompt: Sequence[int], tokens: Sequence[int]) -> Seen:
        """The base's favourite of the only tokens that are of interest; none of them is likelier."""
        ((told),) = await self.client.ask([prompt], top_k=1, favour=tokens)
        if told.chosen not in tokens:
            return Seen({}, 0.0, told.chosen)
        value = told.logprobs[told.chosen]
        return Seen({told.chosen: value}, value, told.chosen)

    def _view(self, seen: Seen, ahead: Sequence[int]) -> View:
        return steer_seen(
            seen,
            self.small.shift(len(ahead)),
            allowed=self.text.choosing(ahead).allowed,
            plausibility=self.text.plausibility,
        )

    def _chosen(self, base: Tensor, steered: Tensor, ahead: Sequence[int]) -> Written:
        """A token of what is known, with what the trace tells of it."""
        tokens, near = choose(steered.unsqueeze(0), [self.text.choosing(ahead)])
        token = int(tokens[0])
        logprobs = steered.double().log_softmax(-1)
        known = logprobs.exp() > 0
        moved = logprobs[known] - base.double()[known]
        if self.soloist is None:
            kl = max(0.0, float((logprobs[known].exp() * moved).sum()))
            return Written(
                token, float(logprobs[token]), kl, int(base.argmax()), int(steered.argmax()), bool(near[0])
            )
        favourite = token if self.alone is not None else int(base.argmax())
        return Written(token, float(logprobs[token]), 0.0, favourite, int(steered.argmax()), bool(near[0]))
