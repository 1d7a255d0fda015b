"""The cost model: planted costs are found, left-out points not seen, and the least part breaks first."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from itertools import product
from random import Random

import pytest
from benchmarks import cost_model
from benchmarks.cost_model import COUNTED, Machine, Point, capacities, fit, left_out, predicted, rate

PLANTED = dict(zip(COUNTED, (0.05, 0.004, 0.01, 0.0005, 0.0008, 0.02), strict=True))


def points(noise: float = 0.0) -> list[Point]:
    draw = Random(0)
    found = []
    for rows, tokens, (drafts, acceptance) in product(
        (1, 2, 4, 8), (9, 25, 49), ((0, 0.0), (2, 0.5), (4, 0.8))
    ):
        point = Point(rows, 1 + rows // 4, 150, tokens, drafts, acceptance, 0.0)
        found.append(replace(point, seconds=predicted(point, PLANTED) * (1 + noise * draw.uniform(-1, 1))))
    return found


def test_planted_costs_are_found_again():
    assert fit(points()) == pytest.approx(PLANTED, rel=1e-6)


def test_errors_are_of_points_that_were_not_seen():
    assert all(told["most"] < 1e-6 for told in left_out(points()).values())
    spoilt = points()
    spoilt[5] = replace(spoilt[5], seconds=3 * spoilt[5].seconds)
    assert left_out(spoilt)["in_turn"]["most"] > 0.5
    noisy = left_out(points(noise=0.05))
    assert 0.001 < noisy["in_turn"]["median"] < 0.05
    assert noisy["8_texts_from_fewer"]["points"] == 9


def test_costs_are_never_negative():
    assert min(fit(points(noise=0.4)).values()) >= 0


def test_more_questions_at_once_are_more_a_second_and_each_takes_longer():
    question = Point(6, 4, 250, 25, 4, 0.8, 0.0)
    one, many = (rate(question, Machine().costs(), at_once=count) for count in (1, 32))
    assert many["questions_per_second"] > one["questions_per_second"]
    assert many["seconds"] > one["seconds"]


def test_acceptance_saves_passes():
    plain = Point(1, 1, 100, 41, 0, 0.0, 0.0)
    drafted = replace(plain, drafts=4, acceptance=0.8)
    assert plain.counts()["passes"] == 40
    assert drafted.counts()["passes"] == pytest.approx(40 / ((1 - 0.8**5) / 0.2))


def test_a_single_server_does_not_grow_with_the_gpus():
    measured = {"growth": [{"search_p50_ms": 20.0}], "overhead": {"cpu_ms_per_question": {"3": 10.0}}}
    few, many = (capacities(count, 5.0, members=3, searches=4, measured=measured) for count in (8, 1000))
    assert few["search, one server for all"] == many["search, one server for all"] == 12.5
    assert many["engines"] == 5000
    assert min(many, key=many.__getitem__) == "search, one server for all"
    assert set(capacities(8, 5.0, members=3, searches=4, measured={})) == {"engines"}


def test_the_program_reads_points_and_says_what_is_extrapolated(tmp_path, monkeypatch, capsys):
    file, out = tmp_path / "points.json", tmp_path / "model.json"
    file.write_text(json.dumps({"points": [asdict(point) for point in points()]}))
    monkeypatch.setattr(sys, "argv", ["cost_model", str(file), "--json", str(out), "--gpus", "8"])
    cost_model.main()
    printed = capsys.readouterr().out
    assert "EXTRAPOLATED, 8 GPUs" in printed
    found = json.loads(out.read_text())
    assert found["left_out"]["in_turn"]["most"] < 1e-6
    assert list(found["extrapolated"]["gpus"]) == ["8"]
