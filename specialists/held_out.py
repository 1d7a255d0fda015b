"""What an expert is worth on cases that it did not learn: every strength from three readings of each case.

One forward each by base, anti-expert and expert over the prompt with its answer gives all that steering needs
at any α, so a whole curve costs what one point does. An answer is *exact* where greedy decoding would write
it token by token: that is so exactly if every token of it is the favourite behind those before it. Knows
models and cases; nothing of files, domains or intervals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxycouncil.errors import FamilyError
from proxycouncil.specialists.exercises import Collator, Exercise, encode_cases
from proxycouncil.specialists.family import ANTIEXPERT, BASE
from proxycouncil.specialists.steering import cap, steer, uncap

if TYPE_CHECKING:
    from torch import Tensor

    from proxycouncil.specialists.cases import Case
    from proxycouncil.specialists.family import Family
    from proxycouncil.specialists.model import Part

EXPERT, STEERED = "expert", "steered"
ALPHAS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
_BATCH = 16


@dataclass(frozen=True, slots=True)
class Reader:
    """One way to read, case by case, in the order of the cases."""

    name: str
    """`base`, `antiexpert`, `expert` or `steered`."""
    alpha: float | None
    """Of `steered`; 0 is the base."""
    nats: tuple[float, ...]
    """Negative log-probability of the whole answer."""
    exact: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """All ways to read the same cases."""

    tokens: tuple[int, ...]
    """Length of each answer."""
    readers: tuple[Reader, ...]

    def reader(self, name: str, alpha: float | None = None) -> Reader:
        """The one of that name and strength."""
        return next(one for one in self.readers if (one.name, one.alpha) == (name, alpha))

    def loss(self, reader: Reader) -> float:
        """Nats a token of the answers, as tuning reports it."""
        return sum(reader.nats) / sum(self.tokens)


def read_held_out(
    family: Family, expert: str, cases: Sequence[Case], *, alphas: Sequence[float] = ALPHAS
) -> HeldOut:
    """Have base, anti-expert, expert and their sums read the cases.

    Raises:
        FamilyError: a part can't be loaded, or no case fits into every part's context.
    """
    import torch

    parts = [family.part(name) for name in (BASE, ANTIEXPERT, expert)]
    encoded = _encoded(parts, cases)
    bounds = [part.model.softcap if family.softcaps_differ else None for part in parts]
    tokens = tuple(exercise["answer_length"] for exercise in encoded[0])
    found: dict[tuple[str, float | None], tuple[list[float], list[bool]]] = {}
    with torch.inference_mode():
        for start in range(0, len(tokens), _BATCH):
            batches = [exercises[start : start + _BATCH] for exercises in encoded]
            lengths = tokens[start : start + _BATCH]
            logits = [_answers(part, batch, family.width) for part, batch in zip(parts, batches, strict=True)]
            targets = _targets(batches[0], logits[0].device)
            for key, scored in _ways(logits, bounds, alphas):
                nats, exact = found.setdefault(key, ([], []))
                for one, right in _by_case(scored, targets, lengths):
                    nats.append(one)
                    exact.append(right)
    readers = (
        Reader(name, alpha, tuple(nats), tuple(exact)) for (name, alpha), (nats, exact) in found.items()
    )
    return HeldOut(tokens, tuple(readers))


def _encoded(parts: Sequence[Part], cases: Sequence[Case]) -> list[list[Exercise]]:
    """As each part is asked; cases that are too long for one of them are left out of all."""
    longest = min(part.model.context for part in parts)
    each = [[encode_cases([case], part.format, longest=longest) for case in cases] for part in parts]
    rows = [
        [found[0] for found in row]
        for row in zip(*each, strict=True)
        if all(row) and len({_answer(found[0]) for found in row}) == 1
    ]
    if not rows:
        raise FamilyError(
            "no held-out case fits all models alike",
            hint="their contexts or prompt formats are too different",
        )
    return [list(column) for column in zip(*rows, strict=True)]


def _answer(exercise: Exercise) -> tuple[int, ...]:
    return tuple(exercise["input_ids"][-exercise["answer_length"] :])


def _answers(part: Part, exercises: Sequence[Exercise], width: int) -> Tensor:
    """Logits `[answer tokens of all cases, width]`, each of the place before its token."""
    model = part.model
    batch: dict[str, Any] = dict(Collator(0)(exercises))
    labels = batch.pop("labels")
    kept = batch.pop("logits_to_keep")
    batch = {name: value.to(model.device) for name, value in batch.items()}
    model.adapters.select([part.adapter] * len(exercises))
    read: Tensor = model.module(**batch, logits_to_keep=kept, use_cache=False).logits
    logits = read[:, -kept:, :width].float()
    return logits[:, :-1][(labels[:, 1:] != -100).to(logits.device)]


def _targets(exercises: Sequence[Exercise], device: Any) -> Tensor:  # noqa: ANN401 (torch.device, heavy)
    import torch

    return torch.tensor([token for one in exercises for token in _answer(one)], device=device)


def _ways(
    logits: Sequence[Tensor], bounds: Sequence[float | None], alphas: Sequence[float]
) -> Iterator[tuple[tuple[str, float | None], Tensor]]:
    """Base, anti-expert, expert and each sum; `bounds`: their soft caps, where those differ."""
    for name, one in zip((BASE, ANTIEXPERT, EXPERT), logits, strict=True):
        yield (name, None), one
    free = [uncap(one, bound) if bound else one for one, bound in zip(logits, bounds, strict=True)]
    base, antiexpert, expert = free
    for alpha in alphas:
        steered = steer(base, expert, antiexpert, alpha)
        yield (STEERED, alpha), cap(steered, bounds[0]) if bounds[0] else steered


def _by_case(logits: Tensor, targets: Tensor, lengths: Sequence[int]) -> Iterator[tuple[float, bool]]:
    """Nats of each answer, and whether each of its tokens is the favourite."""
    nats = -logits.log_softmax(dim=-1).gather(1, targets[:, None])[:, 0]
    right = logits.argmax(dim=-1) == targets
    start = 0
    for length in lengths:
        place = slice(start, start + length)
        yield float(nats[place].sum()), bool(right[place].all())
        start += length
