"""Long-term memory: what a user asked to remember, in LangGraph's store, read in all of that user's turns.

Knows a store, a user's namespace in it, and how remembered texts stand on a slate beside the library's. Off
unless a run has both a store and a user. Writing is for whoever the user told; no node of the graph writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from proxycouncil.errors import UsageError
from proxycouncil.graphs.forwarding import ForwardingSearcher, widened
from proxycouncil.graphs.protocols import Searcher
from proxycouncil.graphs.state import Memory, Recalled
from proxycouncil.retrieval.fusion import RRF_K
from proxycouncil.retrieval.lexical import share_said, tokens
from proxycouncil.retrieval.passage import Affinity, Excerpt, Passage
from proxycouncil.retrieval.slate import arrange, nearness

if TYPE_CHECKING:
    from langgraph.store.base import BaseStore

    from proxycouncil.graphs.protocols import SlateForm, SlateOrder

MEMORY: Final = "memory"
"""Domain of what is remembered, as citations name it."""
MOST: Final = 64
"""Texts of one user: a question is compared to all of them."""
LONGEST: Final = 400
"""Characters of a text: it stands on a slate whole."""
NEAREST: Final = 0.3
"""A remembered text whose cosine to the question is below this is not read."""
_USER_LONGEST = 200


def namespace(user: str) -> tuple[str, str, str]:
    """Where a user's memories lie in a store.

    Raises:
        UsageError: the name is empty or too long to be one.
    """
    if not user.strip() or len(user) > _USER_LONGEST:
        raise UsageError("a user's name has 1 to 200 characters", hint="whose memory is it?")
    # Labels of a namespace must not hold dots, and names do: ada@example.org.
    label = quote(user.strip(), safe="@", errors="replace").replace(".", "%2E")
    return ("council", "memories", label)


async def remember(store: BaseStore, user: str, text: str, *, about: str = "") -> str:
    """Keep a text; the same text about the same question is kept once. Returns its key.

    Raises:
        UsageError: nothing to keep, too long, or this user's memory is full.
    """
    text, about = " ".join(text.split()), " ".join(about.split())
    if not text or len(text) > LONGEST:
        raise UsageError(
            f"what is remembered has 1 to {LONGEST} characters, this has {len(text)}",
            hint="say it in a sentence; `council ingest` takes documents",
        )
    key = hashlib.blake2b(f"{about}\0{text}".encode("utf-8", "replace"), digest_size=8).hexdigest()
    known = await memories(store, user)
    if len(known) >= MOST and key not in {one["key"] for one in known}:
        raise UsageError(
            f"{user} has {MOST} memories, and that is the most", hint="remove one that is not needed any more"
        )
    said = {"text": text, "about": about, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    await store.aput(namespace(user), key, said)
    return key


async def memories(store: BaseStore, user: str) -> list[Memory]:
    """Everything that is remembered for a user, oldest first."""
    found = await store.asearch(namespace(user), limit=MOST)
    kept = [
        Memory(
            key=item.key,
            text=str(item.value.get("text", "")),
            about=str(item.value.get("about", "")),
            at=str(item.value.get("at", "")),
        )
        for item in found
    ]
    return sorted(kept, key=lambda one: (one["at"], one["key"]))


async def forget(store: BaseStore, user: str, key: str | None = None) -> None:
    """Remove one memory of a user, or all."""
    for one in await memories(store, user):
        if key in (None, one["key"]):
            await store.adelete(namespace(user), one["key"])


def recalled(known: Sequence[Memory], question: str, searcher: Searcher) -> list[Recalled]:
    """Those that are near to the question, nearest first. Blocks: it asks the embedder."""
    if not known:
        return []
    texts = [f"{one['about']} {one['text']}".strip() for one in known]
    cosines = searcher.similarity([question, *texts])[0][1:]
    near = [
        Recalled(**one, cosine=float(cosine))
        for one, cosine in zip(known, cosines, strict=True)
        if cosine >= NEAREST
    ]
    return sorted(near, key=lambda one: (-one["cosine"], one["key"]))


def remembering(searcher: Searcher, recalls: Sequence[Recalled]) -> Searcher:
    """The searcher with what is remembered beside it; itself where nothing is."""
    return RememberingSearcher(searcher, recalls) if recalls else searcher


class RememberingSearcher(ForwardingSearcher[Searcher]):
    """A library with a user's memories beside it: every member reads both."""

    def __init__(self, library: Searcher, recalls: Sequence[Recalled]) -> None:
        super().__init__(library)
        self._recalls = recalls

    def affinities(self, question: str) -> Mapping[str, Affinity]:
        """The library's; what is remembered widens what is in scope."""
        cosines = [one["cosine"] for one in self._recalls]
        near = Affinity(
            best=cosines[0], mean3=sum(cosines[:3]) / len(cosines[:3]), example=0.0, bm25=0.0,
            sentence=cosines[0],
        )  # fmt: skip
        return widened(super().affinities(question), near)

    def slate(
        self,
        question: str,
        *,
        domains: Sequence[str] | None = None,
        form: SlateForm = "sentences",
        limit: int = 4,
        order: SlateOrder = "best_first",
        seed: int = 0,
    ) -> list[Excerpt]:
        """The best of both, by score; what is remembered goes first where they are equal."""
        own = self.library.slate(question, domains=domains, form=form, limit=limit)
        both = [*self._excerpts(question, form), *own]
        return arrange(sorted(both, key=lambda excerpt: -excerpt.score)[:limit], order, seed)

    def _excerpts(self, question: str, form: SlateForm) -> list[Excerpt]:
        """Scored as the library scores its own: by rank, and sentences by meaning and words as well.

        How rare a word is only the library knows; here all of the question's words weigh alike.
        """
        words = dict.fromkeys(tokens(question), 1.0)
        excerpts = []
        for rank, one in enumerate(self._recalls, start=1):
            fused = 2 / (RRF_K + rank)
            said = share_said(words, f"{one['about']} {one['text']}")
            near = nearness(cosine=one["cosine"], said=said, fused=fused)
            score = fused if form == "passages" else near
            excerpts.append(Excerpt(_passage(one, fused), one["text"], 0, len(one["text"]), score))
        return excerpts


def _passage(one: Recalled, score: float) -> Passage:
    """`source[start:end] == text` holds: the source is the memory itself."""
    return Passage(
        id=f"memory-{one['key']}",
        text=one["text"],
        title=one["about"] or "Remembered",
        heading_path=("Memory",),
        source=f"memory:{one['key']}",
        start=0,
        end=len(one["text"]),
        domain=MEMORY,
        score=score,
        place=f"said {one['at'][:10]}",
    )
