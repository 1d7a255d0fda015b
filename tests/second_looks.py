"""Councils of fakes that score, and counts made from scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ballots import TURN, route_of, votes
from fakes import FakeGenerator, FakeSearcher

from proxycouncil.graphs.context import GENERALIST, CouncilContext, Member, Settings
from proxycouncil.graphs.council_graph import create_council_graph
from proxycouncil.graphs.state import CrossScore, Tally
from proxycouncil.graphs.weighing import tally
from proxycouncil.specialists.request import Likelihood, Pair, Request

QUESTION = "What is opportunity cost?"
RIGHT, WRONG = "the value of the best alternative given up", "a general rise in prices"
SEATS = ("economics", "law", "medicine")


@dataclass
class ScoringGenerator(FakeGenerator):
    """A fake that can score: a text's log-probability per token by member and text, −4 where none is set."""

    likes: Callable[[str, str], float] = lambda _member, _text: -4.0
    scored: Sequence[Any] = ()

    async def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[list[Likelihood]]:
        self.scored = [*self.scored, (requests, continuations)]
        return [
            [Likelihood((0, 1), (self.likes(one.pairs[0].expert, text),) * 2) for text in texts]
            for one, texts in zip(requests, continuations, strict=True)
        ]


def context_of(replies: Any, likes: Callable[[str, str], float] | None = None, **settings: Any) -> Any:
    members = {name: Member(name, (Pair(name),), (name,)) for name in SEATS}
    members[GENERALIST] = Member(GENERALIST, (Pair(GENERALIST),))
    generator = FakeGenerator(replies) if likes is None else ScoringGenerator(replies, likes=likes)
    return CouncilContext(generator, FakeSearcher(), members, Settings(**settings))


async def asked(context: CouncilContext, *, graph: Any = None, config: Any = None) -> dict[str, Any]:
    graph = graph or create_council_graph().compile()
    found: dict[str, Any] = await graph.ainvoke(
        {"question": QUESTION, "members": list(SEATS)}, config, context=context
    )
    return found


def score(member: str, none: float = -4.0, **logprobs: float) -> CrossScore:
    return CrossScore(member=member, slate="shared", logprobs=logprobs, none=none)


def by_scores(scores: Sequence[CrossScore], **texts: str) -> Tally:
    """Three members' count; `voted_by` is what the vote node adds."""
    cast = votes(**texts)
    asked_ = list(texts)
    counted = tally(cast, route=route_of(asked_), turn=TURN, asked=asked_, cross=scores)
    return Tally({**counted, "voted_by": "cross_scores", "cross_scores": list(scores)})
