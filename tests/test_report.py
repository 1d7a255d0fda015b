"""What `council report` says of a file of votes, in its three forms."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from polls import cases, records

from proxycouncil.council.cli.app import run
from proxycouncil.errors import UsageError
from proxycouncil.eval.polls import LabelledPoll
from proxycouncil.eval.report import reliability, report
from proxycouncil.eval.report_page import page
from proxycouncil.graphs.poll import Poll

SKILLS = {"ada": 0.6, "ben": 0.5, "<b>cleo": 0.4}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def test_a_page_needs_nothing_but_itself() -> None:
    found = report(cases(records(60, SKILLS)), sorted(SKILLS), draws=1)
    tags = _Tags()
    tags.feed(page(found, name="<votes>.jsonl"))
    names = [tag for tag, _ in tags.seen]
    assert names.count("svg") == 4
    assert not {"script", "link", "img", "b", "votes"} & set(names)
    assert not any({"src", "href"} & set(attributes) for _, attributes in tags.seen)


def test_the_curve_of_sizes_goes_from_one_to_all() -> None:
    found = report(cases(records(60, SKILLS)), sorted(SKILLS), draws=4)
    rows = found["sizes"]
    assert [row["size"] for row in rows] == [1, 2, 3]
    assert [row["councils"] for row in rows] == [3, 3, 1]
    alone = [row["accuracy"] for row in found["per_member"]]
    assert rows[0]["best"] == pytest.approx(np.mean(alone))
    assert rows[0]["n_eff"] == pytest.approx(1.0)
    assert rows[0]["none_right"] >= rows[1]["none_right"] >= rows[2]["none_right"]


def test_reliability_is_what_the_calibration_error_sums_up() -> None:
    random = np.random.default_rng(0)
    sure = random.random(100)
    right = (random.random(100) < sure).astype(float)
    bins = reliability(sure, right)
    assert sum(row["questions"] for row in bins) == 100
    gaps = sum(row["questions"] * abs(row["confidence"] - row["accuracy"]) for row in bins) / 100
    from proxycouncil.eval.metrics import ece

    assert gaps == pytest.approx(ece(sure, right))


def test_votes_without_labels_can_not_be_reported_on() -> None:
    unmarked = [LabelledPoll("q", Poll(("1",), ({"ada": 1.0},), {}), labelled=False)]
    with pytest.raises(UsageError, match="labelled"):
        report(unmarked, ["ada"])


def test_the_command_in_its_three_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, html = tmp_path / "votes.jsonl", tmp_path / "page.html"
    file.write_text("".join(json.dumps(line) + "\n" for line in records(40, SKILLS)))
    assert run(["report", str(file), "--draws", "1", "--html", str(html), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["questions"] == 40
    assert html.read_text().startswith("<!doctype html>")
    assert run(["report", str(file), "--draws", "1"]) == 0
    printed = capsys.readouterr().out
    for name in ("ada", "majority-best", "effective votes"):
        assert name in printed
