"""Rows become answers, several at once, by one council. Knows neither files nor where it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, TypeAlias

from proxycouncil.council.events import Answer, failed_answer
from proxycouncil.council.questions import Question
from proxycouncil.errors import CouncilError, QuestionError

if TYPE_CHECKING:
    from proxycouncil.council.council import Council

Row: TypeAlias = tuple[int, str]
"""Its number, from 0, and what it asks."""
Answered: TypeAlias = tuple[int, dict[str, Any]]
"""A row's number, and what stands beside it in the table."""


def ask_rows(
    council: Council, rows: Iterable[Row], *, members: tuple[str, ...] = (), at_once: int = 4
) -> Iterator[Answered]:
    """Answers as they come, each row's exactly once; what is wrong with a row becomes its answer.

    Args:
        council: stays open.
        rows: taken one by one, as there is room.
        members: ask just those.
        at_once: rows in flight.

    Raises:
        CouncilError: weights, library or settings can't be used: no row could be answered.
    """
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="council-bulk")
    flying: dict[Future[Answer], int] = {}
    try:
        for number, text in rows:
            flying[pool.submit(_ask, council, Question(text, members=members))] = number
            if len(flying) >= at_once:
                yield from _landed(flying)
        while flying:
            yield from _landed(flying)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def row_of(number: int, answer: Answer) -> dict[str, Any]:
    """What stands beside a question in the table."""
    decision = answer.decision.model_dump(mode="json")
    told = ("outcome", "confidence", "calibrated", "agreement", "degraded", "reason", "citations", "dissent",
            "version")  # fmt: skip
    return {
        "row": number,
        **{name: decision[name] for name in told},
        "answer": decision["text"],
        "members": list(answer.tally["asked"]),
        "seconds": round(answer.seconds, 4),
    }


def _landed(flying: dict[Future[Answer], int]) -> Iterator[Answered]:
    for future in wait(flying, return_when=FIRST_COMPLETED).done:
        number = flying.pop(future)
        yield number, row_of(number, future.result())


def _ask(council: Council, question: Question) -> Answer:
    try:
        return council.ask(question)
    except QuestionError as error:
        return _failed(question, str(error))
    except CouncilError:
        raise
    except Exception as error:  # noqa: BLE001 (the other rows go on)
        return _failed(question, f"{type(error).__name__}: {error}")


def _failed(question: Question, reason: str) -> Answer:
    return failed_answer(question.text, thread=None, reason=reason)
