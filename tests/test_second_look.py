"""Cross-scores and reconsideration: what they make of a vote, who is shown what, and what stays as it was."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from ballots import TURN, ballot, cite, route_of, votes
from councils import council_of
from fakes import FakeGenerator, FakeSearcher, Script
from langgraph.checkpoint.memory import InMemorySaver

from proxycouncil.council.config import CouncilConfig
from proxycouncil.council.events import as_event
from proxycouncil.council.fingerprints import settings_fingerprint
from proxycouncil.council.measure import Bench
from proxycouncil.council.questions import Question
from proxycouncil.errors import ConfigError, NotSupportedError, UsageError
from proxycouncil.eval.promise import fit_promise
from proxycouncil.graphs.confidence import FEATURES, confidence, features
from proxycouncil.graphs.context import GENERALIST, CouncilContext, Member, Settings
from proxycouncil.graphs.council_graph import create_council_graph
from proxycouncil.graphs.leanings import leaning
from proxycouncil.graphs.poll import poll_of
from proxycouncil.graphs.reconsider import changes, contested, evidence, margin
from proxycouncil.graphs.run_settings import RunSettings
from proxycouncil.graphs.state import CrossScore, Tally
from proxycouncil.graphs.weighing import tally
from proxycouncil.specialists.request import Likelihood, Pair, Prompt, Request

QUESTION = "What is opportunity cost?"
RIGHT, WRONG = "the value of the best alternative given up", "a general rise in prices"
SEATS = ("economics", "law", "medicine")


@dataclass
class ScoringGenerator(FakeGenerator):
    """A fake that can score: a text's log-probability per token by member and text, −4 where none is set."""

    likes: Callable[[str, str], float] = lambda _member, _text: -4.0
    scored: Sequence[Any] = ()

    async def score(
        self, requests: Sequence[Request], continuations: Sequence[Sequence[str]]
    ) -> list[list[Likelihood]]:
        self.scored = [*self.scored, (requests, continuations)]
        return [
            [Likelihood((0, 1), (self.likes(one.pairs[0].expert, text),) * 2) for text in texts]
            for one, texts in zip(requests, continuations, strict=True)
        ]


def context_of(replies: Any, likes: Callable[[str, str], float] | None = None, **settings: Any) -> Any:
    members = {name: Member(name, (Pair(name),), (name,)) for name in SEATS}
    members[GENERALIST] = Member(GENERALIST, (Pair(GENERALIST),))
    generator = FakeGenerator(replies) if likes is None else ScoringGenerator(replies, likes=likes)
    return CouncilContext(generator, FakeSearcher(), members, Settings(**settings))


async def asked(context: CouncilContext, *, graph: Any = None, config: Any = None) -> dict[str, Any]:
    graph = graph or create_council_graph().compile()
    found: dict[str, Any] = await graph.ainvoke(
        {"question": QUESTION, "members": list(SEATS)}, config, context=context
    )
    return found


def score(member: str, none: float = -4.0, **logprobs: float) -> CrossScore:
    return CrossScore(member=member, slate="shared", logprobs=logprobs, none=none)


def by_scores(scores: Sequence[CrossScore], **texts: str) -> Tally:
    """Three members' count; `voted_by` is what the vote node adds."""
    cast = votes(**texts)
    asked_ = list(texts)
    counted = tally(cast, route=route_of(asked_), turn=TURN, asked=asked_, cross=scores)
    return Tally({**counted, "voted_by": "cross_scores", "cross_scores": list(scores)})


# Cross-scores


def test_a_vote_leans_as_likely_as_each_answer_would_have_been():
    parts = leaning(score("a", none=-3.0, Paris=-0.1, Lyon=-2.1), [{"Paris"}, {"Lyon"}, {"unheard"}])
    assert sum(parts) == pytest.approx(1.0)
    assert parts[0] / parts[1] == pytest.approx(math.exp(2.0))
    assert parts[2] == 0.0
    assert parts[3] / parts[0] == pytest.approx(math.exp(-2.9))


