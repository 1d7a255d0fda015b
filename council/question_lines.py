"""Questions of a text file, one a line. Knows lines and JSON objects; nothing of who answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from proxycouncil.council.questions import Question
from proxycouncil.graphs.structured import fields as object_in

if TYPE_CHECKING:
    from proxycouncil.graphs.run_settings import RunSettings

_PLAIN = Question("")


def read_questions(lines: Iterable[str], like: Question = _PLAIN) -> Iterator[Question]:
    """A question for every line, so that answers can be matched by their number; also for a blank one.

    A line that is a JSON object gives `question` and, if it likes, `thread` and `locale`; all else is taken
    as it is. What else it holds (`id`, `accepted`, `gold`, …) goes along to where answers are saved and
    nowhere else. All that lines don't say is as in `like`.

    Raises:
        UsageError: a `locale` that nobody knows.
    """
    for line in lines:
        text = line.removesuffix("\n").removesuffix("\r")
        fields = object_in(text)
        if fields is None:
            yield replace(like, text=text)
        else:
            named = fields.get("thread")
            put = fields.get("question")
            yield replace(
                like,
                text=whole(put) if isinstance(put, str) else "",
                thread=like.thread if named is None else whole(str(named)),
                settings=in_locale(like.settings, fields.get("locale")),
                id=str(fields.get("id", "")),
                marking=fields,
            )


def in_locale(settings: RunSettings | None, locale: object) -> RunSettings | None:
    """The settings of a question that says how its answers write numbers and dates; None: it does not.

    Raises:
        UsageError: there is no such locale.
    """
    if locale is None:
        return settings
    from proxycouncil.graphs.notation import notation_of
    from proxycouncil.graphs.run_settings import RunSettings

    notation_of(str(locale))
    return (settings or RunSettings()).model_copy(update={"locale": str(locale)})


def fields_of(line: str) -> dict[str, object]:
    """What a line holds: its JSON object, or itself as `question`."""
    text = line.removesuffix("\n").removesuffix("\r")
    found = object_in(text)
    return {"question": text} if found is None else found


def whole(text: str) -> str:
    """The text without lone surrogates (a shell's stray bytes, JSON's escapes): no UTF-8 holds them."""
    return text.encode("utf-8", "replace").decode("utf-8")
