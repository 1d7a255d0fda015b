"""A conversation as a page to hand on: Markdown or HTML, with sources, verdicts and dissent where known.

What people, models and documents wrote is data here: it is escaped, so that no page runs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from proxycouncil.council.rendering import Locate, one_line, verdict, visible

if TYPE_CHECKING:
    from proxycouncil.council.events import Answer
    from proxycouncil.graphs.state import Message

_NO_ANSWER = "(no answer)"
_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:45rem;margin:2rem auto;"
    "padding:0 1rem}blockquote{margin:0 0 0 1rem}.told{color:GrayText;font-size:.9em}"
)


def as_markdown(
    thread: str, messages: Sequence[Message], answers: Sequence[Answer], *, locate: Locate
) -> str:
    """The turns as Markdown."""
    parts = [f"# {_inline(thread)}"]
    for message, answer in _turns(messages, answers):
        parts += [f"## {_inline(message['question'])}", *_said_md(message)]
        if answer is not None:
            parts += [_sources_md(answer, locate), f"*{_inline(verdict(answer.decision).plain)}*"]
            parts += [f"*{line}*" for line in _dissent(answer)]
    return "\n\n".join(part for part in parts if part) + "\n"


def as_html(thread: str, messages: Sequence[Message], answers: Sequence[Answer], *, locate: Locate) -> str:
    """The turns as one HTML page that loads nothing."""
    body = [f"<h1>{_inline(thread)}</h1>"]
    for message, answer in _turns(messages, answers):
        body.append(f"<h2>{_inline(message['question'])}</h2>")
        body += _said_html(message)
        if answer is not None:
            body.append(_sources_html(answer, locate))
            told = [_inline(verdict(answer.decision).plain), *_dissent(answer)]
            body += [f'<p class="told">{line}</p>' for line in told]
    head = f'<meta charset="utf-8"><title>{_inline(thread)}</title><style>{_STYLE}</style>'
    page = "\n".join(body)
    return f'<!doctype html><html lang="en"><head>{head}</head><body>\n{page}\n</body></html>\n'


def _said_md(message: Message) -> list[str]:
    """The answer; of a question asked in parts each with its answer."""
    if not (parts := message.get("parts")):
        return [_text(message["answer"]) or _NO_ANSWER]
    return [
        "\n".join(
            f"{number}. {_inline(part['standalone'])}\n   {_inline(part['answer']) or _NO_ANSWER}"
            for number, part in enumerate(parts, start=1)
        )
    ]


def _said_html(message: Message) -> list[str]:
    if not (parts := message.get("parts")):
        return [f"<p>{_text(message['answer']) or _NO_ANSWER}</p>"]
    items = (
        f"<li>{_inline(part['standalone'])}<br>{_inline(part['answer']) or _NO_ANSWER}</li>" for part in parts
    )
    return [f"<ol>{''.join(items)}</ol>"]


def _turns(messages: Sequence[Message], answers: Sequence[Answer]) -> Iterator[tuple[Message, Answer | None]]:
    """Each turn with its answer: those of this session are the last ones of the conversation."""
    told = list(answers)
    pairs: list[tuple[Message, Answer | None]] = []
    for message in reversed(messages):
        matches = bool(told) and told[-1].decision.standalone == message["standalone"]
        pairs.append((message, told.pop() if matches else None))
    yield from reversed(pairs)


def _sources_md(answer: Answer, locate: Locate) -> str:
    return "\n".join(
        f"{number}. **{_inline(one['title'])}** — {_inline(locate(one))}\n   > {_inline(one['quote'])}"
        for number, one in enumerate(answer.citations, start=1)
    )


def _sources_html(answer: Answer, locate: Locate) -> str:
    items = "".join(
        f"<li><b>{_inline(one['title'])}</b> — {_inline(locate(one))}"
        f"<blockquote>{_inline(one['quote'])}</blockquote></li>"
        for one in answer.citations
    )
    return f"<ol>{items}</ol>" if items else ""


def _dissent(answer: Answer) -> list[str]:
    return [
        f"dissent: {_inline(', '.join(lost['members']))} ({lost['share']:.0%}): {_inline(lost['text'])}"
        for lost in answer.decision.dissent
    ]


def _inline(text: str) -> str:
    return escape(one_line(text), quote=True)


def _text(text: str) -> str:
    return escape(visible(text).strip(), quote=True)
