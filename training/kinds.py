"""What invented fact sheets are about: names, values, and the frames in which they are stated and asked for.

Knows words and frames. Knows nothing of slates, cases or files.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.names import (
    CAUSES,
    COLOURS,
    MATERIALS,
    PRODUCTS,
    PURPOSES,
    REASONS,
    RULES,
    SIGNS,
    TRADES,
    Value,
    amount,
    coined,
    date,
    named,
    one_of,
    person,
    place,
    word,
    year,
)


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


_PERSON = Kind(
    person,
    (
        Fact(
            year,
            ("{n} was born in {v}.", "The birth of {n} fell in {v}."),
            ("when was {n} born?", "in which year did {n} come into the world?", "what is {n}'s birth year?"),
        ),
        Fact(
            place,
            ("{n} grew up in {v}.", "{n} spent a childhood in {v}."),
            ("where did {n} grow up?", "in what town was {n} raised?"),
        ),
        Fact(
            one_of(TRADES),
            ("{n} worked as a {v}.", "{n} earned a living as a {v}."),
            ("what was {n}'s job?", "what did {n} do for a living?", "what was the profession of {n}?"),
        ),
        Fact(
            person,
            ("{n} was taught by {v}.", "{v} was the teacher of {n}."),
            ("who taught {n}?", "whose pupil was {n}?", "who was {n}'s teacher?"),
        ),
        Fact(
            person,
            ("{n} married {v}.", "{v} became the spouse of {n}."),
            ("who did {n} marry?", "who was {n} married to?", "who was the husband or wife of {n}?"),
        ),
        Fact(
            named("the {w} Prize", "the {t} Medal"),
            ("{n} received {v}.", "{v} was awarded to {n}."),
            ("which award did {n} win?", "what prize was {n} given?"),
        ),
        Fact(
            named("the {w} method", "the {w} valve", "the {w} test"),
            ("{n} invented {v}.", "{v} was devised by {n}."),
            ("what did {n} invent?", "which invention goes back to {n}?"),
        ),
    ),
    "she",
)
_DRUG = Kind(
    lambda draw: word(draw) + draw.choice(("in", "ol", "ide", "one", "mab")),
    (
        Fact(
            amount(2, 900, "mg"),
            ("Adults take {v} of {n} a day.", "The daily dose of {n} is {v}."),
            (
                "how much {n} do adults take?",
                "what is the dose of {n} per day?",
                "how many milligrams of {n} are taken daily?",
            ),
        ),
        Fact(
            amount(2, 24, "hours", "days"),
            ("The effect of {n} lasts {v}.", "{n} works for {v}."),
            ("how long does {n} act?", "for how long does {n} help?"),
        ),
        Fact(
            one_of(SIGNS),
            ("The most common side effect of {n} is {v}.", "{n} often causes {v}."),
            ("what unwanted effect does {n} have?", "which side effect is usual with {n}?"),
        ),
        Fact(
            one_of(("asthma", "gout", "migraine", "anaemia", "malaria", "insomnia", "eczema", "epilepsy")),
            ("{n} is used against {v}.", "Doctors prescribe {n} for {v}."),
            ("what is {n} given for?", "which illness is treated with {n}?", "what does {n} treat?"),
        ),
        Fact(
            one_of(
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
        (f"{word(draw)} fever", f"{coined(draw)} syndrome", f"{coined(draw)}'s disease")
    ),
    (
        Fact(
            one_of(CAUSES),
            ("{n} is caused by {v}.", "{v} brings about {n}."),
            ("what causes {n}?", "what is the reason for {n}?", "where does {n} come from?"),
        ),
        Fact(
            one_of(SIGNS),
            ("The first sign of {n} is {v}.", "{n} begins with {v}."),
            ("what is an early symptom of {n}?", "how does {n} start?"),
        ),
        Fact(
            amount(2, 60, "days", "weeks"),
            ("{n} heals within {v}.", "Patients recover from {n} in {v}."),
            ("how long does {n} last?", "after what time is {n} over?"),
        ),
        Fact(
            amount(1, 95, "percent"),
            ("{n} affects {v} of adults.", "{v} of all adults get {n}."),
            ("how common is {n}?", "what share of adults has {n}?"),
        ),
    ),
)
_LAW = Kind(
    named("the {w} Act", "the {t} Ordinance", "the {w} Treaty"),
    (
        Fact(
            year,
            ("{n} was passed in {v}.", "Parliament adopted {n} in {v}."),
            ("when was {n} passed?", "since what year has {n} existed?", "in which year was {n} enacted?"),
        ),
        Fact(
            amount(3, 180, "days"),
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
            one_of(PURPOSES),
            ("The aim of {n} is {v}.", "{n} was written {v}."),
            ("why was {n} made?", "what is the purpose of {n}?", "what is {n} for?"),
        ),
        Fact(
            one_of(
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
    named("the {w} pump", "the {w} scanner", "the {w} 300", "the {w} drone"),
    (
        Fact(
            amount(2, 900, "grams", "kg"),
            ("{n} weighs {v}.", "The weight of {n} is {v}."),
            ("how heavy is {n}?", "what does {n} weigh?"),
        ),
        Fact(
            lambda draw: f"${draw.randint(5, 990)}",
            ("{n} costs {v}.", "{n} is sold for {v}."),
            ("what is the price of {n}?", "how much must one pay for {n}?", "how expensive is {n}?"),
        ),
        Fact(
            amount(2, 90, "hours"),
            ("The battery of {n} lasts {v}.", "{n} runs for {v} on one charge."),
            ("how long does {n} run?", "what is the battery life of {n}?"),
        ),
        Fact(
            one_of(COLOURS),
            ("{n} comes in {v} only.", "The case of {n} is {v}."),
            ("what colour is {n}?", "in which colour is {n} sold?"),
        ),
        Fact(
            one_of(PURPOSES),
            ("{n} is used {v}.", "Engineers built {n} {v}."),
            ("what is {n} good for?", "what is {n} used for?"),
        ),
    ),
)
_COMPANY = Kind(
    named("{w} Ltd", "{w} Brothers", "{t} Works", "{w} Inc."),
    (
        Fact(
            year,
            ("{n} was founded in {v}.", "The history of {n} begins in {v}."),
            ("when was {n} set up?", "in what year was {n} established?", "when did {n} start?"),
        ),
        Fact(
            person,
            ("{v} founded {n}.", "{n} was started by {v}."),
            ("who set up {n}?", "who is the founder of {n}?", "who established {n}?"),
        ),
        Fact(
            amount(12, 90000, "people"),
            ("{n} employs {v}.", "The staff of {n} counts {v}."),
            ("how many employees does {n} have?", "how many work at {n}?"),
        ),
        Fact(
            one_of(PRODUCTS),
            ("{n} makes {v}.", "{n} is known for its {v}."),
            ("what does {n} produce?", "which goods come from {n}?"),
        ),
        Fact(
            place,
            ("{n} has its seat in {v}.", "The head office of {n} is in {v}."),
            ("where is {n} based?", "in which town is the headquarters of {n}?"),
        ),
        Fact(
            amount(1, 60, "percent"),
            ("{n} holds {v} of its market.", "The market share of {n} is {v}."),
            ("how large is the market share of {n}?", "what part of the market does {n} hold?"),
        ),
    ),
)
_BUILDING = Kind(
    named("the {w} Bridge", "the {t} Tower", "the {w} Canal", "{t} Castle"),
    (
        Fact(
            year,
            ("{n} was opened in {v}.", "{n} has been in use since {v}."),
            ("when was {n} opened?", "since when has {n} been used?"),
        ),
        Fact(
            person,
            ("{n} was designed by {v}.", "{v} drew the plans of {n}."),
            ("who designed {n}?", "who was the architect of {n}?"),
        ),
        Fact(
            amount(12, 900, "metres", "feet"),
            ("{n} is {v} long.", "The length of {n} is {v}."),
            ("how long is {n}?", "what is the length of {n}?"),
        ),
        Fact(
            one_of(MATERIALS),
            ("{n} is built of {v}.", "The walls of {n} are made of {v}."),
            ("what is {n} made of?", "which material was used for {n}?"),
        ),
        Fact(
            place,
            ("{n} stands in {v}.", "{n} belongs to {v}."),
            ("where is {n}?", "in which place can one see {n}?"),
        ),
    ),
)
_IDEA = Kind(
    lambda draw: draw.choice(
        (f"{coined(draw)}'s law", f"the {word(draw)} effect", f"the {word(draw)} principle")
    ),
    (
        Fact(
            one_of(RULES),
            ("{n} says that {v}.", "According to {n}, {v}."),
            ("what does {n} say?", "what is stated by {n}?", "what is {n}?", "explain {n}"),
        ),
        Fact(
            person,
            ("{n} goes back to {v}.", "{v} described {n} first."),
            ("who discovered {n}?", "who came up with {n}?", "after whom is {n} known?"),
        ),
        Fact(
            year,
            ("{n} was published in {v}.", "{n} has been known since {v}."),
            ("when was {n} first described?", "in what year did {n} appear?"),
        ),
        Fact(
            one_of(("biology", "banking", "optics", "tort law", "networking", "perception", "acoustics")),
            ("{n} belongs to {v}.", "{n} is taught in {v}."),
            ("which field does {n} come from?", "in what subject is {n} used?"),
        ),
    ),
)
_EVENT = Kind(
    named("the {w} Conference", "the {t} Flood", "the {t} Strike", "the Battle of {t}"),
    (
        Fact(
            date,
            ("{n} began on {v}.", "{n} started on {v}."),
            ("when did {n} begin?", "on what date did {n} start?"),
        ),
        Fact(
            amount(2, 90, "days", "weeks"),
            ("{n} lasted {v}.", "{n} was over after {v}."),
            ("how long did {n} last?", "what was the duration of {n}?"),
        ),
        Fact(
            amount(20, 90000, "people"),
            ("{n} drew {v}.", "{v} took part in {n}."),
            ("how many people took part in {n}?", "how many were there at {n}?"),
        ),
        Fact(
            person,
            ("{n} was led by {v}.", "{v} stood at the head of {n}."),
            ("who led {n}?", "who was the leader of {n}?"),
        ),
        Fact(
            one_of(REASONS),
            ("{n} was blamed on {v}.", "The reason for {n} was {v}."),
            ("why did {n} happen?", "what was the cause of {n}?"),
        ),
    ),
)

KINDS: tuple[Kind, ...] = (_PERSON, _DRUG, _DISEASE, _LAW, _DEVICE, _COMPANY, _BUILDING, _IDEA, _EVENT)
"""What there are sheets about."""
