"""What a council is made of, and what it would do with a question, as text for people. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from proxycouncil.council.assembly import load_calibration, settings
from proxycouncil.council.questions import cleaned
from proxycouncil.council.rendering import asked_line, one_line, pairs_table, place_of, plain_table
from proxycouncil.graphs.brief import record
from proxycouncil.graphs.citing import citation
from proxycouncil.graphs.context import GENERALIST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console
    from rich.table import Table

    from proxycouncil.council.config import CouncilConfig
    from proxycouncil.council.council import Council
    from proxycouncil.graphs.protocols import Searcher
    from proxycouncil.graphs.state import Route
    from proxycouncil.retrieval.passage import Affinity, Excerpt


def members_table(config: CouncilConfig) -> Table:
    """Who can be asked, and by what each is steered."""
    table = plain_table("member", "alpha", "expert", "title")
    for name, one in config.specialists.items():
        table.add_row(name, f"{one.alpha:g}", one.expert or "–", one_line(one.title))
    general = config.generalist
    table.add_row(GENERALIST, f"{general.alpha:g}", general.expert or "–", "reads every collection")
    return table


def settings_table(config: CouncilConfig) -> Table:
    """Every setting that is not a member's, as it is in force."""
    sections = {"family": config.family, "retrieval": config.retrieval, "council": config.council}
    return pairs_table(
        {
            f"{name}.{key}": "unset" if value is None else str(value)
            for name, section in sections.items()
            for key, value in section
        }
    )


def show_library(console: Console, searcher: Searcher) -> None:
    """What is in the library and what made it; a searcher that is no library shows its domains."""
    from proxycouncil.retrieval.library import Library

    if not isinstance(searcher, Library):
        console.print(f"domains: {', '.join(searcher.domains)}; embedder {searcher.embedder_fingerprint}")
        return
    stats = searcher.stats()
    console.print(
        f"library {stats.place}\nembedder {stats.embedder}, fingerprint {stats.embedder_fingerprint}"
    )
    table = plain_table("domain", "passages", "documents")
    for domain, size in stats.domains.items():
        table.add_row(domain, str(size.passages), str(size.documents))
    console.print(table)


def show_question(console: Console, council: Council, question: str) -> None:
    """Who would be asked, why, and what all of them would read first."""
    asked = cleaned(question)
    found = council.library.affinities(asked)
    route = _route(council, asked, found)
    console.print(asked_line(route))
    console.print(_odds_table(route, found), crop=False)
    console.print()
    chosen = settings(council.config)
    domains = [name for name in route["members"] if name != GENERALIST]
    excerpts = council.library.slate(
        asked,
        domains=None if GENERALIST in route["members"] else domains,
        form=chosen.slate,
        limit=chosen.excerpts,
        order=chosen.order,
    )
    for number, excerpt in enumerate(excerpts, start=1):
        console.print(_excerpt_text(number, excerpt))


def _route(council: Council, question: str, found: Mapping[str, Affinity]) -> Route:
    from proxycouncil.graphs.route import route

    chosen = settings(council.config)
    calibration = load_calibration(council.config.council.calibration) or {}
    return route(
        question,
        found,
        calibration=calibration.get("route"),
        fingerprint=council.library.embedder_fingerprint,
        ask_at_most=chosen.ask_at_most,
        mass=chosen.mass,
        seats=council.members,
    )


def _odds_table(route: Route, found: Mapping[str, Affinity]) -> Table:
    table = plain_table("domain", "probability", "best passage", "best three", "examples", "BM25")
    for domain, odds in sorted(route["probabilities"].items(), key=lambda item: -item[1]):
        near = found[domain]
        table.add_row(
            domain,
            f"{odds:.3f}",
            f"{near.best:.3f}",
            f"{near.mean3:.3f}",
            f"{near.example:.3f}",
            f"{near.bm25:.1f}",
        )
    table.add_row("out of scope", f"{route['out_of_scope']:.3f}", "", "", "", "")
    return table


def _excerpt_text(number: int, excerpt: Excerpt) -> Text:
    passage = excerpt.passage
    text = Text(f"{number}. ", style="cyan")
    text.append(f"{one_line(passage.title)} ", style="bold")
    text.append(f"({passage.domain}, {place_of(citation(record(excerpt)))})", style="dim")
    return text.append(f"\n   {one_line(excerpt.text)}", style="default")