def test_more_wordings_of_one_answer_weigh_no_more():
    one = leaning(score("a", Paris=-0.1, Lyon=-1.0), [{"Paris"}, {"Lyon"}])
    many = leaning(score("a", Paris=-0.1, paris=-0.2, Lyon=-1.0), [{"Paris", "paris"}, {"Lyon"}])
    assert many == one


def test_members_who_would_have_said_it_move_the_vote():
    sure = {"Paris": -0.05, "Lyon": -3.0}
    scores = [score("a", **sure), score("b", Paris=-0.6, Lyon=-0.5), score("c", Paris=-0.6, Lyon=-0.5)]
    plain = tally(votes(a="Paris", b="Lyon", c="Lyon"), route=route_of("abc"), turn=TURN, asked=list("abc"))
    moved = by_scores(scores, a="Paris", b="Lyon", c="Lyon")
    assert plain["groups"][0]["text"] == "Lyon"
    assert moved["groups"][0]["text"] == "Paris"
    assert moved["groups"][0]["members"] == ["a"], "who said it is who said it"
    assert sum(one["weight"] for one in moved["groups"]) + moved["p_none"] * 0.5 == pytest.approx(0.5)


def test_the_order_of_members_and_scores_changes_nothing():
    scores = [score("a", Paris=-0.1, Lyon=-2.0), score("b", Paris=-1.0, Lyon=-0.3)]
    first = by_scores(scores, a="Paris", b="Lyon")
    second = by_scores(scores[::-1], b="Lyon", a="Paris")
    assert [one["text"] for one in first["groups"]] == [one["text"] for one in second["groups"]]
    assert [one["weight"] for one in first["groups"]] == pytest.approx(
        [one["weight"] for one in second["groups"]]
    )


def test_saved_votes_are_taken_as_they_leant():
    scores = [score("a", Paris=-0.1, Lyon=-2.0), score("b", Paris=-1.0, Lyon=-0.3)]
    counted = by_scores(scores, a="Paris", b="Lyon")
    cast = votes(a="Paris", b="Lyon")
    poll = poll_of(counted, cast)
    for name in "ab":
        whole = sum(votes_.get(name, 0.0) for votes_ in poll.votes) + poll.abstained[name]
        assert whole == pytest.approx(1.0)
    paris = poll.candidates.index("Paris")
    expected = leaning(scores[0], [one["texts"] for one in counted["groups"]])[paris]
    assert poll.votes[paris]["a"] == pytest.approx(expected)
    counted["voted_by"] = "ballots"
    assert poll_of(counted, cast).votes[paris] == {"a": 1.0}


async def test_every_reading_scores_every_answer_as_it_was_asked():
    replies = {"economics": RIGHT, "law": WRONG}
    context = context_of(replies, lambda _, text: -0.2 if text == RIGHT else -2.0, cross_scoring=True)
    found = await asked(context)
    count = found["tally"]
    assert count["voted_by"] == "cross_scores"
    assert {(one["member"], one["slate"]) for one in count["cross_scores"]} == {
        (name, slate) for name in SEATS for slate in ("shared", "own")
    }
    ((requests, continuations),) = context.generator.scored
    written = {(one.pairs, one.prompt) for one in context.generator.requests}
    assert {(one.pairs, one.prompt) for one in requests} == written
    assert all(set(texts) >= {RIGHT, WRONG} for texts in continuations)
    assert count["groups"][0]["text"] == RIGHT
    assert found["decision"]["text"] == RIGHT


async def test_by_default_nothing_is_scored_and_the_count_says_nothing_of_it():
    context = context_of({"*": RIGHT}, lambda *_: -0.1)
    count = (await asked(context))["tally"]
    assert not context.generator.scored
    assert not {"voted_by", "cross_scores", "reconsidered"} & set(count)
    assert set(features(count, [], route_of(SEATS), question="")) == set(FEATURES)


