"""Chroma's clients and collections, with its traps closed (1.5.9).

Knows Chroma and nothing of searching. Vectors are always ours (`embedding_function=None`: its default would
download a model). Every collection must measure cosine and carry the fingerprint of the embedder that is in
use; both are read back, since `get_or_create` accepts other settings and ignores them without a word.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from proxycouncil.errors import DistanceMismatchError, EmbedderMismatchError, LibraryError
from proxycouncil.retrieval.embedder import TextEncoder, Vectors
from proxycouncil.retrieval.passage import Passage

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection
    from chromadb.api.types import GetResult, Include, Where
    from chromadb.config import Settings

PAGE = 10_000
"""Rows of one answer."""
_PLAIN_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,510}[a-zA-Z0-9]")


@dataclass(frozen=True, slots=True)
class Row:
    """A passage as it is stored, with the state of the file it is from."""

    passage: Passage
    file_state: str
    """Digest of the file's bytes and of the way it was split."""


def open_directory(path: Path) -> Client:
    """A client on a directory. Its engine belongs to the path's string, so the path must be resolved."""
    from chromadb import PersistentClient

    return cast("Client", PersistentClient(path=str(path), settings=_settings()))


def open_server(url: str) -> Client:
    """A client of a Chroma server: "http://host:port"."""
    from chromadb import HttpClient

    parts = urlsplit(url)
    tls = parts.scheme == "https"
    try:
        port = parts.port or (443 if tls else 8000)
        client = HttpClient(parts.hostname or "localhost", port, ssl=tls, settings=_settings())
        return cast("Client", client)
    except Exception as error:  # Chroma lets ValueError, httpx's and its own kinds through
        raise LibraryError(
            f"No Chroma server answers at {url}: {error}", hint="start one: chroma run --path DIRECTORY"
        ) from error


def close(client: Client) -> None:
    """Let go of files and connections; Chroma's own `close` forgets the latter, of which it has two."""
    servers = [client._server, client._admin_client._server]  # type: ignore[attr-defined]  # noqa: SLF001
    sessions = [vars(server).get("_session") for server in servers]
    client.close()
    for session in filter(None, sessions):
        session.close()


def _settings() -> Settings:
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False)


def open_shelves(client: Client, encoder: TextEncoder, *, place: str, verify: bool) -> dict[str, Shelf]:
    """The collections by domain, each verified unless they are to be replaced."""
    shelves = {}
    for collection in client.list_collections():
        if verify:
            _verify(collection, encoder, place)
        bare = client.get_collection(collection.name, embedding_function=None)
        domain = str((collection.metadata or {}).get("domain", collection.name))
        shelves[domain] = Shelf(bare, domain)
    return shelves


def create_shelf(client: Client, domain: str, encoder: TextEncoder, *, root: str) -> Shelf:
    """A new, empty collection."""
    collection = client.create_collection(
        collection_name(domain),
        configuration={"hnsw": {"space": "cosine"}},
        metadata={
            "domain": domain,
            "embedder": encoder.fingerprint,
            "embedder_name": encoder.name,
            "root": root,
        },
        embedding_function=None,
    )
    return Shelf(collection, domain)


def collection_name(domain: str) -> str:
    """Chroma wants 3 to 512 of few characters; a domain is whatever its council calls it."""
    if _PLAIN_NAME.fullmatch(domain):
        return domain
    return f"domain-{hashlib.sha256(domain.encode()).hexdigest()[:16]}"


def _verify(collection: Collection, encoder: TextEncoder, place: str) -> None:
    space = collection.configuration_json.get("hnsw", {}).get("space")
    metadata = collection.metadata or {}
    embedded_by = metadata.get("embedder")
    hint = (
        "embed its texts anew: python -m proxycouncil.retrieval.reembed "
        f"{place} --embedder {encoder.name}; or open it with the embedder it was made with"
    )
    if space != "cosine":
        raise DistanceMismatchError(
            f"The collection {collection.name!r} in {place} measures {space!r}, not cosine", hint=hint
        )
    if embedded_by != encoder.fingerprint:
        raise EmbedderMismatchError(
            f"The collection {collection.name!r} in {place} was embedded by "
            f"{metadata.get('embedder_name', 'an unknown model')} ({embedded_by or 'no fingerprint'}), not "
            f"by {encoder.name} ({encoder.fingerprint})",
            hint=hint,
        )


