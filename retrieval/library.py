"""The library: documents in, excerpts out. The face of this room, and the graph's `Searcher`.

Composes the store, the embedder, the search and the slate, and keeps what makes a question cheap: one
embedding and one round of queries however many slates are asked of it. Knows nothing of members and votes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from proxycouncil.closing import Closing
from proxycouncil.errors import LibraryError, QuestionError, UnknownDomainError, UsageError
from proxycouncil.retrieval.bank import RememberingEncoder, VectorBank
from proxycouncil.retrieval.changes import Change
from proxycouncil.retrieval.closereading import CloseReader
from proxycouncil.retrieval.digests import file_sha256
from proxycouncil.retrieval.embedder import DEFAULT_EMBEDDER, Embedder, TextEncoder
from proxycouncil.retrieval.embedding import Embedding, Vector
from proxycouncil.retrieval.extracts import Extracts
from proxycouncil.retrieval.ingest import IngestReport, Progress, batches_of, report_of
from proxycouncil.retrieval.keepsakes import Keepsakes
from proxycouncil.retrieval.passage import Affinity, Excerpt, Passage, Standing
from proxycouncil.retrieval.plan import plan_ingest
from proxycouncil.retrieval.readers import read_document
from proxycouncil.retrieval.search import Asked, Index, Mode, ask
from proxycouncil.retrieval.sentences import sentence_texts
from proxycouncil.retrieval.slate import (
    PASSAGES_READ,
    Form,
    Order,
    arrange,
    best_sentences,
    sentences_of,
    telling,
    whole_passages,
    within_budget,
    words_said,
)
from proxycouncil.retrieval.store import Store, is_url

if TYPE_CHECKING:
    from chromadb.api.client import Client

_QUESTIONS_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class DomainStats:
    """Size of one domain."""

    passages: int
    documents: int


@dataclass(frozen=True, slots=True)
class LibraryStats:
    """What a library holds and what made it."""

    place: str
    embedder: str
    embedder_fingerprint: str
    domains: Mapping[str, DomainStats]


class Library(Closing):
    """Passages by domain over Chroma: one collection a domain, hybrid search, slates of excerpts.

    Safe to use from several threads. Holds a shared lock on its directory while open.

    Args:
        location: a directory (made when missing), or a Chroma server's address, "http://host:port".
        embedder: a name for `Embedder`, or anything that encodes; the bundled one by default.
        root: what sources are relative to; by default the folder that the library's own lies in.
        banks: vectors computed before.

    Raises:
        EmbedderMismatchError, DistanceMismatchError: the index can't be used with this embedder.
        LibraryLockedError: another process writes to it.
        LibraryError: it can't be opened.
    """

    def __init__(
        self,
        location: Path | str,
        *,
        embedder: TextEncoder | str = DEFAULT_EMBEDDER,
        root: Path | str | None = None,
        banks: Iterable[VectorBank] = (),
    ) -> None:
        encoder = Embedder(embedder) if isinstance(embedder, str) else embedder
        self._store = Store(location, encoder)
        self._keepsakes = Keepsakes(self._store.directory, encoder.fingerprint)
        self._extracts = Extracts(self._store.directory)
        self._encoder = RememberingEncoder(encoder, [*banks, *self._keepsakes.load()])
        self._reader = CloseReader(self._encoder)
        self._root = _root_of(location, root)
        self._lock = threading.RLock()
        self._index: Index | None = None
        self._state: dict[str, str] = {}
        self._asked: OrderedDict[str, Asked] = OrderedDict()
        self._examples: dict[str, tuple[str, ...]] = {}

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the collections, sorted."""
        return self._store.domains

    @property
    def encoder(self) -> TextEncoder:
        """The embedder, for another library whose scores are to be compared with this one's."""
        return self._encoder

    @property
    def embedder_fingerprint(self) -> str:
        """Equal for two libraries exactly if their cosines can be compared."""
        return self._encoder.fingerprint

    def ingest(
        self, domain: str, *paths: Path | str, sentences: bool = True, progress: Progress | None = None
    ) -> IngestReport:
        """Take documents in: new and changed ones are split and embedded, vanished ones forgotten.

        Args:
            domain: the collection; made when missing.
            paths: files of the kinds in docs/documents.md, and folders of them.
            sentences: store sentence vectors too. Without them passages are ranked less well
                (docs/retrieval.md) and the sentences of a slate are embedded when they are first asked for.
            progress: called after every few passages.

        Raises:
            LibraryLockedError: someone else has the library open.
            LibraryWriteError: read-only or full; what was stored before is unchanged.
        """
        with self._store.alone():
            rows = self._store.rows(domain)
            known = {row.passage.source: row.file_state for row in rows}
            plan = plan_ingest(domain, [Path(path) for path in paths], root=self._root, known=known)
            stored = partial(self._store.vectors, domain)
            embedding = Embedding(self._encoder, stored, sentences=sentences)
            batches = batches_of(
                plan, embedding, self._extracts, held=len(rows), root=str(self._root), progress=progress
            )
            for batch in batches:
                self._add_sentences(domain, batch.sentences)  # first: sentences of nothing do no harm
                self._write(batch.change)
            # Again only for what has changed: it takes a look at every sentence that is held.
            if sentences and (plan.written or plan.removed or self._keepsakes.bank(domain) is None):
                self._keep_sentences(domain)
            if plan.written or plan.removed:
                self._extracts.keep_only(self._states())
        return report_of(plan)

    def remove(self, domain: str) -> None:
        """Forget a domain and all its passages."""
        self._known([domain])
        with self._store.alone():
            self._write(Change(domain, anew=True))
            self._keepsakes.forget(domain)

    def describe(self, domain: str, *, description: str = "", examples: Iterable[str] = ()) -> None:
        """Say what a domain is about, for routing. Embedded at the first question that needs it."""
        with self._lock:
            self._examples[domain] = tuple(text for text in (description, *examples) if text.strip())

    def passages(self, domain: str | None = None) -> tuple[Passage, ...]:
        """Everything the library (or one domain) holds, in the order of the sources."""
        index = self._current_index()
        return tuple(passage for passage in index.passages if domain in (None, passage.domain))

    def search(
        self, question: str, *, domains: Sequence[str] | None = None, limit: int = 5, mode: Mode = "hybrid"
    ) -> list[Passage]:
        """The best passages over the named domains (all by default), best first, each text once.

        Scores are fused ranks for "hybrid", cosines for "dense", BM25 for "bm25".
        """
        return self._ask(question).search(self._known(domains), limit=limit, mode=mode)

    def slate(
        self,
        question: str,
        *,
        domains: Sequence[str] | None = None,
        form: Form = "sentences",
        limit: int = 4,
        order: Order = "best_first",
        seed: int = 0,
        budget_tokens: int | None = None,
        count_tokens: Callable[[str], int] | None = None,
    ) -> list[Excerpt]:
        """What a member reads: the best sentences of the five best passages, or whole passages.

        Args:
            question: as the member will see it.
            domains: which collections; all by default.
            form: "sentences" or "passages".
            limit: excerpts at most.
            order: best first, best last, best at both edges, or shuffled by `seed`.
            seed: of the shuffle.
            budget_tokens: the lowest ranked are left out until titles and texts fit; needs `count_tokens`.
            count_tokens: the reading model's count.
        """
        asked, chosen = self._ask(question), self._known(domains)
        if form == "passages":
            best = whole_passages(asked.search(chosen, limit=limit, mode="hybrid"))
        else:
            read = asked.search(chosen, limit=PASSAGES_READ, mode="hybrid")
            best = self.sentences(question, read, limit=limit)
        return arrange(within_budget(best, budget_tokens, count_tokens), order, seed)

    def sentences(self, question: str, passages: Sequence[Passage], *, limit: int) -> list[Excerpt]:
        """The best sentences of these passages, best first: by meaning, by rare words, by their passage."""
        asked, found = self._ask(question), telling(sentences_of(passages), question)
        said = words_said(found, asked.index.lexical.rarities(question))
        return best_sentences(found, self._cosines(asked, [one.text for one in found]), limit, said=said)

    def affinities(self, question: str) -> dict[str, Affinity]:
        """How near the question is to each domain, stored or described; the router's features."""
        asked = self._ask(question)
        with self._lock:
            described = dict(self._examples)
        return {
            domain: asked.affinity(
                domain, example=max(self._cosines(asked, described.get(domain, ())), default=0.0)
            )
            for domain in sorted({*self.domains, *described})
        }

    def similarity(self, texts: Sequence[str]) -> list[list[float]]:
        """Pairwise cosines of the texts."""
        vectors = self._encoder.encode(texts)
        return [[float(cosine) for cosine in row] for row in vectors @ vectors.T]

    def encode(self, texts: Sequence[str]) -> list[list[float]]:
        """Vectors as they are stored: unit length, by this library's embedder."""
        return [[float(value) for value in row] for row in self._encoder.encode(texts)]

    def collection(self, domain: str) -> tuple[Client, str]:
        """Chroma's own client and the name of the domain's collection, for those who read it directly.

        Both end with the next write to this library. Writing to it goes past our locks and checks: `ingest`.

        Raises:
            UnknownDomainError: the library holds no such domain.
        """
        self._known([domain])
        return self._store.collection(domain)

    def resolve(self, source: str) -> Path:
        """Where a passage's document lies now.

        Raises:
            LibraryError: it is not where it was ingested from, nor under the root.
        """
        for root in dict.fromkeys([self._root, *map(Path, self._store.roots.values())]):
            if (path := root / source).is_file():
                return path
        raise LibraryError(
            f"The document {source!r} is not under {self._root}",
            hint="open the library with root=… set to the folder that the documents lie in now",
        )

    def text_of(self, source: str) -> str:
        """The text that spans of a document count in: its own, or what was extracted when it was ingested.

        Raises:
            LibraryError: neither is there any more.
        """
        extract = self._extracts.load(self._state_of(source))
        return extract.text if extract else read_document(self.resolve(source)).text

    def standing(self, passage_id: str, *, domain: str) -> Standing:
        """Whether what was cited can still be looked up: the passage held, its document as it was read."""
        passage = self._current_index().passage(domain, passage_id) if domain in self.domains else None
        if passage is None:
            return "gone"
        extract = self._extracts.load(self._state_of(passage.source))
        try:
            path = self.resolve(passage.source)
            if extract:
                return "stands" if file_sha256(path) == extract.sha256 else "changed"
            text = read_document(path).text
        except (LibraryError, UsageError, OSError):
            return "missing"
        return "stands" if text[passage.start : passage.end] == passage.text else "changed"

    def stats(self) -> LibraryStats:
        """Sizes, for people."""
        held = {domain: self.passages(domain) for domain in self.domains}
        domains = {
            domain: DomainStats(len(passages), len({passage.source for passage in passages}))
            for domain, passages in held.items()
        }
        return LibraryStats(self._store.place, self._encoder.name, self.embedder_fingerprint, domains)

    def warm(self) -> None:
        """Do now what the first question would wait for: load the embedder, read passages, count words."""
        self._ask("warm")

    def close(self) -> None:
        """Let go of the directory; harmless when repeated."""
        self._store.close()

    def _write(self, change: Change) -> None:
        with self._lock:
            try:
                self._store.write([change])
            finally:
                self._index = None
                self._asked.clear()

    def _add_sentences(self, domain: str, vectors: Mapping[bytes, Vector]) -> None:
        if vectors:
            before = self._keepsakes.bank(domain)
            self._encoder.add_bank(self._keepsakes.add(domain, vectors), instead_of=before)

    def _keep_sentences(self, domain: str) -> None:
        texts = [text for passage in self.passages(domain) for text in sentence_texts(passage.text)]
        if texts:
            before = self._keepsakes.bank(domain)
            bank = self._keepsakes.keep(domain, texts, self._encoder)
            with self._lock:
                self._encoder.add_bank(bank, instead_of=before)
                self._reader.forget()
                self._asked.clear()

    def _state_of(self, source: str) -> str:
        self._current_index()
        return self._state.get(source, "")

    def _states(self) -> set[str]:
        return {row.file_state for domain in self.domains for row in self._store.rows(domain)}

    def _current_index(self) -> Index:
        with self._lock:
            if self._index is None:
                rows = [row for domain in self._store.domains for row in self._store.rows(domain)]
                self._index = Index([row.passage for row in rows])
                self._state = {row.passage.source: row.file_state for row in rows}
            return self._index

    def _ask(self, question: str) -> Asked:
        if not question.strip():
            raise QuestionError("The question is empty", hint="ask something")
        with self._lock:
            if question not in self._asked:
                self._asked[question] = ask(
                    self._current_index(),
                    question,
                    self._encoder.encode([question])[0],
                    domains=self._store.domains,
                    nearest=self._store.nearest,
                    read_closely=self._reader.best_cosines,
                )
                if len(self._asked) > _QUESTIONS_REMEMBERED:
                    self._asked.popitem(last=False)
            self._asked.move_to_end(question)
            return self._asked[question]

    def _cosines(self, asked: Asked, texts: Sequence[str]) -> list[float]:
        if not texts:
            return []
        return [float(cosine) for cosine in self._encoder.encode(texts) @ asked.vector]

    def _known(self, domains: Sequence[str] | None) -> tuple[str, ...]:
        held = self.domains
        unknown = [domain for domain in domains or () if domain not in held]
        if unknown:
            raise UnknownDomainError(
                f"The library holds no domain {unknown[0]!r}",
                hint=f"it holds {', '.join(held)}"
                if held
                else "ingest documents first: council ingest DOMAIN PATH",
            )
        return held if domains is None else tuple(dict.fromkeys(domains))


def _root_of(location: Path | str, root: Path | str | None) -> Path:
    if root is not None:
        return Path(root).resolve()
    return Path.cwd() if is_url(location) else Path(location).expanduser().resolve().parent