async def test_without_a_scorer_ballots_are_counted_and_it_is_said():
    plain = await asked(context_of({"economics": RIGHT, "law": WRONG}))
    found = await asked(context_of({"economics": RIGHT, "law": WRONG}, cross_scoring=True))
    assert found["tally"]["voted_by"] == "ballots"
    assert not found["tally"]["degraded"]
    assert found["tally"]["groups"] == plain["tally"]["groups"]


@pytest.mark.parametrize(
    ("error", "degraded"), [(NotSupportedError("a server"), False), (RuntimeError("no memory"), True)]
)
async def test_a_scorer_that_fails_leaves_the_ballots(error: Exception, degraded: bool):
    def likes(member: str, text: str) -> float:
        raise error

    count = (await asked(context_of({"*": RIGHT}, likes, cross_scoring=True)))["tally"]
    assert count["voted_by"] == "ballots"
    assert count["degraded"] is degraded
    assert count["groups"][0]["text"] == RIGHT


async def test_truth_is_asked_behind_the_answer_and_is_no_vote():
    def likes(_: str, text: str) -> float:
        return {"Yes": -0.1, "No": -1.1}.get(text.rpartition(" ")[2], -1.0)

    context = context_of({"economics": RIGHT, "law": WRONG}, likes, signals=("p_true",))
    count = (await asked(context))["tally"]
    plain = (await asked(context_of({"economics": RIGHT, "law": WRONG})))["tally"]
    assert count["groups"] == plain["groups"]
    assert "voted_by" not in count
    true = 1 / (1 + math.exp(-2.0))  # two tokens, each e times as likely
    for one in count["cross_scores"]:
        assert one["p_true"] == pytest.approx({RIGHT: true, WRONG: true})
    described = features(count, [], route_of(SEATS), question="")
    assert described["p_true"] == pytest.approx(true)
    assert 0 < described["cross_score"] < 1


def test_a_calibration_is_fitted_on_the_signals_and_bears_it_if_one_is_missing():
    runs = [_run(number) for number in range(40)]
    del runs[3]["tally"]["cross_scores"]
    fitted = fit_promise(runs, target_risk=0.2, min_coverage=0.5).confidence
    assert {"cross_score", "p_true"} <= set(fitted["features"])
    right, wrong = runs[2], runs[1]  # alike in all but what the scores say
    described = _described(right)
    sure = confidence(right["tally"], described, fitted).value
    assert sure > confidence(wrong["tally"], _described(wrong), fitted).value
    unmeasured = {name: value for name, value in described.items() if name in FEATURES}
    assert 0 < confidence(right["tally"], unmeasured, fitted).value < sure


def _described(run: Any) -> dict[str, float]:
    return features(run["tally"], run["ballots"], run["route"], question="")


def _run(number: int) -> Any:
    """Right where the number is even, and the scores know it."""
    right = number % 2 == 0
    cast = votes(a="Paris", b="Paris" if number % 3 else "Lyon")
    sure = -0.1 if right else -1.5
    scores = [
        CrossScore(
            member=name, slate="shared", logprobs={"Paris": sure, "Lyon": -1.0}, none=-2.0,
            p_true={"Paris": 0.9 if right else 0.3, "Lyon": 0.2},
        )
        for name in "ab"
    ]  # fmt: skip
    count = tally(cast, route=route_of("ab"), turn=TURN, asked=["a", "b"])
    return {
        "id": f"q{number}", "question": "?", "ballots": cast, "route": route_of("ab"),
        "gold": "Paris" if right else "Rome",
        "tally": {**count, "cross_scores": scores},
    }  # fmt: skip


# Reconsideration


def cited(member: str, text: str, passage: str, **more: Any) -> Any:
    quote = f"It is said that it is {text}."
    return ballot(member, text, citations=[cite(passage, quote)], read=(passage,), **more)


