"""Answers as text for people: plain on a pipe, coloured on a terminal.

It knows how things look and nothing of where they come from. What a model or a document says is data here:
never read as markup, and stripped of what a terminal would obey.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

from proxycouncil.errors import LibraryError

if TYPE_CHECKING:
    from proxycouncil.council.events import DecisionEvent
    from proxycouncil.graphs.state import Ballot, Citation, Part, Plan, Route, Tally

Locate: TypeAlias = Callable[["Citation"], str]
"""Where a citation can be looked up, for people."""

_BIDI = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F)}
_UNFOLDED = 10_000
"""Columns of a pipe: a row of a table stays one line, for whoever reads it with other tools."""
_STATUS_STYLE = {"answered": "green", "abstained": "yellow"}


def visible(text: str) -> str:
    """The text without anything that a terminal would obey: control, direction and half characters."""
    return "".join(
        character
        for character in text
        if character in "\n\t"
        or (unicodedata.category(character) not in ("Cc", "Cs") and character not in _BIDI)
    )


def one_line(text: str, limit: int | None = None) -> str:
    """Visible text with single spaces, cut with an ellipsis."""
    line = " ".join(visible(text).split())
    return line if limit is None or len(line) <= limit else line[: limit - 1].rstrip() + "…"


def console_for(stream: TextIO) -> Console:
    """A console that reads no markup in what it prints, and is plain unless the stream is a real terminal."""
    terminal = stream.isatty()
    return Console(
        file=stream,
        width=None if terminal else _UNFOLDED,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=not terminal,
        force_terminal=terminal,
        no_color=None if terminal else True,
    )


def place_of(citation: Citation, *, find: Callable[[str], Path] = Path) -> str:
    """`file:line`, or `file, page 3` where there are pages; the file alone where it can't be read any more.

    Args:
        citation: what was cited.
        find: where the document of a source lies now.
    """
    shown = _short(citation["source"])
    if place := citation.get("place"):
        return f"{shown}, {place}"
    try:
        line = _line_of(find(citation["source"]), citation["start"])
    except LibraryError:
        line = None
    return shown if line is None else f"{shown}:{line}"


def numbered_answer(decision: DecisionEvent, *, locate: Locate = place_of) -> Text:
    """The answer, its citations and where they stand; one line of reason where there is no answer."""
    if not decision.text:
        return Text(f"The council does not know: {one_line(decision.reason)}")
    text = Text("\n").join(_marked(*one) for one in _answers(decision))
    for number, citation in enumerate(decision.citations, start=1):
        text.append("\n").append_text(citation_line(number, citation, locate=locate))
    return text


def plan_lines(plan: Plan) -> list[Text]:
    """The sub-questions, a line each."""
    lines = [Text(f"asking part by part (plan by {plan['made_by']}):", style="dim")]
    for number, step in enumerate(plan["steps"], start=1):
        needs = " and ".join(map(str, step["needs"]))
        told = f" — needs the answer to {needs}" if needs else ""
        lines.append(Text(f"  {number}. {one_line(step['question'])}{told}", style="dim"))
    return lines


def part_line(number: int, of: int, part: Part) -> Text:
    """A decided part in one line."""
    decision = part["decision"]
    line = Text(f"part {number} of {of}: ", style="bold")
    line.append(f"{one_line(part['standalone'])} ", style="dim")
    if decision["text"]:
        return line.append(one_line(decision["text"], 160))
    return line.append(f"not known: {one_line(decision['reason'])}", style="yellow")


def _answers(decision: DecisionEvent) -> Iterator[tuple[str, list[int], str]]:
    """Each answer with the numbers of its citations, and the question where there are several."""
    if len(decision.parts) < 2:
        yield decision.text, list(range(1, len(decision.citations) + 1)), ""
        return
    places = {_key(cited): number for number, cited in enumerate(decision.citations, start=1)}
    for number, part in enumerate(decision.parts, start=1):
        cited = [places[_key(one)] for one in part["decision"]["citations"] if _key(one) in places]
        yield part["decision"]["text"], sorted(set(cited)), f"{number}. {one_line(part['standalone'])}"


def _marked(answer: str, cited: Iterable[int], asked: str) -> Text:
    text = Text(f"{asked}\n   " if asked else "", style="default")
    if not answer:
        return text.append("The council does not know.", style="yellow")
    text.append(visible(answer).strip())
    marks = "".join(f"[{number}]" for number in cited)
    return text.append(f" {marks}", style="cyan") if marks else text


def _key(cited: Citation) -> tuple[str, int, int]:
    return cited["passage_id"], cited["start"], cited["end"]


def citation_line(number: int, citation: Citation, *, locate: Locate = place_of) -> Text:
    """`[1] Title — place`, and the quote under it."""
    place = locate(citation)
    line = Text(f"\n[{number}] ", style="cyan")
    line.append(one_line(citation["title"]), style="bold")
    line.append(f" — {one_line(place)}\n", style="dim")
    return line.append(f"    “{one_line(citation['quote'])}”", style="default")


def sources_text(number: int, citation: Citation, *, locate: Locate = place_of) -> Text:
    """A citation with all there is to find it again."""
    text = citation_line(number, citation, locate=locate)
    where = f"{citation['domain']} · characters {citation['start']}–{citation['end']}"
    return text.append(f"\n    {one_line(where)} · passage {citation['passage_id']}", style="dim")


def verdict(decision: DecisionEvent) -> Text:
    """Outcome, confidence and reason in one line."""
    text = Text(decision.outcome, style="bold green" if decision.text else "bold yellow")
    if decision.text:
        how = "calibrated" if decision.calibrated else "uncalibrated"
        text.append(f" · confidence {decision.confidence:.2f} ({how})", style="default")
    if decision.degraded:
        text.append(" · degraded: not every member could be heard", style="red")
    if decision.version:
        text.append(f" · version {decision.version}", style="dim")
    return text.append(f" · {one_line(decision.reason)}", style="default")


def dissent_lines(decision: DecisionEvent) -> list[Text]:
    """Answers that lost, a line each."""
    return [
        Text(f"dissent: {', '.join(lost['members'])} ({lost['share']:.0%}): {one_line(lost['text'], 100)}")
        for lost in decision.dissent
    ]


def asked_line(route: Route) -> Text:
    """Who will be asked, and how sure the router is of each."""
    if not route["members"]:
        return Text("asking nobody: no member covers this", style="yellow")
    odds = route["probabilities"]
    names = [f"{name} {odds[name]:.2f}" if name in odds else name for name in route["members"]]
    return Text(f"asking {', '.join(names)}", style="dim")


def ballot_line(ballot: Ballot) -> Text:
    """One reading in one line."""
    who = f"{ballot['member']} ({ballot['slate']})"
    line = Text(f"  {who:<22} ", style="bold")
    if ballot["status"] == "answered":
        line.append(one_line(ballot["text"], 160), style="default")
        return line if ballot["method"] == "steered" else line.append(f" — {ballot['method']}", style="dim")
    line.append(ballot["status"], style=_STATUS_STYLE.get(ballot["status"], "red"))
    detail = ballot["error"] if ballot["error"] else ballot["text"]
    return line.append(f": {one_line(detail, 120)}", style="dim") if detail else line


_VOTED_BY = {
    "cross_scores": "every reading's vote is spread as likely as it would have given each answer",
    "ballots": "ballots as they were cast: answers could not be scored",
}


def vote_table(tally: Tally) -> Table:
    """The groups of the vote with who stands behind each, and what is not an answer below them.

    Where weights were fitted, the probability that each is right stands beside its share, and that none is.
    """
    weights = sum(group["weight"] for group in tally["groups"])
    fitted = tally.get("weighed_by") == "fitted"
    table = plain_table("answer", "members", "share", *(["right"] if fitted else []))
    for group in tally["groups"]:
        share = group["weight"] / weights if weights else 0.0
        numbers = [f"{share:.0%}", *([f"{group.get('probability', 0.0):.0%}"] if fitted else [])]
        table.add_row(Text(one_line(group["text"], 90)), Text(", ".join(group["members"])), *numbers)
    if fitted:
        table.add_row(Text("none of these", style="dim"), "", "", f"{tally['p_none']:.0%}")
    for label, names in (("abstained", tally["abstained"]), ("missing", tally["missing"])):
        if names:
            table.add_row(Text(label, style="dim"), Text(", ".join(names)), "")
    table.caption = _VOTED_BY.get(tally.get("voted_by", ""))
    return table


def ballots_table(ballots: Iterable[Ballot]) -> Table:
    """Every ballot with its signals; of an answer its text, else what went wrong."""
    table = plain_table("member", "slate", "status", "method", "sure", "support", "KL", "seconds", "text")
    for ballot in ballots:
        signals = ballot["signals"]
        numbers = [_number(signals[key]) for key in ("confidence", "support", "kl")]
        style = _STATUS_STYLE.get(ballot["status"], "red")
        error = "" if ballot["status"] in ("answered", "abstained") else ballot["error"]
        table.add_row(
            ballot["member"], ballot["slate"], Text(ballot["status"], style=style), ballot["method"],
            *numbers, f"{ballot['seconds']:.2f}", Text(one_line(error or ballot["text"], 70)),
        )  # fmt: skip
    return table


def pairs_table(pairs: Mapping[str, str]) -> Table:
    """Names and what stands behind them, a line each."""
    table = Table.grid(padding=(0, 2))
    for name, value in pairs.items():
        table.add_row(Text(name, style="bold"), Text(one_line(value)))
    return table


def _short(source: str) -> str:
    """A path below the working directory as people write it."""
    path = Path(source)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else source


@lru_cache(maxsize=256)
def _line_of(file: Path, start: int) -> int | None:
    try:
        with file.open(encoding="utf-8") as opened:
            return opened.read(start).count("\n") + 1
    except (OSError, UnicodeDecodeError):
        return None


def plain_table(*columns: str) -> Table:
    """A table without rules, so that it reads as well in a pipe."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
