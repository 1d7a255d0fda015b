"""When a person should decide, and what that person is shown. Pure; knows neither who asks nor how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proxycouncil.errors import UsageError
from proxycouncil.graphs.state import CouncilState, Decision, Tally


def doubtful(decision: Decision, tally: Tally, between: tuple[float, float] | None) -> bool:
    """Whether there are answers, and the council is neither sure of one nor sure of none."""
    if between is None or not tally["groups"] or decision["outcome"] == "error":
        return False
    low, high = between
    return low <= decision["confidence"] < high


def dossier(state: CouncilState, decision: Decision) -> dict[str, Any]:
    """What an interrupt carries: question, answers with who gave them, ballots, and what would be decided.

    It is resumed with the words of one of the answers, or "" for none of them.
    """
    return {
        "type": "doubt",
        "question": state["standalone"],
        "answers": [
            {"text": group["text"], "members": group["members"], "weight": group["weight"]}
            for group in state["tally"]["groups"]
        ],
        "ballots": [ballot for ballot in state["ballots"] if ballot["turn"] == state["turn"]],
        "would_be": decision,
    }


def undecided(shown: Mapping[str, Any]) -> Decision:
    """What is said of a turn while it waits for a person: nothing yet, and why. `shown` is the dossier."""
    would_be: Decision = shown["would_be"]
    return Decision(
        {
            **would_be,
            "outcome": "abstain",
            "text": "",
            "calibrated": False,
            "citations": [],
            "reason": f"A person should decide: the best answer is only {would_be['confidence']:.0%} sure.",
        }
    )


def choices(shown: Mapping[str, Any]) -> list[str]:
    """The words to choose from, the leading answer first."""
    return [str(answer["text"]) for answer in shown["answers"]]


def check_choice(choice: str, shown: Mapping[str, Any]) -> None:
    """Refuse what nobody said, before the graph is told: it would not forget it.

    Raises:
        UsageError: the choice is none of the answers.
    """
    said = {ballot["text"] for ballot in shown["ballots"] if ballot["status"] == "answered"}
    if choice and choice not in said:
        raise UsageError(
            f"nobody answered {choice!r}", hint='choose the words of one of the answers, or "" for none'
        )
