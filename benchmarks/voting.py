"""Prints how right and how honest rules of voting are on the same votes: ours, and those that others use.

    python -m benchmarks.voting [FILE] [--json FILE] [--set NAME=a,b,c …] [--labels 0,10,25,50,100]

FILE holds `{"id", "gold", "answers": {member: answer or null}}` a line, by default the ballots in
../shared/ballots with the four member sets of their README. Rules that learn are cross-validated in five
folds. `--labels` prints instead how they do after so many labels, drawn five times, on all other questions.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.voting_peers import PEERS, Peer
from proxycouncil.errors import UsageError
from proxycouncil.eval.metrics import auroc, brier, ece, wilson
from proxycouncil.eval.polls import LabelledPoll, members_of
from proxycouncil.eval.revote import figures, revote
from proxycouncil.eval.rules import RULES
from proxycouncil.eval.runs import read_polls, select
from proxycouncil.eval.splits import read_records

BALLOTS = Path("..") / "shared" / "ballots" / "gsm8k.jsonl"
SETS = {
    "S1": "",
    "S2": "llama2-gsm-13B,dexperts-gsm-70B,llama2-chat-70B",
    "S3": "llama2-chat-13B,dexperts-70B,llama2-gsm-lora-13B,llama2-gsm-7B,dexperts-gsm-13B",
    "S4": "llama2-13B,llama2-70B,llama2-gsm-lora-13B-lr2e-5,llama2-chat-7B,dexperts-13B,llama2-gsm-lora-13B",
}
COLUMNS = ("accuracy", "ece", "auroc", "brier", "p_none")
LEARNERS = ("joint", "cold", "log-odds", "best", "majority")


def main() -> None:
    """A table on stdout; the same figures as JSON where asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", type=Path, default=BALLOTS)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=a,b,c")
    parser.add_argument("--labels", default="", metavar="N,N", help="after so many labels")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    try:
        cases = read_polls(options.file)
        raw = [record["answers"] for record in read_records(options.file)]
        found = measured(cases, raw, _sets(options.set, options.file), _numbers(options.labels))
    except UsageError as error:
        raise SystemExit(f"{error}\n{error.hint}") from error
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def measured(
    cases: Sequence[LabelledPoll],
    raw: Sequence[dict[str, str | None]],
    sets: dict[str, tuple[str, ...]],
    labels: Sequence[int],
) -> dict[str, Any]:
    """Figures by set and rule, printed as they come."""
    found: dict[str, Any] = {}
    for name, chosen in sets.items():
        seats = chosen or members_of(cases)
        part = select(cases, seats)
        print(f"\n{name}: {len(seats)} members, {len(part)} questions, none right {_none_right(part):.3f}")
        rows = (
            after_labels(part, seats, labels)
            if labels
            else side_by_side(part, [_only(one, seats) for one in raw], seats)
        )
        found[name] = {}
        for rule, row in rows:
            found[name][rule] = row
            print(
                f"  {rule:<22}" + "".join(f"{key} {_shown(value):<9}" for key, value in row.items()),
                flush=True,
            )
    return found


def side_by_side(
    cases: Sequence[LabelledPoll], raw: Sequence[dict[str, str | None]], seats: Sequence[str]
) -> Iterator[tuple[str, dict[str, float | None]]]:
    """Every rule on the same questions."""
    for name, rule in RULES.items():
        found = figures(revote(cases, rule, members=seats))
        yield name, {key: found[key] for key in COLUMNS}
    for name, peer in PEERS.items():
        yield name, judged(peer, cases, raw)


def judged(
    peer: Peer, cases: Sequence[LabelledPoll], raw: Sequence[dict[str, str | None]]
) -> dict[str, float | None]:
    """A rule that sees texts: what it names is right if a member who said that is."""
    right, sure = [], []
    for case, answers in zip(cases, raw, strict=True):
        text, confidence = peer(list(answers.values()))
        speaker = next((name for name, said in answers.items() if said == text and said is not None), None)
        right.append(case.share_right(speaker) if speaker is not None else 0.0)
        sure.append(confidence)
    stated = [value for value in sure if value is not None]
    whole = len(stated) == len(right)
    return {
        "accuracy": wilson(sum(right), len(right)).estimate,
        "ece": ece(stated, right) if whole else None,
        "auroc": auroc(stated, right) if whole else None,
        "brier": brier(stated, right) if whole else None,
        "p_none": None,
    }


def after_labels(
    cases: Sequence[LabelledPoll], seats: Sequence[str], labels: Sequence[int]
) -> Iterator[tuple[str, dict[str, float | None]]]:
    """Accuracy of the rules that learn after few labels, the mean of five draws."""
    for rule in LEARNERS:
        row: dict[str, float | None] = {}
        for count in labels:
            row[f"{count}:"] = mean(_learnt(rule, cases, seats, count, seed) for seed in range(5))
        yield rule, row


def _learnt(rule: str, cases: Sequence[LabelledPoll], seats: Sequence[str], count: int, seed: int) -> float:
    order = list(range(len(cases)))
    random.Random(seed).shuffle(order)
    decider = RULES[rule]([cases[place] for place in order[:count]], seats)
    return mean(decider.decide(cases[place].poll).share_right(cases[place].right) for place in order[count:])


def _sets(named: Sequence[str], file: Path) -> dict[str, tuple[str, ...]]:
    """The sets asked for; those of the ballots' README for that file, everybody for any other."""
    pairs = [one.partition("=")[::2] for one in named]
    chosen = dict(pairs) or (SETS if file.name == BALLOTS.name else {"all": ""})
    return {name: tuple(filter(None, members.split(","))) for name, members in chosen.items()}


def _only(answers: dict[str, str | None], seats: Sequence[str]) -> dict[str, str | None]:
    return {name: said for name, said in answers.items() if name in seats}


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part.strip()]


def _none_right(cases: Sequence[LabelledPoll]) -> float:
    return mean(not case.right for case in cases)


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
