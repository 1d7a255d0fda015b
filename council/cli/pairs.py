"""`council eval pairs`: whether answers that mean the same are told from those that do not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxycouncil.council.cli.running import Debug

if TYPE_CHECKING:
    from proxycouncil.eval.pairs import Score, Similarities

_COLUMNS = ("precision", "recall", "f1", "contradicting_merged", "different_merged")


def pairs(
    file: Annotated[
        Path, typer.Argument(help='{"question", "a", "b", "label": same, contradicting or different} a line.')
    ],
    *,
    nli: Annotated[
        str | None, typer.Option(help="A cross-encoder for inference, path or hub id: one rule more.")
    ] = None,
    cosine: Annotated[
        bool, typer.Option("--cosine", help="Also the best cosine threshold of the bundled embedder.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")] = False,
    debug: Debug = False,  # noqa: ARG001 (its callback keeps it)
) -> None:
    """Score how answers are grouped by meaning, beside rules in use elsewhere.

    The first half of the file is for looking at, the second for reporting.
    """
    from proxycouncil.eval.pairs import score_pairs
    from proxycouncil.retrieval.entailment import Entailer

    scores = score_pairs(
        file, entails=Entailer(nli) if nli else None, similarity=_embedder() if cosine else None
    )
    if as_json:
        typer.echo(json.dumps(scores))
    else:
        _print(scores)


def _embedder() -> Similarities:
    from proxycouncil.retrieval.embedder import Embedder

    encoder = Embedder()

    def cosines(texts: list[str]) -> list[list[float]]:
        vectors = encoder.encode(texts)
        return [[float(value) for value in row] for row in vectors @ vectors.T]

    return lambda texts: cosines(list(texts))


def _print(scores: dict[str, dict[str, Score]]) -> None:
    from proxycouncil.council.rendering import console_for, plain_table

    table = plain_table("rule", "part", *(name.replace("_", " ") for name in _COLUMNS))
    for rule, parts in scores.items():
        for part, score in parts.items():
            values = [score["precision"], score["recall"], score["f1"]]
            values += [score["contradicting_merged"], score["different_merged"]]
            table.add_row(rule, part, *("–" if value is None else f"{value:.3f}" for value in values))
    console_for(sys.stdout).print(table, crop=False)
