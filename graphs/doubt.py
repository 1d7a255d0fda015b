"""When a person should decide, and what that person is shown. Pure; knows neither who asks nor how."""

from __future__ import annotations

from typing import Any

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
