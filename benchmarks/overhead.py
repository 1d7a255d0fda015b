"""What the library itself costs a question: a council of fakes that answer at once, beside the bare fan-out.

`python -m benchmarks.overhead --json FILE`: milliseconds per question (median) for 3, 8 and 32 members,
without a checkpointer; the same readings gathered in bare asyncio, and sent through a bare LangGraph graph.
Targets: 15 ms at 3 members, 1.5 ms for each further one. Beside each its processor time (mean over threads,
`cpu_…`), which says more on a machine that has other work to do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import operator
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Annotated

from typing_extensions import TypedDict

from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.council import Council
from proxycouncil.graphs.protocols import SlateForm, SlateOrder
from proxycouncil.retrieval.passage import Affinity, Excerpt, Passage
from proxycouncil.specialists.request import Event, Generation, Request, TextDelta

MEMBERS = (3, 8, 32)
BALLOTS = 2
WARM = 5
AT_THREE_MS, EACH_FURTHER_MS = 15.0, 1.5
QUESTION = "What is opportunity cost?"
ANSWER = "the value of the best alternative given up"

Ask = Callable[[], Awaitable[object]]


class InstantWriter:
    """Writes its answer at once, in one piece."""

    async def generate(self, request: Request) -> AsyncIterator[Event]:
        """One delta, one generation."""
        yield TextDelta(request.id, ANSWER)
        yield Generation(request.id, ANSWER, (1, 2, 3), (-0.1, -0.1, -0.1), "stop", prompt_tokens=90)


class InstantSearcher:
    """Finds the same four sentences for everybody."""

    embedder_fingerprint = "instant"

    def __init__(self, domains: Sequence[str]) -> None:
        self.domains = tuple(sorted(domains))
        self._excerpts = [_excerpt(number, self.domains[0]) for number in range(4)]

    def affinities(self, question: str) -> Mapping[str, Affinity]:  # noqa: ARG002 (the protocol's)
        """All alike."""
        return {name: Affinity(best=0.5, mean3=0.5, example=0.5, bm25=5.0) for name in self.domains}

    def slate(
        self,
        question: str,  # noqa: ARG002
        *,
        domains: Sequence[str] | None = None,  # noqa: ARG002
        form: SlateForm = "sentences",  # noqa: ARG002
        limit: int = 4,
        order: SlateOrder = "best_first",  # noqa: ARG002
        seed: int = 0,  # noqa: ARG002
    ) -> list[Excerpt]:
        """The same, whatever is asked."""
        return self._excerpts[:limit]

    def similarity(self, texts: Sequence[str]) -> list[list[float]]:
        """Unlike."""
        return [[float(a == b) for b in texts] for a in texts]


def _excerpt(number: int, domain: str) -> Excerpt:
    text = f"Opportunity cost is {ANSWER}." if number == 0 else f"Sentence {number} says something else."
    passage = Passage(f"p{number}", text, f"Title {number}", (), "a.md", 0, len(text), domain)
    return Excerpt(passage, text, 0, len(text), 1.0 - number / 10)


def council_of(members: int) -> Council:
    """So many specialists; the generalist is not asked."""
    names = [f"domain-{number:02d}" for number in range(members)]
    config = CouncilConfig.from_mapping(
        {
            "family": {"base": "none", "antiexpert": "none"},
            "specialists": {name: {"expert": "none"} for name in names},
            "council": {"ballots": BALLOTS},
        }
    )
    return Council(config, generator=InstantWriter(), searcher=InstantSearcher(names))


async def read(request: Request) -> str:
    """One reading without anything around it."""
    async for event in InstantWriter().generate(request):
        if isinstance(event, Generation):
            return event.text
    return ""


def bare_asyncio(members: int) -> Ask:
    """The same readings, gathered."""

    async def ask() -> object:
        return await asyncio.gather(*(read(Request(QUESTION)) for _ in range(members * BALLOTS)))

    return ask


class Gathered(TypedDict, total=False):
    """State of the bare graph."""

    texts: Annotated[list[str], operator.add]


def bare_langgraph(members: int) -> Ask:
    """The same readings, a Send for each member, and a node that waits for all."""
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Send

    async def consult(state: Gathered) -> Gathered:  # noqa: ARG001 (the name is the protocol's)
        texts = await asyncio.gather(*(read(Request(QUESTION)) for _ in range(BALLOTS)))
        return {"texts": list(texts)}

    async def decide(state: Gathered) -> Gathered:  # noqa: ARG001
        return {"texts": []}

    graph: StateGraph[Gathered, None, Gathered, Gathered] = StateGraph(Gathered)
    graph.add_node("consult", consult)
    graph.add_node("decide", decide, defer=True)
    graph.add_conditional_edges(
        START, lambda _: [Send("consult", {"texts": []}) for _ in range(members)], ["consult"]
    )
    graph.add_edge("consult", "decide")
    graph.add_edge("decide", END)
    compiled = graph.compile()
    return lambda: compiled.ainvoke({"texts": []})


async def timed(ask: Ask, *, rounds: int) -> tuple[float, float]:
    """Milliseconds of one question: median of the wall, mean of the processor."""
    for _ in range(WARM):
        await ask()
    taken, busy = [], process_time()
    for _ in range(rounds):
        started = perf_counter()
        await ask()
        taken.append(1000 * (perf_counter() - started))
    return round(median(taken), 3), round(1000 * (process_time() - busy) / rounds, 3)


async def measure(rounds: int) -> dict[str, dict[str, float]]:
    """All three, for every size."""
    found: dict[str, dict[str, float]] = {}
    for members in MEMBERS:
        with council_of(members) as council:
            names = tuple(name for name in council.members if name != "general")
            arms: dict[str, Ask] = {
                "ms_per_question": partial(council.aask, QUESTION, members=names),
                "bare_asyncio": bare_asyncio(members),
                "bare_langgraph": bare_langgraph(members),
            }
            for name, ask in arms.items():
                wall, busy = await timed(ask, rounds=rounds)
                found.setdefault(name, {})[str(members)] = wall
                found.setdefault(f"cpu_{name}", {})[str(members)] = busy
    return found


def summary(figures: dict[str, float]) -> str:
    """Beside the targets."""
    first = figures[str(MEMBERS[0])]
    slope = max((figures[str(m)] - first) / (m - MEMBERS[0]) for m in MEMBERS[1:])
    return (
        f"{first:.1f} ms at 3 members (target {AT_THREE_MS:g}), "
        f"each further {slope:.2f} ms (target {EACH_FURTHER_MS:g})"
    )


def main() -> None:
    """Print a table; with --json write it as well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=100)
    arguments = parser.parse_args()
    found = asyncio.run(measure(arguments.rounds))
    for name, figures in found.items():
        print(f"{name:<20} " + "  ".join(f"{size:>2} members {ms:8.2f} ms" for size, ms in figures.items()))
    print("wall:     ", summary(found["ms_per_question"]))
    print("processor:", summary(found["cpu_ms_per_question"]))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