def test_what_is_contested_is_near_the_lead():
    cast = [cited("a", "Paris", "p1"), cited("b", "Lyon", "p2"), cited("c", "Paris", "p1")]
    count = tally(cast, route=route_of("abc"), turn=TURN, asked=list("abc"))
    assert margin(count) == pytest.approx(1 / 3)
    assert [one["text"] for one in contested(count, 0.4)] == ["Paris", "Lyon"]
    assert contested(count, 0.3) == []
    alone = tally([cast[0]], route=route_of("a"), turn=TURN, asked=["a"])
    assert margin(alone) == 1.0
    assert contested(alone, 1.0) == []


def test_evidence_is_passages_in_an_order_that_tells_nothing():
    cast = [cited("a", "Paris", "p1"), cited("b", "Lyon", "p2"), cited("c", "Paris", "p1")]
    count = tally(cast, route=route_of("abc"), turn=TURN, asked=list("abc"))
    shown = evidence(count["groups"], cast, question="Where?", limit=4)
    assert {one["passage_id"] for one in shown} == {"p1", "p2"}
    fewer = [replace_member(one) for one in cast]
    turned = tally(fewer, route=route_of("abc"), turn=TURN, asked=list("abc"))
    assert turned["groups"][0]["text"] == "Lyon"
    assert evidence(turned["groups"], fewer, question="Where?", limit=4) == shown
    assert len(evidence(count["groups"], cast, question="Where?", limit=1)) == 1
    assert "a" not in {word for one in shown for word in (one["text"] + one["title"]).split()}


def replace_member(one: Any) -> Any:
    """The same, but that c now says what b does."""
    return cited("c", "Lyon", "p2") if one["member"] == "c" else one


@pytest.mark.parametrize(
    ("second", "moves"),
    [
        (cited("a", "Lyon", "p2", slate="disputed"), True),
        (cited("a", "Paris", "p2", slate="disputed"), False),
        (ballot("a", "Lyon", slate="disputed"), False),
        ({**cited("a", "Lyon", "p2"), "method": "quoted"}, False),
        ({**cited("a", "Lyon", "p2"), "passage_ids": ["p9"]}, False),
        (ballot("a", "That is not in the passages.", status="abstained"), False),
        (ballot("a", status="failed"), False),
    ],
)
def test_a_member_changes_only_by_citing_what_it_was_shown(second: Any, moves: bool):
    first = [cited("a", "Paris", "p1"), cited("b", "Lyon", "p2")]
    assert changes(second, first, question="Where?") is moves
    abstained = [ballot("a", status="abstained"), first[1]]
    assert changes(cited("a", "Paris", "p1"), abstained, question="Where?")


def disputing(member: str, request: Request) -> str:
    """Law is wrong until it has read what economics cites; medicine never answers."""
    texts = " ".join(one.text for one in request.prompt.snippets)  # type: ignore[union-attr]
    if member == "medicine":
        return "That is not in the passages."
    if member == "law" and "best alternative" not in texts:
        return "an agreement that courts enforce"
    if member == "law" and len(request.prompt.snippets) != 2:  # type: ignore[union-attr]
        return "an agreement that courts enforce"
    return RIGHT


async def test_on_a_small_lead_members_read_what_is_in_dispute_and_first_ballots_are_kept():
    context = context_of(disputing, ballots=1, reconsider_below=0.9)
    events: list[dict[str, Any]] = []
    found = await asked(replace(context, emit=events.append))
    again = found["tally"].get("reconsidered")
    if again is None:
        pytest.fail(f"no reconsideration: {found['tally']}")
    assert again["turn"] == found["ballots"][0]["turn"]
    assert {one["slate"] for one in again["first"]} == {"shared"}
    assert {one["slate"] for one in again["second"]} == {"disputed"}
    assert len(again["second"]) == 3
    told = [one for one in context.generator.requests if isinstance(one.prompt, Prompt)][3:]
    for request in told:
        assert [one.text for one in request.prompt.snippets] == [one["text"] for one in again["shown"]]
        assert not any(name in str(request.prompt) for name in ("economics", "medicine"))
    kinds = [event["type"] for event in events]
    assert kinds.count("vote") == 2
    assert kinds.count("ballot") == 6
    for event in events:
        if event["type"] != "stage":
            as_event(event)


