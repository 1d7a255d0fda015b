"""What people said of answers: labelled questions, one JSON object a line, for whoever calibrates.

Knows answers and a file. Refuses to know what is fitted from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxycouncil.council.chat_input import private_file
from proxycouncil.errors import UsageError

if TYPE_CHECKING:
    from proxycouncil.council.events import Answer

VERSION = 1


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class Feedback:
    """A file of labels, readable by its owner alone: what was asked is nobody else's business."""

    def __init__(self, file: Path, *, clock: Callable[[], str] = _now) -> None:
        self.file = file
        self._clock = clock

    def record(self, answer: Answer, *, right: bool, accepted: Sequence[str] = ()) -> None:
        """Keep whether an answer was right, with everything that a calibration is fitted on.

        Args:
            answer: what the council said.
            right: whether it was right; for an abstention, whether not knowing was.
            accepted: what would have been right; the answer itself where it was.

        Raises:
            UsageError: the file can't be written.
        """
        known = list(accepted) or ([answer.text] if right and answer.text else [])
        line = json.dumps(_labelled(answer, right=right, accepted=known, at=self._clock()))
        try:
            with private_file(self.file).open("a", encoding="utf-8") as opened:
                opened.write(line + "\n")
        except OSError as error:
            raise UsageError(
                f"can't write {self.file}: {error.strerror}", hint="is the directory full or read-only?"
            ) from error


def _labelled(answer: Answer, *, right: bool, accepted: list[str], at: str) -> dict[str, Any]:
    decision = answer.decision
    return {
        "v": VERSION,
        "at": at,
        "question": decision.standalone,
        "asked": decision.question,
        "answer": decision.text,
        "outcome": decision.outcome,
        "right": right,
        "accepted": accepted,
        "confidence": decision.confidence,
        "route": dict(answer.route),
        "ballots": [dict(ballot) for ballot in answer.ballots],
        "tally": dict(answer.tally),
    }
