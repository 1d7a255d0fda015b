"""Second looks as settings, as what is saved, and as arms that are compared."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from councils import council_of
from second_looks import QUESTION, RIGHT, ScoringGenerator, context_of

from proxycouncil.council import fingerprints
from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.fingerprints import settings_fingerprint
from proxycouncil.council.measure import Bench
from proxycouncil.council.questions import Question
from proxycouncil.errors import ConfigError, UsageError
from proxycouncil.graphs.run_settings import RunSettings


def _config(**vote: Any) -> CouncilConfig:
    return CouncilConfig.from_mapping(
        {"family": {"base": "none"}, "vote": vote} if vote else {"family": {"base": "none"}}
    )


def test_settings_left_alone_keep_the_fingerprint_of_a_calibration():
    plain = settings_fingerprint(_config())
    assert settings_fingerprint(_config(cross_scoring=False, signals=[])) == plain
    others = [_config(cross_scoring=True), _config(signals=["p_true"]), _config(reconsider_below=0.2)]
    assert len({plain, *(settings_fingerprint(one) for one in others)}) == 4


def test_what_was_fitted_before_the_package_answered_otherwise_is_stale(monkeypatch: pytest.MonkeyPatch):
    before = settings_fingerprint(_config())
    monkeypatch.setattr(fingerprints, "ANSWERING", fingerprints.ANSWERING + 1)
    assert fingerprints.changed({"fingerprints": {"settings": before}}, {"settings": before}) == ()
    now = {"settings": settings_fingerprint(_config())}
    assert fingerprints.changed({"fingerprints": {"settings": before}}, now) == ("settings",)


@pytest.mark.parametrize("vote", [{"signals": ["p_false"]}, {"reconsider_below": 2.0}, {"cross_score": True}])
def test_a_wrong_setting_is_named(vote: dict[str, Any]):
    with pytest.raises(ConfigError, match="vote"):
        _config(**vote)


async def test_one_run_can_look_twice_and_promises_nothing_it_was_not_fitted_on():
    context = replace(context_of({"*": RIGHT}, lambda *_: -0.1), calibration={"version": 1})
    moved = RunSettings(cross_scoring=True).apply(context)
    assert moved.settings.cross_scoring
    assert moved.stale == ("settings",)
    assert RunSettings(reconsider_below=0.0, ballots=1).apply(context).stale == ()


def test_a_council_saves_what_it_measured():
    with council_of() as council:
        council._generator = ScoringGenerator(lambda *_: RIGHT, likes=lambda *_: -0.5)
        answer = council.ask(Question(QUESTION, settings=RunSettings(signals=("p_true",))))
    saved = json.loads(json.dumps(answer.model_dump(mode="json")["tally"]))
    assert saved["cross_scores"][0]["p_true"] == {RIGHT: 0.5}


def test_arms_that_look_twice_are_asked_by_name_and_count_their_tokens():
    with council_of() as council:
        council._generator = ScoringGenerator(lambda *_: RIGHT, likes=lambda *_: -0.5)
        bench = Bench(council, limit=2, target_risk=1.0)
        assert not {"cross-scored", "reconsidered once"} & set(bench.arms())
        arms = bench.arms(["council", "one ballot", "cross-scored once", "reconsidered"])
        told = {name: next(iter(arm.answers([QUESTION]))) for name, arm in arms.items()}
    assert {reply.text for reply in told.values()} == {RIGHT}
    assert told["council"].tokens == 2 * (told["one ballot"].tokens or 0) == told["reconsidered"].tokens
    assert (told["cross-scored once"].tokens or 0) > (told["one ballot"].tokens or 0)
    with pytest.raises(UsageError, match="no arm"):
        bench.arms(["cross-scored twice"])
