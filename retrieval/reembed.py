"""Embed a library's texts anew: after a change of the embedder, or to mend a distance that is not cosine.

    python -m proxycouncil.retrieval.reembed LIBRARY [--embedder NAME]

The texts are in the library itself, so the documents are not needed. As every write, it is done as a whole or
not at all.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from proxycouncil.errors import CouncilError
from proxycouncil.retrieval.changes import Change
from proxycouncil.retrieval.embedder import DEFAULT_EMBEDDER, Embedder, TextEncoder
from proxycouncil.retrieval.embedding import embedded_text
from proxycouncil.retrieval.keepsakes import Keepsakes
from proxycouncil.retrieval.sentences import sentence_texts
from proxycouncil.retrieval.store import Store


def reembed(location: Path | str, encoder: TextEncoder) -> dict[str, int]:
    """Give every passage of a library this embedder's vector; returns how many, by domain."""
    store = Store(location, encoder, verify=False)
    try:
        with store.alone():
            changes = [_anew(store, domain, encoder) for domain in store.domains]
            store.write(changes)
            keepsakes = Keepsakes(store.directory, encoder.fingerprint)
            for change in changes:
                texts = [text for row in change.rows for text in sentence_texts(row.passage.text)]
                keepsakes.keep(change.domain, texts, encoder)
    finally:
        store.close()
    return {change.domain: len(change.rows) for change in changes}


def _anew(store: Store, domain: str, encoder: TextEncoder) -> Change:
    rows = store.rows(domain)
    vectors = encoder.encode([embedded_text(row.passage) for row in rows])
    return Change(domain, rows=rows, vectors=vectors, root=store.roots[domain], anew=True)


def main() -> int:
    """The command; 2 when the library can't be used."""
    parser = argparse.ArgumentParser(prog="python -m proxycouncil.retrieval.reembed", description=__doc__)
    parser.add_argument("library", help="directory, or address of a Chroma server")
    parser.add_argument("--embedder", default=DEFAULT_EMBEDDER)
    arguments = parser.parse_args()
    try:
        counts = reembed(arguments.library, Embedder(arguments.embedder))
    except CouncilError as error:
        sys.stderr.write(f"{error}\n{error.hint}\n")
        return error.exit_code
    for domain, count in counts.items():
        sys.stdout.write(f"{domain}: {count} passages\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
