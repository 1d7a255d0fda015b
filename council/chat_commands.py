"""The slash commands of a chat: one table, from which help, completion and tests are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from proxycouncil.council.memories import nothing_remembered
from proxycouncil.council.rendering import ballots_table, one_line, pairs_table, plan_lines, sources_text
from proxycouncil.council.steered import steered, tokenizer_of
from proxycouncil.council.tokens_page import save_page, tokens_page
from proxycouncil.council.tokens_text import show_tokens
from proxycouncil.errors import UsageError

if TYPE_CHECKING:
    from proxycouncil.council.chat import Chat
    from proxycouncil.council.events import Answer
    from proxycouncil.graphs.state import Message


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """One line of the table. `takes_member`: its first word is a member's name."""

    name: str
    arguments: str
    meaning: str
    run: Callable[[Chat, str], None]
    takes_member: bool = False


def perform(chat: Chat, line: str) -> None:
    """Run the command that the line names."""
    name, _, rest = line.partition(" ")
    command = next((one for one in COMMANDS if one.name == name), None)
    if command is None:
        nearest = get_close_matches(name, [one.name for one in COMMANDS], n=1)
        raise UsageError(
            f"no command is called {name}",
            hint=f"did you mean {nearest[0]}?" if nearest else "/help lists them",
        )
    command.run(chat, rest.strip())


def phrases(members: Sequence[str]) -> Iterator[str]:
    """What Tab completes to."""
    for command in COMMANDS:
        yield command.name
        if command.takes_member:
            yield from (f"{command.name} {member} " for member in members)


def _sources(chat: Chat, _: str) -> None:
    answer = _last(chat)
    if not answer.citations:
        chat.say("nothing was cited")
    for number, citation in enumerate(answer.citations, start=1):
        chat.console.print(sources_text(number, citation, locate=chat.locate))


def _why(chat: Chat, _: str) -> None:
    answer = _last(chat)
    if answer.plan is not None:
        chat.say(f"{answer.decision.outcome}: {answer.decision.reason}")
    for number, part in enumerate(answer.parts, start=1):
        chat.say(f"part {number} of {len(answer.parts)}", style="bold")
        _explain(chat, part)
    if answer.plan is None:
        _explain(chat, answer)


def _explain(chat: Chat, answer: Answer) -> None:
    decision, tally, route = answer.decision, answer.tally, answer.route
    fitted = "calibrated" if decision.calibrated else "uncalibrated"
    odds = sorted(route["probabilities"].items(), key=lambda item: -item[1])
    reasons = {
        "outcome": decision.outcome,
        "reason": decision.reason,
        "understood as": decision.standalone,
        "asked": ", ".join(route["members"]) or "nobody",
        "domains": ", ".join(f"{name} {share:.2f}" for name, share in odds[:4]),
        "out of scope": f"{route['out_of_scope']:.2f}",
        "confidence": f"{decision.confidence:.2f} ({fitted})",
        "agreement": "–" if decision.agreement is None else f"{decision.agreement:.2f}",
        "none of these": f"{tally['p_none']:.2f}",
        "decisive": ", ".join(tally["decisive"]) or "nobody alone",
        "missing": ", ".join(tally["missing"]) or "nobody",
    }
    chat.console.print(pairs_table(reasons))


def _ballots(chat: Chat, _: str) -> None:
    chat.console.print(ballots_table(_last(chat).ballots))


def _tokens(chat: Chat, rest: str) -> None:
    answer = _last(chat)
    readings = steered(answer.ballots, tokenizer_of(chat.council))
    if rest and readings:
        file = Path(rest).expanduser()
        save_page(file, tokens_page(answer.decision.question, readings))
        chat.say(f"saved {file}")
    else:
        show_tokens(chat.console, readings)


