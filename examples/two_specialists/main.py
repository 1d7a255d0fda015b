"""A council of one's own: two specialists from a council.toml and a folder of notes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from proxycouncil import Council, CouncilConfig
from proxycouncil.retrieval.library import Library

HERE = Path(__file__).parent


def main() -> None:
    """Ingest the notes into a library of their own, then ask one question of each field."""
    config = CouncilConfig.load(HERE / "council.toml")
    with tempfile.TemporaryDirectory() as folder:

        def open_library() -> Library:
            # What `council ingest beekeeping` and `council ingest sailing` do, beside a library that stays.
            library = Library(Path(folder) / "library", root=HERE)
            for name, specialist in config.specialists.items():
                library.ingest(name, *specialist.documents)
                library.describe(name, description=specialist.description, examples=specialist.examples)
            return library

        with Council(config, searcher=open_library) as council:
            print("members:", ", ".join(council.members))
            for question in ("What is a queen excluder?", "What is a bowline?"):
                answer = council.ask(question)
                places = ", ".join(citation["title"] for citation in answer.citations) or "nothing"
                print(f"{question} {answer.text or answer.decision.reason} (rests on {places})")


if __name__ == "__main__":
    main()
