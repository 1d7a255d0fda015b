"""Follow-ups made to stand alone: does retrieval find the right entry, and is a new subject left alone?

    python -m benchmarks.followups --json followups.json

The rules were developed on the first half of the conversations; the second half is the result. The history
that a follow-up is read in holds the reference answer and, as the cited title, the reference entry of the
turn before: what a council without faults would have said.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from proxycouncil.council.starter import DIRECTORY, open_library
from proxycouncil.eval.splits import halves, load_questions, read_records
from proxycouncil.graphs.state import Message
from proxycouncil.graphs.understand import stand_alone
from proxycouncil.retrieval.library import Library

QUESTIONS = DIRECTORY / "questions"
FOUND_AMONG = 3
_CONTENT = re.compile(r"[^\W_]{4,}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One follow-up: what became of it, and which forms of it find the right entry."""

    asked: str
    rewritten: str
    reference: str
    new_subject: bool
    untouched: bool
    """A new subject: nothing of the old one stands in the result, and all of the question does."""
    words: float
    """Share of the reference's content words that the result has."""
    found: dict[str, bool]


def main() -> None:
    """Print a table; with --json also write every case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures and all cases here")
    options = parser.parse_args()
    conversations = list(read_records(QUESTIONS / "follow-up.jsonl"))
    with open_library() as library:
        parts = {
            name: [_outcome(conversation, library) for conversation in part]
            for name, part in zip(("developed on", "held out"), halves(conversations), strict=True)
        }
    figures = {name: _figures(outcomes) for name, outcomes in parts.items()}
    figures["standalone questions rewritten"] = _wrongly_rewritten()
    print(json.dumps(figures, indent=2))
    if options.json:
        cases = {name: [asdict(outcome) for outcome in outcomes] for name, outcomes in parts.items()}
        options.json.write_text(json.dumps({"figures": figures, "cases": cases}, indent=2), encoding="utf-8")


def _outcome(conversation: dict[str, Any], library: Library) -> Outcome:
    """The last turn of a conversation, read in the light of the one before it."""
    before, turn = conversation["turns"][-2:]
    rewritten = stand_alone(turn["question"], [_message(before)])
    forms = {"as asked": turn["question"], "rewritten": rewritten, "reference": turn["standalone"]}
    new_subject = conversation["change"] == "topic"
    return Outcome(
        asked=turn["question"],
        rewritten=rewritten,
        reference=turn["standalone"],
        new_subject=new_subject,
        untouched=not new_subject or _is_untouched(rewritten, turn),
        words=_words(rewritten, turn["standalone"]),
        found={name: _finds(library, form, turn) for name, form in forms.items()} if turn["entry"] else {},
    )


def _message(turn: dict[str, Any]) -> Message:
    question = turn.get("standalone", turn["question"])
    return Message(
        question=turn["question"], standalone=question, answer=turn["answer"], subject=turn["entry"]
    )


def _is_untouched(rewritten: str, turn: dict[str, Any]) -> bool:
    old = any(
        re.search(rf"(?<!\w){re.escape(word)}", rewritten, re.IGNORECASE) for word in turn["old_subject"]
    )
    return not old and turn["standalone"].lower() in rewritten.lower()


def _words(rewritten: str, reference: str) -> float:
    wanted = set(_CONTENT.findall(reference.lower()))
    return len(wanted & set(_CONTENT.findall(rewritten.lower()))) / max(1, len(wanted))


def _finds(library: Library, question: str, turn: dict[str, Any]) -> bool:
    found = library.search(question, limit=FOUND_AMONG)
    return any((passage.domain, passage.title) == (turn["domain"], turn["entry"]) for passage in found)


def _figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    sought = [outcome for outcome in outcomes if outcome.found]
    follow_ups = [outcome for outcome in sought if not outcome.new_subject]
    new = [outcome for outcome in outcomes if outcome.new_subject]
    return {
        "new subjects left alone": f"{sum(outcome.untouched for outcome in new)}/{len(new)}",
        f"entry among the best {FOUND_AMONG}": {
            form: f"{sum(outcome.found[form] for outcome in follow_ups)}/{len(follow_ups)}"
            for form in ("as asked", "rewritten", "reference")
        },
        "share of the reference's content words": round(
            sum(outcome.words for outcome in follow_ups) / len(follow_ups), 3
        ),
    }


def _wrongly_rewritten() -> dict[str, str]:
    """Shipped questions, which all stand alone, asked after an unrelated turn."""
    history = [
        Message(
            question="What is an embargo?",
            standalone="What is an embargo?",
            answer="An embargo is a complete ban on trade with a country.",
            subject="Import quota",
        )
    ]
    shares = {}
    for part in ("tuning", "calibration", "test"):
        questions = [question.text for question in load_questions(QUESTIONS) if question.part == part]
        changed = sum(stand_alone(text, history).lower() != text.strip().lower() for text in questions)
        shares[part] = f"{changed}/{len(questions)}"
    return shares


if __name__ == "__main__":
    main()
