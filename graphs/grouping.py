"""Which answers mean the same: guards first, then words; complete-link groups that no order can change.

Works on canonical forms made under one question. Similarity of embeddings can only keep two answers apart,
never join them: "42 dollars" is 0.9 like "24 dollars". Free texts that differ in their words are the same
only where an entailment model finds each to follow from the other, and the guards find nothing against it;
without such a model paraphrases stay apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeAlias

from proxycouncil.graphs.answers import Canonical
from proxycouncil.graphs.content import Content
from proxycouncil.graphs.dates import Date
from proxycouncil.graphs.quantities import Amount
from proxycouncil.graphs.wording import DENYING, stem

Similarity: TypeAlias = Sequence[Sequence[float]]
"""Cosines of every pair of answers, in the order of the answers."""

Entailed: TypeAlias = Mapping[tuple[str, str], float]
"""Probabilities that the second text follows from the first; pairs that are missing do not."""

FOLLOWS = 0.5
"""From this probability on one text follows from another."""

_APART = frozenset(
    stem(word)
    for word in "new north south east west northern southern eastern western upper lower inner outer".split()
)
"""Before a name they make another one: York and New York."""

_LONG = 3
"""Letters of an acronym that may stand for the parts of one word; words that may be written as one."""

FLOOR = 0.1
"""Free texts of several words below this cosine are never the same."""


def compatible(a: Canonical, b: Canonical, *, tolerance: float = 0.0) -> bool:
    """Whether nothing said in one rules out the other: numbers, units, negation, identifiers, names."""
    if not _qualified_alike(a, b):
        return False
    return (
        _in_order(a.content.order, b.content.order)
        and _nested(a.content.echoes, b.content.echoes)
        and _nested(a.content.codes, b.content.codes)
        and _nested(a.content.names, b.content.names)
        and a.content.chosen == b.content.chosen
        and _counts_alike(a, b, tolerance)
    )


def same(a: Canonical, b: Canonical, *, tolerance: float = 0.0) -> bool:
    """Whether two answers to one question say the same."""
    if "none" in (a.kind, b.kind):
        return False
    if a.value == b.value and a == b:
        return True
    if "structured" in (a.kind, b.kind):
        return False
    if "choice" in (a.kind, b.kind):
        return a.kind == b.kind and a.value == b.value
    if a.items and b.items:
        return a.items == b.items and _qualified_alike(a, b)
    if _abbreviates(a, b) or _abbreviates(b, a):
        return _qualified_alike(a, b) and not (_moments(a) or _moments(b))
    if _spelt_alike(a, b) and _within(a, b, tolerance) and _within(b, a, tolerance):
        agree = (a.polarity == b.polarity or not (a.polarity and b.polarity)) and (
            _says_more(a) or _says_more(b) or _opens_alike(a, b)
        )
    else:
        agree = _contains(a, b, tolerance) or _contains(b, a, tolerance)
    return agree and compatible(a, b, tolerance=tolerance)


def same_by_meaning(a: Canonical, b: Canonical, *, forth: float, back: float) -> bool:
    """Whether two free texts follow from each other, and nothing said in one rules out the other.

    Only texts in sentences or terms, neither in the question's own words alone: numbers, dates, choices,
    lists and yes or no are compared as such, and what they say no model may overrule.
    """
    wordy = a.kind in _WORDY and b.kind in _WORDY and a.content.words and b.content.words
    if not wordy or min(forth, back) < FOLLOWS:
        return False
    one, other = a.content, b.content
    if one.negations == other.negations and (_undone(one, other) or _undone(other, one)):
        return False
    return compatible(a, b) or _twice_denied(one, other) or _twice_denied(other, one)


_WORDY = ("free", "term")


def _undone(denying: Content, plain: Content) -> dict[str, str]:
    """Words that deny one of the other text's: "unsafe" beside "safe"; with the words that they deny."""
    alone = [word for word in denying.words if word not in plain.words]
    bases = {
        word: word.removeprefix(prefix) for word in alone for prefix in DENYING if word.startswith(prefix)
    }
    return {word: base for word, base in bases.items() if base in plain.words}


def _twice_denied(denying: Content, plain: Content) -> bool:
    """Whether they are one but for a denied denial, "not unsafe" beside "safe": a model may join them."""
    undone = _undone(denying, plain)
    read = tuple(undone.get(word, word) for word in denying.words)
    one_more = denying.negations == plain.negations + 1 and denying.qualifiers == plain.qualifiers
    return bool(undone) and one_more and read == plain.words


def askable(a: Canonical, b: Canonical) -> bool:
    """Whether an entailment model has anything to say on two answers: the cheap tests leave it open."""
    return not same(a, b) and same_by_meaning(a, b, forth=1.0, back=1.0)


