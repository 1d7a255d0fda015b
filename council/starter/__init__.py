"""The embedded council's documents, questions and vectors, and its library, filled on first use.

The library is a Chroma directory in the user's cache folder, named by the content it was made from, never in
site-packages. It is built beside and renamed, so that two processes at once do not harm each other.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from proxycouncil.errors import LibraryWriteError

if TYPE_CHECKING:
    from proxycouncil.retrieval.bank import VectorBank
    from proxycouncil.retrieval.embedder import Embedder
    from proxycouncil.retrieval.library import Library

DIRECTORY = Path(__file__).resolve().parent
HANDBOOKS = DIRECTORY / "handbooks"
EMBEDDINGS = DIRECTORY / "embeddings.safetensors"


class DomainCard(TypedDict):
    """What a domain is about, for people and for routing."""

    name: str
    title: str
    description: str
    examples: list[str]


def domain_cards() -> list[DomainCard]:
    """The starter's domains, sorted by name."""
    return [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((DIRECTORY / "domains").glob("*.json"))
    ]


def open_library(cache_dir: Path | str | None = None) -> Library:
    """The starter's library: six handbooks, described, with all vectors at hand.

    Args:
        cache_dir: where it is built on first use; by default the user's cache folder.

    Raises:
        LibraryWriteError: the cache folder can't be written.
    """
    import platformdirs

    from proxycouncil.retrieval.bank import VectorBank
    from proxycouncil.retrieval.embedder import Embedder
    from proxycouncil.retrieval.library import Library

    encoder = Embedder()
    bank = VectorBank.load(EMBEDDINGS, fingerprint=encoder.fingerprint)
    cache = Path(cache_dir) if cache_dir else platformdirs.user_cache_path("proxycouncil")
    home = cache / f"starter-{_content_fingerprint()}"
    if not home.is_dir():
        _build(home, encoder, bank)
    library = Library(home, embedder=encoder, root=DIRECTORY, banks=[bank])
    for card in domain_cards():
        library.describe(card["name"], description=card["description"], examples=card["examples"])
    return library


def _build(home: Path, encoder: Embedder, bank: VectorBank) -> None:
    from proxycouncil.retrieval.library import Library

    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    except OSError as error:
        raise LibraryWriteError(
            f"The starter's library can't be made in {home.parent}: {error}",
            hint="set XDG_CACHE_HOME to a folder that can be written",
        ) from error
    try:
        with Library(building, embedder=encoder, root=DIRECTORY, banks=[bank]) as library:
            for card in domain_cards():
                library.ingest(card["name"], HANDBOOKS / card["name"], sentences=False)
        _publish(building, home)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _publish(building: Path, home: Path) -> None:
    try:
        building.rename(home)
    except OSError:
        if not home.is_dir():  # else another process was first, with the same content
            raise


def _content_fingerprint() -> str:
    from proxycouncil.retrieval.splitting import SPLITTING

    digest = hashlib.sha256(SPLITTING.encode())
    for path in [EMBEDDINGS, *sorted(HANDBOOKS.rglob("*.md"))]:
        digest.update(path.relative_to(DIRECTORY).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