def _alpha(chat: Chat, rest: str) -> None:
    words = rest.split()
    if len(words) != 2:
        raise UsageError("/alpha takes a member and a number", hint="/alpha law 1.5; 0 is the base unsteered")
    try:
        value = float(words[1])
    except ValueError as error:
        raise UsageError(f"{words[1]} is not a number", hint="/alpha law 1.5") from error
    if not -10.0 <= value <= 10.0:
        raise UsageError(f"α = {value:g} is beyond all use", hint="0 is the base, 1 the paper's, 2 a lot")
    chat.council.set_alpha(words[0], value)
    chat.say(f"{words[0]} is steered with α = {value:g} from now on")


def _ask(chat: Chat, rest: str) -> None:
    names, _, question = rest.partition(" ")
    if not question.strip():
        raise UsageError("/ask takes a member and a question", hint="/ask law What is a tort?")
    chat.answer(question, members=tuple(name for name in names.split(",") if name))


def _plan(chat: Chat, rest: str) -> None:
    if rest in ("on", "off"):
        chat.plan = rest == "on"
        chat.say(
            f"questions of several parts are asked {'part by part' if chat.plan else 'whole'} from now on"
        )
    elif rest:
        chat.answer(rest, plan=True)
    else:
        plan = _last(chat).plan
        for line in plan_lines(plan) if plan else ["the last question was asked whole"]:
            chat.console.print(line)


def _history(chat: Chat, _: str) -> None:
    messages = chat.council.history(chat.thread)
    if not messages:
        chat.say("nothing was asked yet")
    for number, message in enumerate(messages, start=1):
        chat.say(f"{number}. {one_line(message['question'])}")
        parts = message.get("parts")
        if not parts:
            chat.say(f"   {one_line(message['answer']) or '(no answer)'}")
        for part in parts or []:
            chat.say(f"   {one_line(part['standalone'])} {one_line(part['answer']) or '(no answer)'}")


def _save(chat: Chat, rest: str) -> None:
    if not rest:
        raise UsageError("/save takes a file", hint="/save talk.md")
    _write_new(chat, Path(rest).expanduser(), transcript(chat.thread, chat.council.history(chat.thread)))