def group(
    answers: Sequence[Canonical],
    similarity: Similarity | None = None,
    *,
    tolerance: float = 0.0,
    texts: Sequence[str] = (),
    entailed: Entailed | None = None,
) -> list[list[int]]:
    """Indexes of the answers that mean the same; every two in a group are the same (complete link).

    Answers of kind "none" are in no group. The partition does not depend on the order of the answers:
    those that agree with most others are placed first, ties by their canonical form.

    Args:
        answers: canonical forms.
        similarity: cosines; a prefilter.
        tolerance: of numbers.
        texts: the answers' own words, as `entailed` knows them.
        entailed: what follows from what.
    """
    distinct, place_of = _distinct(answers)
    agree = _agreement(distinct, answers, place_of, similarity, tolerance)
    if entailed:
        wordings: list[set[str]] = [set() for _ in distinct]
        for place, text in zip(place_of, texts, strict=True):
            if place is not None:
                wordings[place].add(text)
        for i, j in _entailing(distinct, wordings, entailed):
            agree[i].add(j)
            agree[j].add(i)
    cliques: list[set[int]] = []
    for place in sorted(range(len(distinct)), key=lambda place: (-len(agree[place]), place)):
        home = next((clique for clique in cliques if clique <= agree[place]), None)
        if home is None:
            cliques.append({place})
        else:
            home.add(place)
    return sorted([index for index, place in enumerate(place_of) if place in clique] for clique in cliques)


def _entailing(
    distinct: Sequence[Canonical], wordings: Sequence[Collection[str]], entailed: Entailed
) -> Iterator[tuple[int, int]]:
    """Places of answers that follow from each other, in all the wordings that each was given in."""
    for i, a in enumerate(distinct):
        for j in range(i):
            pairs = [(one, two) for one in wordings[i] for two in wordings[j]]
            forth = min(entailed.get((one, two), 0.0) for one, two in pairs)
            back = min(entailed.get((two, one), 0.0) for one, two in pairs)
            if same_by_meaning(a, distinct[j], forth=forth, back=back):
                yield i, j


def medoid(indexes: Sequence[int], texts: Sequence[str], similarity: Similarity | None = None) -> int:
    """The answer nearest to all others of its group; ties go to the shortest, then by letters."""

    def rank(index: int) -> tuple[float, int, str]:
        near = sum(_near(index, other, texts, similarity) for other in indexes)
        return -round(near, 9), len(texts[index]), texts[index]

    return min(indexes, key=rank)


def _near(a: int, b: int, texts: Sequence[str], similarity: Similarity | None) -> float:
    if similarity is not None:
        return similarity[a][b]
    mine, theirs = set(texts[a].casefold().split()), set(texts[b].casefold().split())
    return len(mine & theirs) / len(mine | theirs) if mine | theirs else 1.0


def _distinct(answers: Sequence[Canonical]) -> tuple[list[Canonical], list[int | None]]:
    """The answers once each, and where each stands: in any order but that of arrival."""
    first: dict[Canonical, int] = {}
    seen = [None if one.kind == "none" else first.setdefault(one, len(first)) for one in answers]
    values = Counter(one.value for one in first)
    # Writing an answer out costs as much as reading it: only where the values alone are tied.
    order = sorted(first, key=lambda one: (one.value, repr(one) if values[one.value] > 1 else ""))
    place = {id(one): place for place, one in enumerate(order)}
    moved = [place[id(one)] for one in first]
    return order, [None if at is None else moved[at] for at in seen]


def _agreement(
    distinct: Sequence[Canonical],
    answers: Sequence[Canonical],
    place_of: Sequence[int | None],
    similarity: Similarity | None,
    tolerance: float,
) -> list[set[int]]:
    """For each distinct answer those that are the same."""
    far = _far_apart(answers, place_of, similarity)
    agree: list[set[int]] = [set() for _ in distinct]
    openings = [_openings(answer) for answer in distinct]
    for i, a in enumerate(distinct):
        for j in range(i):
            if (j, i) in far or _open_otherwise(openings[i], openings[j]):
                continue
            if same(a, distinct[j], tolerance=tolerance):
                agree[i].add(j)
                agree[j].add(i)
    return agree


def _openings(answer: Canonical) -> frozenset[object] | None:
    """What another answer must share one of to be the same; None: any may be. Saves most comparisons."""
    said = answer.content
    if not said.words:
        return None
    begins = [said.words[0]]
    for word in said.head:
        begins.append(word)
        if word not in said.names:
            break
    joined = "".join(said.words) if len(said.words) <= _LONG else ""
    whole = [
        (joined, "joined"),
        (answer.items,),
        (said.acronym, "short"),
        (said.initials, "short"),
        (said.combined, "short"),
    ]
    return frozenset([*begins, *(one for one in whole if one[0])])


