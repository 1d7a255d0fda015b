"""A plan carried out on one long document: each step asks the council, or what steps before it found.

The council's members read the document instead of their own collections; for a `list` they are asked about
one part after the other. Every result names the passages it stands on. Knows no plans' making.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxycouncil.graphs.brief import record
from proxycouncil.graphs.citing import citation, content_words
from proxycouncil.graphs.context import GENERALIST
from proxycouncil.graphs.filling import about, explained, filled
from proxycouncil.retrieval.passage import Affinity, Excerpt, Passage
from proxycouncil.retrieval.slate import arrange, whole_passages

if TYPE_CHECKING:
    from proxycouncil.council.council import Council
    from proxycouncil.council.events import Answer
    from proxycouncil.council.reading_plan import Step
    from proxycouncil.graphs.protocols import SlateForm, SlateOrder
    from proxycouncil.graphs.state import Citation
    from proxycouncil.retrieval.library import Library

PARTS_ASKED = 8
"""Parts of the document that a `list` asks, those nearest to its question."""
_SUMMARY_SENTENCES = 5
_SPECIALISTS = 2


@dataclass(frozen=True, slots=True)
class Result:
    """What a step came to."""

    step: Step
    items: tuple[str, ...]
    """One answer, or each item of a list; empty where the document does not say."""
    citations: tuple[Citation, ...] = ()

    @property
    def text(self) -> str:
        """For people."""
        return "; ".join(self.items) if self.items else "the document does not say"


class Focus:
    """A `Searcher` over one document for whichever domain is named, or over one part of it for a while."""

    def __init__(self, library: Library, domains: Sequence[str]) -> None:
        self._library = library
        self._domains = tuple(sorted(domains))
        self._part: Passage | None = None

    @property
    def domains(self) -> tuple[str, ...]:
        """The members' own, each of which stands for the document here."""
        return self._domains

    @property
    def embedder_fingerprint(self) -> str:
        """The library's."""
        return self._library.embedder_fingerprint

    @contextmanager
    def on(self, part: Passage | None) -> Iterator[None]:
        """Show this part alone; None shows the whole."""
        before, self._part = self._part, part
        try:
            yield
        finally:
            self._part = before

    def affinities(self, question: str) -> Mapping[str, Affinity]:
        """The document's, for every domain."""
        (near,) = self._library.affinities(question).values()
        return dict.fromkeys(self._domains, near)

    def slate(
        self,
        question: str,
        *,
        domains: Sequence[str] | None = None,  # noqa: ARG002 (all of them are the document)
        form: SlateForm = "sentences",
        limit: int = 4,
        order: SlateOrder = "best_first",
        seed: int = 0,
    ) -> list[Excerpt]:
        """The best excerpts of the document, or of the part that is shown."""
        if self._part is None:
            return self._library.slate(question, form=form, limit=limit, order=order, seed=seed)
        if form == "passages":
            return whole_passages([self._part])
        return arrange(self._library.sentences(question, [self._part], limit=limit), order, seed)

    def similarity(self, texts: Sequence[str]) -> list[list[float]]:
        """The library's."""
        return self._library.similarity(texts)


def readers_of(council: Council, question: str) -> list[str]:
    """Who reads the document: the generalist, and the specialists nearest to the question."""
    near = council.library.affinities(question)
    seated = [name for name in near if name in council.members and name != GENERALIST]
    ranked = sorted(seated, key=lambda name: (-max(near[name].best, near[name].example), name))
    return [*ranked[:_SPECIALISTS], GENERALIST]


def reading_council(council: Council, focus: Focus) -> Council:
    """The same members and models before another shelf; confidences fitted on the first don't hold there.

    Questions are put as they are: whoever reads by a plan has split them already. One ballot each, since
    everybody's own collection is the document, and a second would read the first slate again.
    """
    from proxycouncil.council.council import Council

    changed = {"calibration": None, "checkpoints": None, "planner": "off", "ballots": 1}
    deliberation = council.config.council.model_copy(update=changed)
    config = council.config.model_copy(update={"council": deliberation})
    return Council(config, generator=council.generator, searcher=focus)


class LongReading:
    """One document and the council that reads it.

    Args:
        council: whose searcher is `focus`.
        focus: over the document.
        library: which holds the document and nothing else.
        members: who is asked.
    """

    def __init__(self, council: Council, focus: Focus, library: Library, members: Sequence[str]) -> None:
        self._council = council
        self._focus = focus
        self._library = library
        self._members = list(members)

    def carry_out(self, steps: Sequence[Step]) -> Iterator[Result]:
        """The results in the order of the plan, each as soon as it is there."""
        done: list[Result] = []
        ways: dict[str, Callable[[Step, Sequence[Result]], Result]] = {
            "find": self._find,
            "list": self._list,
            "count": _count,
            "compare": _compare,
            "summarise": self._summarise,
        }
        for step in steps:
            result = ways[step.action](step, done)
            done.append(result)
            yield result

    def _find(self, step: Step, done: Sequence[Result]) -> Result:
        answer = self._ask(_standing_alone(step, done), None)
        return Result(step, (answer.text,) if answer.text else (), tuple(answer.citations))

    def _list(self, step: Step, _: Sequence[Result]) -> Result:
        items: dict[tuple[str, ...], str] = {}
        citations: list[Citation] = []
        parts = self._library.search(step.text, limit=PARTS_ASKED)
        for part in sorted(parts, key=lambda one: (one.source, one.start)):
            answer = self._ask(step.text, part)
            words = tuple(sorted(set(content_words(answer.text))))
            if answer.text and words not in items:
                items[words] = answer.text.strip()
                citations += answer.citations
        return Result(step, tuple(items.values()), tuple(citations))

    def _summarise(self, step: Step, _: Sequence[Result]) -> Result:
        best = self._library.slate(step.text, limit=_SUMMARY_SENTENCES)
        told = sorted(best, key=lambda excerpt: (excerpt.passage.source, excerpt.start))
        cited = tuple(citation(record(excerpt)) for excerpt in told)
        return Result(step, (" ".join(excerpt.text for excerpt in told),) if told else (), cited)

    def _ask(self, question: str, part: Passage | None) -> Answer:
        with self._focus.on(part):
            return self._council.ask(question, members=self._members)


def _standing_alone(step: Step, done: Sequence[Result]) -> str:
    """What is asked, with the last answer where it points back to that: "and when did he …"."""
    if not done or done[-1].step.action != "find":
        return step.text
    before, thing = done[-1], about(done[-1].step.text)
    text = explained(step.text, thing) if thing else step.text
    return filled(text, before.step.text, before.items[0]) if before.items else text


def _count(step: Step, done: Sequence[Result]) -> Result:
    counted = done[step.refers_to[0] - 1]
    return Result(step, (str(len(counted.items)),), counted.citations)


def _compare(step: Step, done: Sequence[Result]) -> Result:
    found = [done[number - 1] for number in step.refers_to]
    told = tuple(f"{one.step.text} {one.text}" for one in found)
    return Result(step, told, tuple(cited for one in found for cited in one.citations))