def _write_new(chat: Chat, file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError as error:
        raise UsageError(f"{file} is there already", hint="name another file") from error
    except OSError as error:
        raise UsageError(f"can't write {file}: {error.strerror}", hint="name another file") from error
    chat.say(f"saved {file}")


def _export(chat: Chat, rest: str) -> None:
    from proxycouncil.council.transcript import as_html, as_markdown

    writers = {".md": as_markdown, ".html": as_html}
    file = Path(rest).expanduser()
    if not rest or file.suffix not in writers:
        raise UsageError("/export takes a file that ends in .md or .html", hint="/export talk.html")
    history = chat.council.history(chat.thread)
    _write_new(chat, file, writers[file.suffix](chat.thread, history, chat.answers, locate=chat.locate))


def _attach(chat: Chat, rest: str) -> None:
    if rest:
        chat.council.attach(chat.thread, rest)
    names = chat.council.attached(chat.thread)
    chat.say(f"in this session members also read: {', '.join(names) or 'nothing'}")


def _forget(chat: Chat, _: str) -> None:
    chat.council.forget(chat.thread)
    chat.last = None
    chat.answers.clear()
    chat.say("this session's turns and attached files are deleted")


def _remember(chat: Chat, rest: str) -> None:
    chat.council.memories.add(_user(chat), rest)
    chat.say(f"remembered for {chat.user}, in every session", style="dim")


def _memories(chat: Chat, rest: str) -> None:
    user = _user(chat)
    kept = chat.council.memories.of(user)
    if not rest:
        chat.say("nothing is remembered" if not kept else f"remembered for {user}:")
        for number, one in enumerate(kept, start=1):
            about = f" ({one_line(one['about'])})" if one["about"] else ""
            chat.say(f"{number}. {one_line(one['text'])}{about}")
        return
    word, _, place = rest.partition(" ")
    if word != "drop" or not place.isdecimal() or not 1 <= int(place) <= len(kept):
        raise UsageError(f"/memories does not take {rest}", hint="/memories, or /memories drop 2")
    chat.council.memories.forget(user, kept[int(place) - 1]["key"])
    chat.say("forgotten", style="dim")


def _user(chat: Chat) -> str:
    if chat.user is None:
        raise nothing_remembered()
    return chat.user


def _agree(chat: Chat, _: str) -> None:
    _label(chat, right=True)


def _disagree(chat: Chat, rest: str) -> None:
    _label(chat, right=False, accepted=(rest,) if rest else ())
    if rest and chat.user is not None:
        chat.council.memories.add(chat.user, rest, about=_last(chat).decision.standalone)
        chat.say(f"and remembered for {chat.user}", style="dim")


def _label(chat: Chat, *, right: bool, accepted: Sequence[str] = ()) -> None:
    answer = _last(chat)
    if answer.plan is not None:
        raise UsageError("an answer in parts can't be labelled whole", hint="ask its parts one by one")
    if chat.feedback is None:
        raise UsageError("this session keeps nothing", hint="start it without --no-history")
    chat.feedback.record(answer, right=right, accepted=accepted)
    chat.say(f"kept as {'right' if right else 'wrong'} in {chat.feedback.file}", style="dim")


def transcript(thread: str, messages: Sequence[Message]) -> str:
    """A conversation as Markdown."""
    turns = [f"## {one_line(one['question'])}\n\n{one['answer'] or '(no answer)'}\n" for one in messages]
    return "\n".join([f"# {thread}\n", *turns])


def _help(chat: Chat, _: str) -> None:
    chat.console.print(pairs_table({f"{one.name} {one.arguments}".strip(): one.meaning for one in COMMANDS}))
    chat.say(
        "Anything else is a question. Alt-Enter begins a new line, Ctrl-C stops an answer, Ctrl-D leaves."
    )


def _quit(chat: Chat, _: str) -> None:
    chat.leave()


def _last(chat: Chat) -> Answer:
    if chat.last is None:
        raise UsageError("nothing was answered yet", hint="ask something first")
    return chat.last


COMMANDS: tuple[SlashCommand, ...] = (
    SlashCommand("/sources", "", "what the last answer rests on, with places and quotes", _sources),
    SlashCommand("/why", "", "how the last question was understood, routed and decided", _why),
    SlashCommand("/ballots", "", "every reading of the last question with its signals", _ballots),
    SlashCommand(
        "/tokens", "[FILE.html]", "what steering did at each token; with a file, as a page", _tokens
    ),
    SlashCommand(
        "/alpha", "DOMAIN X", "steer a member more or less; 0 is the base", _alpha, takes_member=True
    ),
    SlashCommand("/ask", "DOMAIN …", "ask one member, or several with commas", _ask, takes_member=True),
    SlashCommand("/plan", "[on|off|…]", "ask a question part by part, or all; alone: the last plan", _plan),
    SlashCommand("/history", "", "the turns of this session", _history),
    SlashCommand("/save", "FILE", "write this session as Markdown", _save),
    SlashCommand("/export", "FILE", "write it as .md or .html, with sources and dissent", _export),
    SlashCommand("/attach", "[FILE]", "let members read a document, in this session only", _attach),
    SlashCommand("/forget", "", "delete this session's turns and what was attached", _forget),
    SlashCommand("/remember", "TEXT", "keep a fact for you, read in all of your sessions", _remember),
    SlashCommand("/memories", "[drop N]", "what is remembered for you; forget one of it", _memories),
    SlashCommand("/agree", "", "the last answer was right: kept as a labelled question", _agree),
    SlashCommand("/disagree", "[RIGHT]", "it was wrong; say what is right, if you know", _disagree),
    SlashCommand("/help", "", "this list", _help),
    SlashCommand("/quit", "", "leave; the session can be resumed by its name", _quit),
)
