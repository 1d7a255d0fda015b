"""Invented fact sheets: who, where, when, how much, of things that do not exist.

What is invented can't be known, only read. Each fact has several wordings and its questions mostly other
words than its statement; sheets of one kind stand side by side, so that name and relation must both match.
Knows names, numbers and frames. Knows nothing of files, tokens or models.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from proxycouncil.specialists.cases import REFUSAL, Case
from proxycouncil.specialists.request import Snippet
from training.reading import typed

WITHOUT_ANSWER = 0.1
PRONOUNS = 0.3
SOURCE = "invented fact sheets"

Value: TypeAlias = Callable[[random.Random], str]


@dataclass(frozen=True, slots=True)
class Fact:
    """A relation: how its value is made, stated and asked for. `{n}` is the name, `{v}` the value."""

    value: Value
    statements: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing: how its names are made and what can be said of it."""

    name: Value
    facts: tuple[Fact, ...]
    pronoun: str = "it"


def sheet_cases(count: int, draw: random.Random) -> Iterator[Case]:
    """Cases over slates of one to five statements about one to three invented things of a kind."""
    for number in range(count):
        kind = draw.choice(KINDS)
        names = [kind.name(draw) for _ in range(draw.randint(1, 3))]
        told = _told(kind, names, draw)
        asked, shown = told[0], told[: draw.randint(1, 5)]
        refuse = len(told) > 1 and draw.random() < WITHOUT_ANSWER
        if refuse:
            shown = told[1:5]
        draw.shuffle(shown)
        name, fact, value, _ = asked
        yield Case(
            question=typed(_upper(draw.choice(fact.questions).format(n=name)), draw),
            snippets=tuple(Snippet(_upper(named), text) for named, _, _, text in shown),
            answer=REFUSAL if refuse else value,
            group="general",
            entry=f"sheet {number}",
            source=SOURCE,
            license="Apache-2.0",
        )


Told: TypeAlias = tuple[str, Fact, str, str]


def _told(kind: Kind, names: Sequence[str], draw: random.Random) -> list[Told]:
    """(name, fact, value, statement), the first being the one to ask for; no name and fact comes twice."""
    pairs = [(name, fact) for name in dict.fromkeys(names) for fact in kind.facts]
    told: list[Told] = []
    for name, fact in draw.sample(pairs, min(len(pairs), 6)):
        value = fact.value(draw)
        told.append((name, fact, value, _stated(fact, name, value, kind.pronoun, draw)))
    return told


