"""Words and values that invented things are made of.

Knows words. Knows nothing of what is said with them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

Value: TypeAlias = Callable[[random.Random], str]
"""Makes a value by drawing."""

_SYLLABLES = (
    "ba be bo ca co da de dor el fa fen ga gor ha hel ka kel la len lo ma mar me mi na nor o pa pel ra ren "
    "ri ro sa sel so ta tal te tor u va vel vi wen yo za"
).split()
_ENDINGS = ("n", "r", "s", "l", "th", "x", "rd", "ne", "ta", "ra", "na", "lo", "ve", "ck", "m")
_FIRST = (
    "Anna Boris Clara David Elena Felix Grace Hassan Irene Jonas Kavya Liam Maria Nadia Omar Petra Quentin "
    "Rosa Samuel Tara Ulrich Vera Wanda Yusuf Zoe Amira Bruno Chiara Diego Edith"
).split()
_LAST = (
    "Abbott Barker Castro Dalton Ekström Fontana Greer Hollis Ivanov Jensen Kimura Larsen Mercer Novak "
    "Okafor Prescott Quinn Romero Schultz Tanaka Underwood Vargas Whitfield Yilmaz Ziegler"
).split()
_TOWNS = (
    "Ashford Brindle Calder Dunmore Elmsworth Farrow Glenbrook Harwick Ilford Kestrel Lowmoor Marlow Norby "
    "Oakham Penrith Redmont Selby Thornton Upwell Westbury Yarrow"
).split()
_MONTHS = "January February March April May June July August September October November December".split()
COLOURS = "red blue green white black yellow grey brown orange violet".split()
MATERIALS = "steel granite oak brick concrete copper limestone bamboo aluminium glass".split()
TRADES = "nurse architect judge botanist engineer economist painter chemist surgeon programmer".split()
PRODUCTS = "bicycles clocks batteries textiles lenses tractors pumps medicines software furniture".split()
CAUSES = (
    "a lack of iron",
    "a fungus",
    "damage to the nerves",
    "a faulty gene",
    "too much salt",
    "a virus",
    "smoke",
    "a blocked vessel",
    "an infected tooth",
    "loud noise",
)
REASONS = (
    "a bad harvest",
    "a quarrel over wages",
    "a broken dam",
    "the new tax on salt",
    "a fall in the price of wool",
    "the death of the king",
    "a late thaw",
    "a missed payment",
    "an error in a map",
    "fear of a shortage",
)
SIGNS = (
    "a dry cough",
    "blurred vision",
    "a red rash",
    "pain in the joints",
    "swollen ankles",
    "loss of smell",
    "night sweats",
    "a stiff neck",
    "trembling hands",
    "pale skin",
)
PURPOSES = (
    "to keep records in order",
    "to cut the cost of transport",
    "to protect tenants from sudden eviction",
    "to measure small changes in pressure",
    "to sort large files",
    "to calm patients before surgery",
    "to lower the risk of fire",
    "to find errors early",
    "to share water between farms",
    "to compare prices across years",
)
RULES = (
    "a sum rises faster than its parts",
    "people follow the first number they hear",
    "heat leaves a body through its edges",
    "a seller knows more than the buyer",
    "two signals cancel each other",
    "a promise binds only the one who made it",
    "a cell stops dividing when it is crowded",
    "each step halves what is left to search",
    "a habit returns after a pause",
    "light bends when it meets a denser medium",
)


def word(draw: random.Random) -> str:
    """A word that does not exist."""
    return "".join(draw.choices(_SYLLABLES, k=draw.randint(2, 3))) + draw.choice(_ENDINGS)


def coined(draw: random.Random) -> str:
    """A name that does not exist."""
    return upper_first(word(draw))


def person(draw: random.Random) -> str:
    """A first name and a last name, coined or not."""
    return f"{draw.choice(_FIRST)} {draw.choice((draw.choice(_LAST), coined(draw)))}"


def place(draw: random.Random) -> str:
    """A town, coined or not."""
    return draw.choice((draw.choice(_TOWNS), coined(draw)))


def year(draw: random.Random) -> str:
    """A year of the last centuries."""
    return str(draw.randint(1650, 2024))


def date(draw: random.Random) -> str:
    """A day."""
    return f"{draw.randint(1, 28)} {draw.choice(_MONTHS)} {year(draw)}"


def one_of(words: Sequence[str]) -> Value:
    """One of the words."""
    return lambda draw: draw.choice(words)


def amount(low: int, high: int, *units: str) -> Value:
    """A number within bounds, round from fifty on, with one of the units."""

    def make(draw: random.Random) -> str:
        number = draw.randint(low, high)
        rounded = number if number < 50 else round(number, -1)
        return f"{rounded:,} {draw.choice(units)}".strip()

    return make


def named(*patterns: str) -> Value:
    """One of the patterns, its `{w}` a coined word and its `{t}` a place."""
    return lambda draw: draw.choice(patterns).format(w=coined(draw), t=place(draw))


def upper_first(text: str) -> str:
    """The text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]