def _open_otherwise(a: frozenset[object] | None, b: frozenset[object] | None) -> bool:
    return a is not None and b is not None and a.isdisjoint(b)


def _far_apart(
    answers: Sequence[Canonical], place_of: Sequence[int | None], similarity: Similarity | None
) -> set[tuple[int, int]]:
    """Pairs of free texts that embeddings keep apart."""
    if similarity is None:
        return set()
    wordy = [
        (index, place)
        for index, (answer, place) in enumerate(zip(answers, place_of, strict=True))
        if place is not None and len(answer.content.words) > 1
    ]
    return {(here, there) for i, here in wordy for j, there in wordy if similarity[i][j] < FLOOR}


def _contains(long: Canonical, short: Canonical, tolerance: float) -> bool:
    """Whether the long answer begins by saying the short one and adds only detail."""
    said, moments = short.content.words, _moments(short)
    if long.items:
        leads = False
    elif said:
        short_enough = not long.open or 2 * len(said) >= len(long.content.words)
        leads = short_enough and _leads(said, long.content)
    else:
        leads = moments > 0 or bool(short.polarity and short.polarity == long.polarity)
    return leads and (not moments or long.head_moments <= moments) and _within(short, long, tolerance)


def _leads(said: tuple[str, ...], content: Content) -> bool:
    """The words open the head as whole phrases; only parts of a name may stand before ("Tony" Hoare)."""
    head = content.head
    for start in range(len(head) - len(said) + 1):
        stop = start + len(said)
        if head[start:stop] == said:
            return stop in content.phrase_ends
        if head[start] not in content.names or head[start] in _APART:
            return False
    return False


def _spelt_alike(a: Canonical, b: Canonical) -> bool:
    """The same words, however they are joined: e-mail and email."""
    mine, theirs = a.content.words, b.content.words
    if mine == theirs:
        return True
    few = len(mine) != len(theirs) and max(len(mine), len(theirs)) <= _LONG
    return few and "".join(mine) == "".join(theirs)


def _says_more(answer: Canonical) -> bool:
    """Whether an answer says anything that the question did not; "rarely" and "nobody" do."""
    said = answer.content
    return bool(said.words or answer.polarity or said.negations or said.qualifiers or _moments(answer))


def _opens_alike(a: Canonical, b: Canonical) -> bool:
    """Of two answers in the question's own words the longer begins with the shorter."""
    shared = min(len(a.content.order), len(b.content.order))
    return shared > 0 and a.content.order[:shared] == b.content.order[:shared]


def _qualified_alike(a: Canonical, b: Canonical) -> bool:
    """Yes is not no, "not" is not nothing, and "most" is not "some"."""
    if a.polarity and b.polarity:
        decided = a.polarity == b.polarity
    else:
        decided = a.content.negations == b.content.negations
    return decided and a.content.qualifiers == b.content.qualifiers


def _counts_alike(a: Canonical, b: Canonical, tolerance: float) -> bool:
    """One says every amount and date of the other, and in the same order: from 5 to 7 is not from 7 to 5."""
    if not (_within(a, b, tolerance) or _within(b, a, tolerance)):
        return False
    shared = [amount for amount in a.amounts if _said_amount(amount, b, tolerance)]
    others = [amount for amount in b.amounts if _said_amount(amount, a, tolerance)]
    return len(shared) != len(others) or all(
        mine.agrees(theirs, tolerance) for mine, theirs in zip(shared, others, strict=True)
    )


def _moments(answer: Canonical) -> int:
    return len(answer.amounts) + len(answer.dates)


def _in_order(a: Sequence[str], b: Sequence[str]) -> bool:
    """What both say stands in the same order: "A lowers B" is not "B lowers A"."""
    common = set(a) & set(b)
    return [word for word in dict.fromkeys(a) if word in common] == [
        word for word in dict.fromkeys(b) if word in common
    ]


def _within(short: Canonical, long: Canonical, tolerance: float) -> bool:
    """Every amount and date of one is said by the other; a date says its year."""
    return all(_said_amount(amount, long, tolerance) for amount in short.amounts) and all(
        _said_date(date, long) for date in short.dates
    )


def _said_amount(amount: Amount, answer: Canonical, tolerance: float) -> bool:
    if any(amount.agrees(other, tolerance) for other in answer.amounts):
        return True
    return not amount.dimension and any(amount.value == date.year for date in answer.dates)


def _said_date(date: Date, answer: Canonical) -> bool:
    return any(date.agrees(other) for other in answer.dates)


def _nested(a: frozenset[str], b: frozenset[str]) -> bool:
    return a <= b or b <= a


def _abbreviates(short: Canonical, long: Canonical) -> bool:
    """`WTO` and "World Trade Organization"."""
    acronym = short.content.acronym
    if len(acronym) >= _LONG and acronym == long.content.combined:
        return True
    return bool(acronym) and acronym == long.content.initials
