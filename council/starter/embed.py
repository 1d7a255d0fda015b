"""Make `embeddings.safetensors`: every vector that the starter's library and its routing need.

    python -m proxycouncil.council.starter.embed

Run it after a change to the handbooks or the domains; `--check` says whether that is needed. Passages,
descriptions and examples are kept as float16 (under 1 MB), sentences as int8 (1.8 MB more): embedding the
sentences of five passages while someone waits would take longer than all the rest of the search. Vectors are
keyed by the digest of their text, the file by the embedder's fingerprint.
"""

from __future__ import annotations

import argparse
import sys

from proxycouncil.council.starter import DIRECTORY, EMBEDDINGS, HANDBOOKS, domain_cards
from proxycouncil.retrieval.bank import VectorBank
from proxycouncil.retrieval.digests import text_digest
from proxycouncil.retrieval.embedder import Embedder
from proxycouncil.retrieval.embedding import embedded_text
from proxycouncil.retrieval.ingest import passages_of
from proxycouncil.retrieval.plan import plan_ingest
from proxycouncil.retrieval.sentences import sentence_texts


def texts_to_embed() -> tuple[list[str], list[str]]:
    """Passages, descriptions and examples; then sentences. Each once, in a fixed order."""
    fine: list[str] = []
    coarse: list[str] = []
    for card in domain_cards():
        fine += [card["description"], *card["examples"]]
        plan = plan_ingest(card["name"], [HANDBOOKS / card["name"]], root=DIRECTORY, known={})
        for passage in passages_of(plan):
            fine.append(embedded_text(passage))
            coarse += sentence_texts(passage.text)
    return list(dict.fromkeys(fine)), list(dict.fromkeys(coarse))


def make_bank(encoder: Embedder) -> VectorBank:
    """Embed everything: about a minute on one core."""
    fine, coarse = texts_to_embed()
    return VectorBank(
        encoder.fingerprint,
        fine=dict(zip(map(text_digest, fine), encoder.encode(fine), strict=True)),
        coarse=dict(zip(map(text_digest, coarse), encoder.encode(coarse), strict=True)),
    )


def missing_texts(encoder: Embedder) -> int:
    """How many texts of the starter have no shipped vector."""
    bank = VectorBank.load(EMBEDDINGS, fingerprint=encoder.fingerprint)
    fine, coarse = texts_to_embed()
    return sum(bank.get(text_digest(text)) is None for text in [*fine, *coarse])


def main() -> int:
    """Make the file, or check it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether the file is complete")
    encoder = Embedder()
    if parser.parse_args().check:
        missing = missing_texts(encoder)
        print(f"{missing} texts have no vector")
        return int(missing > 0)
    bank = make_bank(encoder)
    bank.save(EMBEDDINGS)
    print(f"{len(bank)} vectors, {EMBEDDINGS.stat().st_size / 1e6:.2f} MB: {EMBEDDINGS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
