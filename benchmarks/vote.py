"""Times the vote alone: `python -m benchmarks.vote [--json FILE]`, 16 members × 5 ballots × 100 words."""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import process_time

from proxycouncil.graphs.answers import canonical
from proxycouncil.graphs.state import Ballot, Route, Signals
from proxycouncil.graphs.weighing import tally

HANDBOOKS = Path(__file__).parents[1] / "council" / "starter" / "handbooks"
QUESTION = "What do the handbooks say?"
MEMBERS = [f"member-{number}" for number in range(16)]


def ballots(words: Sequence[str], seed: int) -> list[Ballot]:
    """Five runs of a hundred words a member, cut at random places."""
    draw = random.Random(seed)
    starts = [(member, draw.randrange(len(words) - 100)) for member in MEMBERS for _ in range(5)]
    return [_ballot(member, " ".join(words[start : start + 100])) for member, start in starts]


def milliseconds(cast: Sequence[Ballot]) -> tuple[float, float]:
    """Reading the answers for the first time (consult does that), then counting them."""
    route = Route(
        members=MEMBERS,
        probabilities=dict.fromkeys(MEMBERS, 1 / len(MEMBERS)),
        out_of_scope=0.0,
        declined=False,
        calibrated=False,
    )
    canonical.cache_clear()
    began = process_time()
    for ballot in cast:
        canonical(ballot["text"], question=QUESTION)
    read = process_time()
    tally(cast, route=route, turn="now", asked=MEMBERS, question=QUESTION)
    return 1e3 * (read - began), 1e3 * (process_time() - read)


def main() -> None:
    """Medians over ten draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    words = " ".join(path.read_text(encoding="utf-8") for path in sorted(HANDBOOKS.glob("*/*.md"))).split()
    runs = [milliseconds(ballots(words, seed)) for seed in range(10)]
    found = {"read_ms": median(run[0] for run in runs), "count_ms": median(run[1] for run in runs)}
    print(f"80 ballots: read {found['read_ms']:.1f} ms, count {found['count_ms']:.1f} ms")
    if options.json:
        options.json.write_text(json.dumps(found) + "\n", encoding="utf-8")


def _ballot(member: str, text: str) -> Ballot:
    return Ballot(
        turn="now",
        member=member,
        slate="own",
        status="answered",
        text=text,
        value="",
        method="steered",
        signals=Signals(confidence=0.5, support=0.5, logprob=-1.0, kl=0.0),
        passage_ids=[],
        citations=[],
        error=None,
        seconds=0.0,
    )


if __name__ == "__main__":
    main()
