"""A quotation must fit what the question wants."""

import pytest

from proxycouncil.graphs.quoting import quotable, wants_account
from proxycouncil.graphs.state import ExcerptRecord

SENTENCE = "Opportunity cost is the value of the best alternative that is given up when a choice is made."
SHORT = "Friedrich von Wieser introduced it."


def excerpt(text: str, score: float) -> ExcerptRecord:
    return ExcerptRecord(
        passage_id="p", title="T", text=text, source="s.md", start=0, end=len(text), domain="d", score=score
    )


@pytest.mark.parametrize(
    "question",
    [
        "What is opportunity cost?",
        "whats major depression",
        "why is the sky blue",
        "my battery is weak in winter, why does cold do that",
        "How does a vaccine work?",
        "Is a spoken promise binding?",
        "Please define the rule of law.",
        "cognitive dissonance meaning",
        "what does labeling theory say",
        "In programming, what does the word function mean?",
        "hi, could you tell me what bail is",
        "noise cancelling headphones - how do they work?",
        "If the door is open, is it false imprisonment?",
    ],
)
def test_accounts_are_wanted(question: str):
    assert wants_account(question)


@pytest.mark.parametrize(
    "question",
    [
        "Who came up with opportunity cost?",
        "In which year was the Riksbank founded?",
        "How many bones does an adult have?",
        "What do you call a good that people buy less of once they earn more?",
        "which central bank was the first",
        "Do you know who predicted electromagnetic waves?",
        "How do you call the tiny circuits that chips are made of?",
        "Could you tell me the smallest bone in the body, please?",
        "How soon must a notice of appeal be filed?",
    ],
)
def test_names_and_numbers_are_wanted(question: str):
    assert not wants_account(question)


def test_the_best_ranked_excerpt_is_quoted_wherever_it_stands():
    assert quotable("What is it?", [excerpt(SHORT, 0.1), excerpt(SENTENCE, 0.9)]) == excerpt(SENTENCE, 0.9)


def test_a_sentence_is_no_name_unless_it_is_as_short():
    assert quotable("Who introduced it?", [excerpt(SENTENCE, 0.9)]) is None
    assert quotable("Who introduced it?", [excerpt(SHORT, 0.9)]) == excerpt(SHORT, 0.9)


def test_nothing_read_nothing_quoted():
    assert quotable("What is it?", []) is None
