"""`council eval two-part`: what counts as right, and the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from councils import council_of
from fakes import question_of

from proxycouncil.council.cli.app import run
from proxycouncil.council.cli.running import Process
from proxycouncil.errors import UsageError
from proxycouncil.eval.polls import LabelledPoll
from proxycouncil.eval.rules import RULES
from proxycouncil.eval.seats import seat_sizes
from proxycouncil.eval.two_part import Told, TwoPart, all_right, load_two_part, parts_right, split_report
from proxycouncil.graphs.poll import Poll

CASE = TwoPart("1", "Who wrote Emma, and who wrote Faust?", ("a", "b"), (("Austen",), ("Goethe",)), False)


def test_a_part_is_right_by_its_own_reply_and_all_in_forty_words() -> None:
    assert parts_right(Told("1. Austen\n2. not known", ("Jane Austen", "")), CASE) == [True, False]
    assert parts_right(Told("", ("Goethe", "Austen")), CASE) == [False, False]
    assert all_right(Told("Austen and Goethe"), CASE)
    assert all_right(Told("", ("Austen", "Goethe")), CASE)
    long = " ".join(["word"] * 30)
    assert not all_right(Told("", (f"Austen {long}", f"Goethe {long}")), CASE)


def test_a_file_that_is_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "two.jsonl"
    file.write_text('{"id": "1", "question": "?"}\n')
    with pytest.raises(UsageError, match="parts"):
        load_two_part(file)


def test_splitting_alone_is_counted() -> None:
    found = split_report([CASE], ["Who wrote Emma?", "What is gout and how is it treated?"])
    assert found["as_many_parts"]["estimate"] == 1.0
    assert found["dependence_seen"]["estimate"] == 1.0
    assert found["singles_split"] == ["What is gout and how is it treated?"]


def replies(_, request):
    known = {
        "Which hormone lowers sugar in the blood?": "Insulin",
        "Which organ makes Insulin?": "the pancreas",
    }
    return known.get(question_of(request), "Insulin")


def test_the_command_sets_part_by_part_beside_whole(tmp_path: Path, capsys) -> None:
    file = tmp_path / "two.jsonl"
    line = {
        "id": "1",
        "question": "Which hormone lowers sugar in the blood, and which organ makes it?",
        "parts": ["Which hormone lowers sugar in the blood?", "Which organ makes it?"],
        "accepted": [["insulin"], ["pancreas"]],
        "relation": "dependent",
    }
    file.write_text(json.dumps(line) + "\n")
    process = Process(opener=lambda _: council_of(replies))
    assert run(["eval", "two-part", str(file), "--json"], process) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    figures = {arm["arm"]: arm["groups"]["dependent"] for arm in found["arms"]}
    assert {name: one["both_right"]["estimate"] for name, one in figures.items()} == {
        "whole": 0.0, "planned": 1.0, "given parts": 1.0,
    }  # fmt: skip
    assert found["comparisons"][0]["both_right"]["estimate"] == 1.0
    assert found["replies"]["1"]["planned"]["asked"][1] == "Which organ makes Insulin?"
    assert run(["eval", "two-part", str(file), "--arms", "whole"], process) == 0
    assert "whole" in capsys.readouterr().out


def test_sizes_of_own_runs_are_the_first_members_routed() -> None:
    """The top-routed member is always right, the second one never: one is enough, and costs half."""
    cases, records = [], []
    for number in range(40):
        order = ("law", "medicine") if number % 2 else ("medicine", "law")
        votes = ({order[0]: 1.0}, {order[1]: 1.0})
        cases.append(LabelledPoll(str(number), Poll(("right", "wrong"), votes, {}), right=frozenset({0})))
        ballots = [
            {"member": name, "usage": {"prompt_tokens": 90, "completion_tokens": 10}} for name in order
        ]
        records.append({"route": {"members": list(order)}, "ballots": ballots})
    rows = seat_sizes(cases, records, joint=RULES["majority-best"])
    assert [row["size"] for row in rows] == [1, 2]
    assert [row["best"] for row in rows] == [1.0, 1.0]
    assert [row["none_right"] for row in rows] == [0.0, 0.0]
    assert [(row["readings"], row["tokens"]) for row in rows] == [(1, 100), (2, 200)]
