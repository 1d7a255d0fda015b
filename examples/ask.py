"""The Python API: an answer, its sources, its dissent, and a follow-up in the same conversation."""

from __future__ import annotations

from proxycouncil import Council


def main() -> None:
    """Ask two questions."""
    with Council.starter() as council:
        answer = council.ask("What is opportunity cost?", thread="demo")
        print(answer.text or "The council does not know.", f"({answer.outcome}, {answer.confidence:.2f})")
        for number, citation in enumerate(answer.citations, start=1):
            print(f"[{number}] {citation['title']}, {citation['source']}: “{citation['quote']}”")
        for lost in answer.decision.dissent:
            print(f"others say: {lost['text']} ({', '.join(lost['members'])})")

        follow_up = council.ask("why does it matter?", thread="demo")
        print(f"understood as: {follow_up.decision.standalone}")
        print(follow_up.text or follow_up.decision.reason)


if __name__ == "__main__":
    main()
