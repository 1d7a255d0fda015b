"""What an arm's replies are worth."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from proxycouncil.council.starter import DIRECTORY
from proxycouncil.errors import UsageError
from proxycouncil.eval.answerer import Reply
from proxycouncil.eval.rewording import Reworded, rewording_report
from proxycouncil.eval.splits import Question
from proxycouncil.eval.starter import Material, Replies, score


def question(name: str, *accepted: str) -> Question:
    return Question(id=name, entry=name, kind="term", domain="law", text=f"{name}?", accepted=accepted)


INSIDE = (question("a", "alpha"), question("b", "beta"), question("c", "gamma"))
OUTSIDE = (question("d"),)


def scored(*replies: Reply) -> float | None:
    told = Replies("arm", replies[:3], replies[3:], 0.0)
    return score(told, Material(INSIDE, OUTSIDE)).calibration_error


def test_the_calibration_error_is_of_what_was_answered_and_out_of_scope_is_wrong():
    # Bins of one: |0.9 − 1|, |0.4 − 0|, |0.2 − 0|; what was declined counts nowhere.
    sure = scored(Reply("alpha", 0.9), Reply("wrong", 0.4), Reply("", 0.7), Reply("something", 0.2))
    assert sure == pytest.approx((0.1 + 0.4 + 0.2) / 3)


def test_an_arm_that_says_nothing_of_how_sure_it_is_has_none():
    assert scored(Reply("alpha"), Reply("beta"), Reply("gamma"), Reply("")) is None


class Echo:
    """Says what it was told to say to each question."""

    def __init__(self, said: dict[str, str]) -> None:
        self.said = said

    def answers(self, questions: Sequence[str]) -> Iterator[Reply]:
        return (Reply(self.said.get(question, ""), 0.9) for question in questions)


def test_questions_in_other_words_are_held_to_the_same_answers(tmp_path: Path):
    lines = [
        {"id": f"law-{n}", "entry": f"E{n}", "kind": "term", "question": f"q{n}?", "accepted": ["alpha"]}
        for n in range(12)
    ]
    (tmp_path / "law.jsonl").write_text("\n".join(map(json.dumps, lines)))
    others = [{"id": f"r{n}", "of": f"law-{n}", "question": f"other {n}?"} for n in range(12)]
    (tmp_path / "reworded.jsonl").write_text("\n".join(map(json.dumps, others)))
    asked = Reworded.load(tmp_path)
    written, other = asked.as_written.inside, asked.in_other_words.inside
    assert written
    assert all(one.part == "test" for one in (*written, *other))
    assert [f"other {one.text[1:]}" for one in written] == [one.text for one in other]

    (arm,) = rewording_report({"arm": Echo({one.text: "alpha" for one in written})}, asked)["arms"]
    assert (arm["as_written"]["right"]["estimate"], arm["in_other_words"]["right"]["estimate"]) == (1, 0)
    assert arm["in_other_words"]["answered"]["estimate"] == 0
    assert arm["difference"]["estimate"] == -1

    (tmp_path / "reworded.jsonl").write_text(json.dumps(others[0] | {"of": "law-99"}))
    with pytest.raises(UsageError, match="of no question"):
        Reworded.load(tmp_path)


def test_every_shipped_rewording_is_of_a_question_and_says_it_otherwise():
    shipped = [Reworded.load(DIRECTORY / "questions", part=part) for part in ("calibration", "test")]
    assert [len(one.as_written.inside) for one in shipped] == [120, 120]
    for asked in shipped:
        pairs = zip(asked.as_written.inside, asked.in_other_words.inside, strict=True)
        assert all(one.text.casefold() != other.text.casefold() for one, other in pairs)