def _stated(fact: Fact, name: str, value: str, pronoun: str, draw: random.Random) -> str:
    """A sentence; now and then only the title tells of whom."""
    frame = draw.choice(fact.statements)
    if frame.startswith("{n} ") and draw.random() < PRONOUNS:
        name = pronoun
    return _upper(frame.format(n=name, v=value))


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


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
_COLOURS = "red blue green white black yellow grey brown orange violet".split()
_MATERIALS = "steel granite oak brick concrete copper limestone bamboo aluminium glass".split()
_TRADES = "nurse architect judge botanist engineer economist painter chemist surgeon programmer".split()
_PRODUCTS = "bicycles clocks batteries textiles lenses tractors pumps medicines software furniture".split()
_CAUSES = (
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
_REASONS = (
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
_SIGNS = (
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
_PURPOSES = (
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
_RULES = (
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


def _word(draw: random.Random) -> str:
    return "".join(draw.choices(_SYLLABLES, k=draw.randint(2, 3))) + draw.choice(_ENDINGS)


def _coined(draw: random.Random) -> str:
    return _upper(_word(draw))


def _person(draw: random.Random) -> str:
    return f"{draw.choice(_FIRST)} {draw.choice((draw.choice(_LAST), _coined(draw)))}"


def _place(draw: random.Random) -> str:
    return draw.choice((draw.choice(_TOWNS), _coined(draw)))


def _year(draw: random.Random) -> str:
    return str(draw.randint(1650, 2024))


def _date(draw: random.Random) -> str:
    return f"{draw.randint(1, 28)} {draw.choice(_MONTHS)} {_year(draw)}"


def _from(words: Sequence[str]) -> Value:
    return lambda draw: draw.choice(words)


def _amount(low: int, high: int, *units: str) -> Value:
    def make(draw: random.Random) -> str:
        number = draw.randint(low, high)
        rounded = number if number < 50 else round(number, -1)
        return f"{rounded:,} {draw.choice(units)}".strip()

    return make


def _named(*patterns: str) -> Value:
    return lambda draw: draw.choice(patterns).format(w=_coined(draw), t=_place(draw))


_PERSON = Kind(
    _person,
    (
        Fact(
            _year,
            ("{n} was born in {v}.", "The birth of {n} fell in {v}."),
            ("when was {n} born?", "in which year did {n} come into the world?", "what is {n}'s birth year?"),
        ),
        Fact(
            _place,
            ("{n} grew up in {v}.", "{n} spent a childhood in {v}."),
            ("where did {n} grow up?", "in what town was {n} raised?"),
        ),
        Fact(
            _from(_TRADES),
            ("{n} worked as a {v}.", "{n} earned a living as a {v}."),
            ("what was {n}'s job?", "what did {n} do for a living?", "what was the profession of {n}?"),
        ),
        Fact(
            _person,
            ("{n} was taught by {v}.", "{v} was the teacher of {n}."),
            ("who taught {n}?", "whose pupil was {n}?", "who was {n}'s teacher?"),
        ),
        Fact(
            _person,
            ("{n} married {v}.", "{v} became the spouse of {n}."),
            ("who did {n} marry?", "who was {n} married to?", "who was the husband or wife of {n}?"),
        ),
        Fact(
            _named("the {w} Prize", "the {t} Medal"),
            ("{n} received {v}.", "{v} was awarded to {n}."),
            ("which award did {n} win?", "what prize was {n} given?"),
        ),
        Fact(
            _named("the {w} method", "the {w} valve", "the {w} test"),
            ("{n} invented {v}.", "{v} was devised by {n}."),
            ("what did {n} invent?", "which invention goes back to {n}?"),
        ),
    ),
    "she",
)
_DRUG = Kind(
    lambda draw: _word(draw) + draw.choice(("in", "ol", "ide", "one", "mab")),
    (
        Fact(
            _amount(2, 900, "mg"),
            ("Adults take {v} of {n} a day.", "The daily dose of {n} is {v}."),
            (
                "how much {n} do adults take?",
                "what is the dose of {n} per day?",
                "how many milligrams of {n} are taken daily?",
            ),
        ),
        Fact(
            _amount(2, 24, "hours", "days"),
            ("The effect of {n} lasts {v}.", "{n} works for {v}."),
            ("how long does {n} act?", "for how long does {n} help?"),
        ),
        Fact(
            _from(_SIGNS),
            ("The most common side effect of {n} is {v}.", "{n} often causes {v}."),
            ("what unwanted effect does {n} have?", "which side effect is usual with {n}?"),
        ),
        Fact(
            _from(("asthma", "gout", "migraine", "anaemia", "malaria", "insomnia", "eczema", "epilepsy")),
            ("{n} is used against {v}.", "Doctors prescribe {n} for {v}."),
            ("what is {n} given for?", "which illness is treated with {n}?", "what does {n} treat?"),
        ),
        Fact(
            _from(
                (
                    "pregnant women",
                    "children under six",
                    "people with kidney disease",
                    "patients who take aspirin",
                )
            ),
            ("{n} must not be given to {v}.", "{v} should avoid {n}."),
            ("who must not take {n}?", "for whom is {n} unsafe?"),
        ),
    ),
)
_DISEASE = Kind(
    lambda draw: draw.choice(
        (f"{_word(draw)} fever", f"{_coined(draw)} syndrome", f"{_coined(draw)}'s disease")
    ),
    (
        Fact(
            _from(_CAUSES),
            ("{n} is caused by {v}.", "{v} brings about {n}."),
            ("what causes {n}?", "what is the reason for {n}?", "where does {n} come from?"),
        ),
        Fact(
            _from(_SIGNS),
            ("The first sign of {n} is {v}.", "{n} begins with {v}."),
            ("what is an early symptom of {n}?", "how does {n} start?"),
        ),
        Fact(
            _amount(2, 60, "days", "weeks"),
            ("{n} heals within {v}.", "Patients recover from {n} in {v}."),
            ("how long does {n} last?", "after what time is {n} over?"),
        ),
        Fact(
            _amount(1, 95, "percent"),
            ("{n} affects {v} of adults.", "{v} of all adults get {n}."),
            ("how common is {n}?", "what share of adults has {n}?"),
        ),
    ),
)
_LAW = Kind(
    _named("the {w} Act", "the {t} Ordinance", "the {w} Treaty"),
    (
        Fact(
            _year,
            ("{n} was passed in {v}.", "Parliament adopted {n} in {v}."),
            ("when was {n} passed?", "since what year has {n} existed?", "in which year was {n} enacted?"),
        ),
        Fact(
            _amount(3, 180, "days"),
            ("{n} gives both sides {v} to appeal.", "Under {n} an appeal must be filed within {v}."),
            ("how long can one appeal under {n}?", "what is the deadline for an appeal under {n}?"),
        ),
        Fact(
            lambda draw: f"${draw.randint(1, 90) * 100:,}",
            ("A breach of {n} costs {v}.", "The fine under {n} is {v}."),
            ("what is the penalty under {n}?", "how high is the fine for breaking {n}?"),
        ),
        Fact(
            lambda draw: f"Section {draw.randint(2, 90)}",
            ("{v} of {n} deals with rent.", "Rent is governed by {v} of {n}."),
            ("which section of {n} is about rent?", "where in {n} is rent regulated?"),
        ),
        Fact(
            _from(_PURPOSES),
            ("The aim of {n} is {v}.", "{n} was written {v}."),
            ("why was {n} made?", "what is the purpose of {n}?", "what is {n} for?"),
        ),
        Fact(
            _from(
                (
                    "the county court",
                    "the tax office",
                    "the central bank",
                    "a jury of twelve",
                    "the governor",
                    "the senate",
                )
            ),
            ("{n} is enforced by {v}.", "{v} watches over {n}."),
            ("who enforces {n}?", "which body supervises {n}?"),
        ),
    ),
)
_DEVICE = Kind(
    _named("the {w} pump", "the {w} scanner", "the {w} 300", "the {w} drone"),
    (
        Fact(
            _amount(2, 900, "grams", "kg"),
            ("{n} weighs {v}.", "The weight of {n} is {v}."),
            ("how heavy is {n}?", "what does {n} weigh?"),
        ),
        Fact(
            lambda draw: f"${draw.randint(5, 990)}",
            ("{n} costs {v}.", "{n} is sold for {v}."),
            ("what is the price of {n}?", "how much must one pay for {n}?", "how expensive is {n}?"),
        ),
        Fact(
            _amount(2, 90, "hours"),
            ("The battery of {n} lasts {v}.", "{n} runs for {v} on one charge."),
            ("how long does {n} run?", "what is the battery life of {n}?"),
        ),
        Fact(
            _from(_COLOURS),
            ("{n} comes in {v} only.", "The case of {n} is {v}."),
            ("what colour is {n}?", "in which colour is {n} sold?"),
        ),
        Fact(
            _from(_PURPOSES),
            ("{n} is used {v}.", "Engineers built {n} {v}."),
            ("what is {n} good for?", "what is {n} used for?"),
        ),
    ),
)
_COMPANY = Kind(
    _named("{w} Ltd", "{w} Brothers", "{t} Works", "{w} Inc."),
    (
        Fact(
            _year,
            ("{n} was founded in {v}.", "The history of {n} begins in {v}."),
            ("when was {n} set up?", "in what year was {n} established?", "when did {n} start?"),
        ),
        Fact(
            _person,
            ("{v} founded {n}.", "{n} was started by {v}."),
            ("who set up {n}?", "who is the founder of {n}?", "who established {n}?"),
        ),
        Fact(
            _amount(12, 90000, "people"),
            ("{n} employs {v}.", "The staff of {n} counts {v}."),
            ("how many employees does {n} have?", "how many work at {n}?"),
        ),
        Fact(
            _from(_PRODUCTS),
            ("{n} makes {v}.", "{n} is known for its {v}."),
            ("what does {n} produce?", "which goods come from {n}?"),
        ),
        Fact(
            _place,
            ("{n} has its seat in {v}.", "The head office of {n} is in {v}."),
            ("where is {n} based?", "in which town is the headquarters of {n}?"),
        ),
        Fact(
            _amount(1, 60, "percent"),
            ("{n} holds {v} of its market.", "The market share of {n} is {v}."),
            ("how large is the market share of {n}?", "what part of the market does {n} hold?"),
        ),
    ),
)
_BUILDING = Kind(
    _named("the {w} Bridge", "the {t} Tower", "the {w} Canal", "{t} Castle"),
    (
        Fact(
            _year,
            ("{n} was opened in {v}.", "{n} has been in use since {v}."),
            ("when was {n} opened?", "since when has {n} been used?"),
        ),
        Fact(
            _person,
            ("{n} was designed by {v}.", "{v} drew the plans of {n}."),
            ("who designed {n}?", "who was the architect of {n}?"),
        ),
        Fact(
            _amount(12, 900, "metres", "feet"),
            ("{n} is {v} long.", "The length of {n} is {v}."),
            ("how long is {n}?", "what is the length of {n}?"),
        ),
        Fact(
            _from(_MATERIALS),
            ("{n} is built of {v}.", "The walls of {n} are made of {v}."),
            ("what is {n} made of?", "which material was used for {n}?"),
        ),
        Fact(
            _place,
            ("{n} stands in {v}.", "{n} belongs to {v}."),
            ("where is {n}?", "in which place can one see {n}?"),
        ),
    ),
)
_IDEA = Kind(
    lambda draw: draw.choice(
        (f"{_coined(draw)}'s law", f"the {_word(draw)} effect", f"the {_word(draw)} principle")
    ),
    (
        Fact(
            _from(_RULES),
            ("{n} says that {v}.", "According to {n}, {v}."),
            ("what does {n} say?", "what is stated by {n}?", "what is {n}?", "explain {n}"),
        ),
        Fact(
            _person,
            ("{n} goes back to {v}.", "{v} described {n} first."),
            ("who discovered {n}?", "who came up with {n}?", "after whom is {n} known?"),
        ),
        Fact(
            _year,
            ("{n} was published in {v}.", "{n} has been known since {v}."),
            ("when was {n} first described?", "in what year did {n} appear?"),
        ),
        Fact(
            _from(("biology", "banking", "optics", "tort law", "networking", "perception", "acoustics")),
            ("{n} belongs to {v}.", "{n} is taught in {v}."),
            ("which field does {n} come from?", "in what subject is {n} used?"),
        ),
    ),
)
_EVENT = Kind(
    _named("the {w} Conference", "the {t} Flood", "the {t} Strike", "the Battle of {t}"),
    (
        Fact(
            _date,
            ("{n} began on {v}.", "{n} started on {v}."),
            ("when did {n} begin?", "on what date did {n} start?"),
        ),
        Fact(
            _amount(2, 90, "days", "weeks"),
            ("{n} lasted {v}.", "{n} was over after {v}."),
            ("how long did {n} last?", "what was the duration of {n}?"),
        ),
        Fact(
            _amount(20, 90000, "people"),
            ("{n} drew {v}.", "{v} took part in {n}."),
            ("how many people took part in {n}?", "how many were there at {n}?"),
        ),
        Fact(
            _person,
            ("{n} was led by {v}.", "{v} stood at the head of {n}."),
            ("who led {n}?", "who was the leader of {n}?"),
        ),
        Fact(
            _from(_CAUSES),
            ("{n} was blamed on {v}.", "The reason for {n} was {v}."),
            ("why did {n} happen?", "what was the cause of {n}?"),
        ),
    ),
)

KINDS: tuple[Kind, ...] = (_PERSON, _DRUG, _DISEASE, _LAW, _DEVICE, _COMPANY, _BUILDING, _IDEA, _EVENT)
"""What there are sheets about."""
