"""Two versions of a council on the same questions: is the new one worse, where, and what else has changed?

Knows saved runs and what is right in them; knows neither councils nor files.

**What is tested.** Two harms over all questions: fewer right (an answer that is right, or silence where
nothing is), and more wrong answers given, which a version that merely dares more would have. And fewer right
in each domain, and in all domains that were not meant to change, taken together (forgetting). Each test is
one-sided, since only harm keeps a version back, and exact (`paired.fewer`). The level, 5 %, is for everything
together: half of it for the two harms, half for the domains, each half by Holm's steps. So whatever the
number of domains, an equal version is called worse at most once in twenty times.

**What counts as worse.** The test says so, and at least `tolerance` of the questions were lost: with ten
thousand questions a tenth of a point is certain and matters to nobody. **What counts as the same** needs
evidence, too: the whole interval above `-margin`. Between the two it is unclear, and `detectable` says how
large a loss so many questions would have shown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, TypeAlias

from proxycouncil.errors import UsageError
from proxycouncil.eval.metrics import Interval, wilson
from proxycouncil.eval.paired import detectable, difference, fewer, holm, ratio
from proxycouncil.eval.runs import Record, answer_of, decided_right, is_marked, same_answer

Verdict: TypeAlias = Literal["worse", "better", "same", "unclear"]

LEVEL, MARGIN, TOLERANCE = 0.05, 0.05, 0.01
LEAST = 10
"""A domain of fewer questions is shown and not tested: it could not be called worse, and would cost power."""
OUTSIDE = "out of scope"
ALL, WRONG, OTHERS = "all questions", "wrong answers given", "domains not changed"


@dataclass(frozen=True, slots=True)
class Pair:
    """One question as both answered it."""

    id: str
    domain: str
    entry: str
    old: Record
    new: Record

    @property
    def marked(self) -> bool:
        """Whether it is known what is right."""
        return is_marked(self.old)


@dataclass(frozen=True, slots=True)
class Compared:
    """Some questions before and after. Shares are of questions; for wrong answers, of those not given."""

    name: str
    questions: int
    better: int
    same: int
    worse: int
    old: float
    new: float
    difference: Interval
    p: float | None
    """One-sided, adjusted for all tests of this comparison; None: too few questions to test."""
    detectable: float
    """The smallest loss that would have been called worse four times in five; about."""
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Drift:
    """Answers that changed although what was read did not."""

    same_passages: int
    """Questions for which both versions read the same passages."""
    changed: Interval
    """Share of those with another answer, or with one where there was none."""
    right_to_wrong: int
    wrong_to_right: int
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """Means a question, and the new over the old; None where the old is nothing."""

    old: float
    new: float
    ratio: Interval | None


@dataclass(frozen=True, slots=True)
class Regression:
    """All that is said of a new version beside an old one."""

    verdict: Verdict
    reasons: tuple[str, ...]
    questions: int
    unpaired: int
    """Questions that only one of the two was asked; they are left out."""
    overall: tuple[Compared, ...]
    domains: tuple[Compared, ...]
    drift: Drift
    cost: Mapping[str, Cost]


def regress(
    old: Sequence[Record],
    new: Sequence[Record],
    *,
    changed: Collection[str] = (),
    level: float = LEVEL,
    margin: float = MARGIN,
    tolerance: float = TOLERANCE,
) -> Regression:
    """Compare saved runs of two versions.

    Args:
        changed: domains that were meant to change; the others are then also tested together, for forgetting.
        level: how often, at most, an equal version may be called worse.
        margin: a loss that could be borne: "same" means that any larger one is ruled out.
        tolerance: a loss that matters to nobody, however certain.

    Raises:
        UsageError: no question in common, or one id that stands for two questions.
    """
    pairs, unpaired = paired(old, new)
    marked = [pair for pair in pairs if pair.marked]
    rules = _Rules(level, margin, tolerance)
    domains = _domains(marked, changed, rules)
    overall = _overall(marked, rules, share=0.5 if domains else 1.0)
    verdict = _verdict(overall, domains)
    return Regression(
        verdict=verdict,
        reasons=tuple(_reasons(overall, domains, verdict=verdict, margin=margin)),
        questions=len(pairs),
        unpaired=unpaired,
        overall=overall,
        domains=domains,
        drift=_drift(pairs),
        cost=_costs(pairs),
    )


def paired(old: Sequence[Record], new: Sequence[Record]) -> tuple[list[Pair], int]:
    """The questions that both were asked, in the order of the old runs, and how many only one was."""
    before, after = _by_id(old), _by_id(new)
    common = [name for name in before if name in after]
    if not common:
        raise UsageError("the two have no question in common", hint="compare runs of the same questions")
    for name in common:
        if before[name].get("question") != after[name].get("question"):
            raise UsageError(f"id {name!r} is another question in the other", hint="compare the same ones")
    pairs = [
        Pair(name, _domain(before[name]), str(before[name].get("entry") or name), before[name], after[name])
        for name in common
    ]
    return pairs, len(before) + len(after) - 2 * len(common)


@dataclass(frozen=True, slots=True)
class _Rules:
    level: float
    margin: float
    tolerance: float

    def verdict(self, found: Interval, p: float | None) -> Verdict:
        if p is not None and p < self.level and -found.estimate >= self.tolerance:
            return "worse"
        if found.low > 0:
            return "better"
        return "same" if found.low > -self.margin else "unclear"


_Good: TypeAlias = Callable[[Record], bool]


@dataclass(frozen=True, slots=True)
class _Sample:
    """Questions of one name, and what is good about an answer."""

    name: str
    pairs: Sequence[Pair]
    good: _Good = decided_right

    def compared(self, p: float | None, rules: _Rules, *, level: float) -> Compared:
        before = [self.good(pair.old) for pair in self.pairs]
        after = [self.good(pair.new) for pair in self.pairs]
        gained = sum(b and not a for a, b in zip(before, after, strict=True))
        lost = sum(a and not b for a, b in zip(before, after, strict=True))
        changes, sizes = self.entries()
        found = difference(changes, sizes)
        count = len(self.pairs)
        return Compared(
            self.name,
            questions=count,
            better=gained,
            same=count - gained - lost,
            worse=lost,
            old=sum(before) / max(1, count),
            new=sum(after) / max(1, count),
            difference=found,
            p=p,
            detectable=detectable(changes, sizes, level=level),
            verdict=rules.verdict(found, p),
        )

    def entries(self) -> tuple[list[int], list[int]]:
        """Of each entry: right answers gained less those lost, and its questions."""
        ordered = sorted(self.pairs, key=_place)
        groups = [list(group) for _, group in groupby(ordered, key=_place)]
        changes = [sum(self.good(pair.new) - self.good(pair.old) for pair in group) for group in groups]
        return changes, [len(group) for group in groups]

    def p_value(self) -> float:
        return fewer(self.entries()[0])


def _place(pair: Pair) -> tuple[str, str]:
    return pair.domain, pair.entry


def _overall(marked: Sequence[Pair], rules: _Rules, *, share: float) -> tuple[Compared, ...]:
    return _family([_Sample(ALL, marked), _Sample(WRONG, marked, _not_wrong)], rules, share=share)


def _domains(marked: Sequence[Pair], changed: Collection[str], rules: _Rules) -> tuple[Compared, ...]:
    """Domain by domain, where there are several; and those not meant to change, together."""
    names = sorted({pair.domain for pair in marked})
    if len(names) < 2:
        return ()
    samples = [_Sample(name, [pair for pair in marked if pair.domain == name]) for name in names]
    others = [pair for pair in marked if pair.domain not in changed]
    if changed and 0 < len(others) < len(marked):
        samples.append(_Sample(OTHERS, others))
    return _family(samples, rules, share=0.5)


def _family(samples: Sequence[_Sample], rules: _Rules, *, share: float) -> tuple[Compared, ...]:
    """Tests that have this share of the level among them."""
    tested = [sample for sample in samples if len(sample.pairs) >= LEAST]
    raw = holm([sample.p_value() for sample in tested])
    adjusted = {sample.name: min(1.0, value / share) for sample, value in zip(tested, raw, strict=True)}
    level = rules.level * share / max(1, len(tested))
    return tuple(sample.compared(adjusted.get(sample.name), rules, level=level) for sample in samples)


def _verdict(overall: Sequence[Compared], domains: Sequence[Compared]) -> Verdict:
    if any(one.verdict == "worse" for one in (*overall, *domains)):
        return "worse"
    return overall[0].verdict


def _reasons(
    overall: Sequence[Compared], domains: Sequence[Compared], *, verdict: Verdict, margin: float
) -> list[str]:
    if not overall[0].questions:
        return ["no question says what is right, so only changes are shown"]
    found = [_sentence(one) for one in (*overall, *domains) if one.verdict == "worse"]
    if verdict == "unclear":
        low = overall[0].difference.low
        found.append(
            f"a loss of {-low:.1%} can't be ruled out, and {margin:.0%} is the margin: ask more questions"
        )
    return found


def _sentence(one: Compared) -> str:
    what = "more wrong answers" if one.name == WRONG else "fewer right"
    low, high = one.difference.low, one.difference.high
    return (
        f"{one.name}: {what} by {-one.difference.estimate:.1%} [{-high:.1%}, {-low:.1%}], "
        f"{one.worse} worse and {one.better} better of {one.questions}, p = {one.p:.2g}"
    )


def _drift(pairs: Sequence[Pair]) -> Drift:
    alike = [pair for pair in pairs if read_alike(pair)]
    moved = [pair for pair in alike if not same_answer(pair.old, pair.new)]
    judged = [(decided_right(pair.old), decided_right(pair.new)) for pair in moved if pair.marked]
    return Drift(
        same_passages=len(alike),
        changed=wilson(len(moved), len(alike)),
        right_to_wrong=sum(a and not b for a, b in judged),
        wrong_to_right=sum(b and not a for a, b in judged),
        ids=tuple(pair.id for pair in moved),
    )


def read_alike(pair: Pair) -> bool:
    """Whether both versions read the same passages."""
    return _read(pair.old) == _read(pair.new)


def _read(record: Record) -> frozenset[str]:
    return frozenset(name for ballot in record["ballots"] for name in ballot["passage_ids"])


def _costs(pairs: Sequence[Pair]) -> dict[str, Cost]:
    measures: dict[str, Callable[[Record], float]] = {
        "prompt_tokens": lambda record: _tokens(record, "prompt_tokens"),
        "completion_tokens": lambda record: _tokens(record, "completion_tokens"),
        "seconds": lambda record: float(record["seconds"]),
    }
    return {name: _cost(pairs, measure) for name, measure in measures.items()}


def _cost(pairs: Sequence[Pair], measure: Callable[[Record], float]) -> Cost:
    old, new = [measure(pair.old) for pair in pairs], [measure(pair.new) for pair in pairs]
    return Cost(sum(old) / len(pairs), sum(new) / len(pairs), ratio(new, old))


def _tokens(record: Record, kind: str) -> float:
    return float(sum((ballot.get("usage") or {}).get(kind, 0) for ballot in record["ballots"]))


def _not_wrong(record: Record) -> bool:
    """No wrong answer was given: it is right, or nothing was said."""
    return not answer_of(record) or decided_right(record)


def _domain(record: Record) -> str:
    """As it is marked; else where the old version's router thought it belongs."""
    if "domain" in record:
        return str(record["domain"] or OUTSIDE)
    route: Mapping[str, Any] = record["route"]
    odds = {**route["probabilities"], OUTSIDE: route["out_of_scope"]}
    return str(max(odds, key=lambda name: (odds[name], name)))


def _by_id(records: Sequence[Record]) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for record in records:
        name = str(record["id"])
        if name in found:
            raise UsageError(f"the id {name!r} comes twice", hint="a question is asked once")
        found[name] = record
    return found