class Shelf:
    """One domain's collection."""

    def __init__(self, collection: Collection, domain: str) -> None:
        self._collection = collection
        self.domain = domain

    @property
    def root(self) -> str:
        """Directory that sources are relative to, as it was at the first ingest."""
        return str((self._collection.metadata or {}).get("root", ""))

    def count(self) -> int:
        """Number of passages."""
        return int(self._collection.count())

    def rows(self) -> list[Row]:
        """All passages, in the order of their sources."""
        rows = [
            _row(identity, text, metadata, self.domain)
            for found in self._pages(include=["documents", "metadatas"])
            for identity, text, metadata in zip(
                found["ids"], found["documents"] or [], found["metadatas"] or [], strict=True
            )
        ]
        return sorted(rows, key=lambda row: (row.passage.source, row.passage.start, row.passage.id))

    def vectors(self, source: str) -> list[tuple[Passage, NDArray[np.float32]]]:
        """What is held of a document, with its vectors."""
        held = []
        for found in self._pages(where={"source": source}, include=["documents", "metadatas", "embeddings"]):
            texts, metadatas = found["documents"] or [], found["metadatas"] or []
            vectors = found["embeddings"] if found["embeddings"] is not None else []
            held += [
                (_row(identity, text, metadata, self.domain).passage, np.asarray(vector, np.float32))
                for identity, text, metadata, vector in zip(
                    found["ids"], texts, metadatas, vectors, strict=True
                )
            ]
        return held

    def nearest(self, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """Ids and cosines, best first, ties by id."""
        found = self._collection.query(
            query_embeddings=[vector.tolist()], n_results=limit, include=["distances"]
        )
        distances = (found["distances"] or [[]])[0]
        hits = [
            (identity, 1.0 - distance) for identity, distance in zip(found["ids"][0], distances, strict=True)
        ]
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))

    def add(self, rows: Sequence[Row], vectors: Vectors, *, batch: int) -> None:
        """Store passages; those that are there are replaced."""
        for start in range(0, len(rows), batch):
            part = rows[start : start + batch]
            self._collection.upsert(
                ids=[row.passage.id for row in part],
                embeddings=list(vectors[start : start + batch]),
                documents=[row.passage.text for row in part],
                metadatas=[_metadata(row) for row in part],
            )

    def remove_sources(self, sources: Iterable[str]) -> None:
        """Forget all passages of these documents."""
        for source in sources:
            ids = [one for found in self._pages(where={"source": source}, include=[]) for one in found["ids"]]
            for start in range(0, len(ids), PAGE):
                self._collection.delete(ids=ids[start : start + PAGE])

    def _pages(self, *, include: Include, where: Where | None = None) -> Iterator[GetResult]:
        """What `get` gives, page by page: Chroma names every row of an answer in one SQL statement, and
        SQLite takes 32,766 names (chroma-core/chroma#7687)."""
        for offset in count(step=PAGE):
            found = self._collection.get(where=where, include=include, limit=PAGE, offset=offset)
            yield found
            if len(found["ids"]) < PAGE:
                return


def _metadata(row: Row) -> dict[str, str | int]:
    passage = row.passage
    return {
        "source": passage.source,
        "start": passage.start,
        "end": passage.end,
        "title": passage.title,
        "headings": json.dumps(passage.heading_path, ensure_ascii=False),
        "file_state": row.file_state,
        **({"place": passage.place} if passage.place else {}),
    }


def _row(identity: str, text: str | None, metadata: Mapping[str, object], domain: str) -> Row:
    try:
        passage = Passage(
            id=identity,
            text=text or "",
            title=str(metadata["title"]),
            heading_path=tuple(json.loads(str(metadata["headings"]))),
            source=str(metadata["source"]),
            start=int(str(metadata["start"])),
            end=int(str(metadata["end"])),
            domain=domain,
            place=str(metadata.get("place", "")),
        )
        return Row(passage, str(metadata["file_state"]))
    except (KeyError, TypeError, ValueError) as error:
        raise LibraryError(
            f"A passage of {domain!r} was not stored by this program: {error!r} in its metadata",
            hint="ingest the documents into a new library",
        ) from error