async def test_whoever_changes_has_one_vote_in_force():
    library = {
        "economics": {"Opportunity cost": f"Opportunity cost is {RIGHT}. It is not cash."},
        "law": {"Opportunity cost of a suit": "Opportunity cost in law is an agreement that courts enforce."},
    }

    def replies(member: str, request: Request) -> str:
        texts = [one.text for one in request.prompt.snippets]  # type: ignore[union-attr]
        second = len(context.generator.requests) > 2
        if member == "law" and not second:
            return "an agreement that courts enforce"
        return RIGHT if any(RIGHT in one for one in texts) else "That is not in the passages."

    context = context_of(replies, ballots=1, reconsider_below=0.9)
    context = replace(context, searcher=FakeSearcher(library))
    graph = create_council_graph().compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "talk"}}
    given = {"question": QUESTION, "members": ["economics", "law"]}
    found = await graph.ainvoke(given, config, context=context)
    again = found["tally"]["reconsidered"]
    assert again["changed"] == ["law"]
    assert [one["text"] for one in found["ballots"]] == [RIGHT, RIGHT]
    assert [one["slate"] for one in found["ballots"]] == ["shared", "disputed"]
    assert sorted(one["text"] for one in again["first"]) == sorted(
        [RIGHT, "an agreement that courts enforce"]
    )
    assert found["decision"]["outcome"] == "consensus"
    assert "law changed" in found["decision"]["reason"]
    context.generator.requests.clear()
    next_turn = await graph.ainvoke(given, config, context=context)
    assert next_turn["tally"]["reconsidered"]["turn"] != again["turn"]


async def test_a_clear_lead_or_nothing_cited_is_not_reconsidered():
    clear = await asked(context_of({"*": RIGHT}, ballots=1, reconsider_below=0.9))
    assert "reconsidered" not in clear["tally"]
    uncited = {"economics": "zebras", "law": "yaks", "medicine": "newts"}
    found = await asked(context_of(uncited, ballots=1, reconsider_below=0.9))
    assert len(found["tally"]["groups"]) == 3
    assert "reconsidered" not in found["tally"]


async def test_what_fails_on_the_second_look_changes_nothing():
    def replies(member: str, request: Request) -> Any:
        if len(context.generator.requests) > 3:
            return Script(raises=RuntimeError("no memory"))
        return RIGHT if member == "economics" else "a general rise in prices"

    context = context_of(replies, ballots=1, reconsider_below=0.9)
    found = await asked(context)
    if "reconsidered" in found["tally"]:
        assert found["tally"]["reconsidered"]["changed"] == []
        assert {one["status"] for one in found["tally"]["reconsidered"]["second"]} == {"failed"}
    assert {one["slate"] for one in found["ballots"]} == {"shared"}


# Settings


def _config(**vote: Any) -> CouncilConfig:
    return CouncilConfig.from_mapping(
        {"family": {"base": "none"}, "vote": vote} if vote else {"family": {"base": "none"}}
    )


def test_settings_left_alone_keep_the_fingerprint_of_a_calibration():
    plain = settings_fingerprint(_config())
    assert settings_fingerprint(_config(cross_scoring=False, signals=[])) == plain
    others = [_config(cross_scoring=True), _config(signals=["p_true"]), _config(reconsider_below=0.2)]
    assert len({plain, *(settings_fingerprint(one) for one in others)}) == 4


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
