"""Answers in other words that are the same, and answers in nearly the same words that are not."""

from __future__ import annotations

import pytest

from proxycouncil.graphs.answers import canonical
from proxycouncil.graphs.grouping import group, same

SAME = """
Which gases does air consist of?|nitrogen and oxygen|It consists of oxygen and nitrogen.
Which colours are there?|red, green and blue|The colours are blue, green and red.
In which order?|first red, then green, then blue|red, green, blue
In which order?|red, green, blue|red, then green, and finally blue
What sets the price?|Supply and demand set it.|It is set by demand and supply.
Who found it?|Marie and Pierre Curie|It was found by Pierre and Marie Curie.
What happened?|An earthquake destroyed the city in 1755.|In 1755 the city was destroyed by an earthquake.
How old must one be?|at least 18|no younger than 18
How many agree?|none|zero
How many survive of them?|9 out of 10|nine out of ten
Who must agree?|nobody|none of them
Who must agree?|all of them|every one of them
Who may vote?|every adult citizen|all adult citizens
How often is it fatal?|rarely|It is rarely fatal.
How often is it?|always|in all cases
Does sound travel in a vacuum?|No|Not at all.
Is a whale a fish?|No|It isn't one.
Is it legal?|It is illegal.|It is not legal.
Is it curable?|It cannot be cured.|No, it can't be cured.
Do they have mass?|They have no mass.|They do not have any mass.
Where is it?|in Rome|It can be found in Rome.
What is it called?|e-mail|email
What is it called?|colour|color
What is it called?|the central nervous system (CNS)|CNS
Which test is it?|an EEG|an electroencephalogram
"""
DIFFERENT = """
Which blood group is it?|O+|O-
What is the charge?|Na+|Na-
Which hormone raises blood sugar and which lowers it?|glucagon and insulin|insulin and glucagon
Which came in which order?|first red, then green|first green, then red
What sets the price?|supply|supply and demand
What happens to the bill?|The president signs it.|The president is signed by it.
When was it?|in 44 BC|in 44
When does it open?|at 9 am|at 9 pm
When did it happen?|in 1990|after 1990
When did it happen?|12 March|March 2012
Is it inside or outside?|in the cell|outside the cell
Where is it?|York|New York
Who wrote it?|Bach|Bach's son
What is the formula?|a - b|b - a
Which test is it?|an ECG|an electroencephalogram
How many do so?|a few|few
How many are there?|23|23 pairs
How many are there?|10 at least|10
Is it legal?|It is legal.|It is illegal.
Who won?|Ann or Bob|Ann and Bob
"""


def rows(table: str) -> list[list[str]]:
    return [line.split("|") for line in table.strip().splitlines()]


def both(question: str, a: str, b: str) -> bool:
    read = canonical(a, question=question), canonical(b, question=question)
    found = same(*read)
    assert found == same(*reversed(read))
    assert (len(group(read)) == 1) == found
    return found


@pytest.mark.parametrize(("question", "a", "b"), rows(SAME))
def test_other_words(question: str, a: str, b: str) -> None:
    assert both(question, a, b)


@pytest.mark.parametrize(("question", "a", "b"), rows(DIFFERENT))
def test_nearly_the_same_words(question: str, a: str, b: str) -> None:
    assert not both(question, a, b)
