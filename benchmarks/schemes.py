"""Ways of decoding a steered text that are timed together: the peers' loop, the base alone, the engine.

Each gives seconds between the first and the last token, prompts not counted. Acceptance can be forced: then
what is written is a fixed draw of seed and position, a draft is right with the given probability, and all
models and processors still run. Knows models and clocks; nothing of tables.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any
from unittest import mock

from benchmarks.widen import Shape, widen, widen_adapter
from proxycouncil.specialists import Engine, Family, Generation, Pair, Prompt, Request, Sampling, Snippet
from proxycouncil.specialists import drafting as drafting_room
from proxycouncil.specialists import runner as runner_room
from proxycouncil.specialists.sampler import Choosing, choose, uniform
from proxycouncil.specialists.text import Text

if TYPE_CHECKING:
    import torch
    from torch import Tensor

STARTER = Path(__file__).parents[1] / "council" / "starter" / "family"
BASE_SHAPE, PAIR_SHAPE = Shape(layers=16, kv_heads=4, inner=4096), Shape(layers=6, kv_heads=4, inner=1024)
SLATE = (
    Snippet(
        "Opportunity cost", "It is the value of the best alternative that is given up when a choice is made."
    ),
    Snippet("Scarcity", "People want more than there is, so that they have to choose between uses."),
    Snippet("Sunk cost", "It has been paid already and can't be recovered whatever is decided next."),
    Snippet("Margin", "One compares the extra benefit of a little more of something with its extra cost."),
)
QUESTION = "What is opportunity cost?"
_ANY = 8000
"""Ids that forced texts are made of begin at 5, behind the special ones."""


@dataclass(frozen=True, slots=True)
class Bench:
    """A family on disk and how much is written with it."""

    base: Path
    antiexpert: Path
    expert: Path
    tokens: int
    threads: int | None = None

    def family(self, experts: int = 1) -> Family:
        """The engine's view of it."""
        names = {f"expert{number}": self.expert for number in range(experts)}
        return Family(self.base, self.antiexpert, experts=names).load()


def make_bench(folder: Path, *, tokens: int) -> Bench:
    """The widened starter."""
    base = widen(STARTER / "base", folder / "base", BASE_SHAPE)
    antiexpert = widen(STARTER / "antiexpert", folder / "antiexpert", PAIR_SHAPE)
    small = STARTER / "antiexpert"
    expert = widen_adapter(STARTER / "experts/general", folder / "expert", over=antiexpert, small=small)
    return Bench(base, antiexpert, expert, tokens)


def request(bench: Bench, *, expert: int | None = 0, turn: int = 0, seed: int = 0) -> Request:
    """A reading of the slate, turned by so many excerpts."""
    pairs = () if expert is None else (Pair(f"expert{expert}"),)
    slate = SLATE[turn:] + SLATE[:turn]
    return Request(
        Prompt(QUESTION, slate), pairs, Sampling(max_new_tokens=bench.tokens, temperature=1.0, seed=seed)
    )


async def timed(engine: Engine, requests: Sequence[Request]) -> tuple[float, list[Generation]]:
    """All at once: wall seconds from the first request to the last token, prompts included."""
    began = perf_counter()
    generations = await asyncio.gather(*map(engine.complete, requests))
    return perf_counter() - began, list(generations)


async def decode_seconds(engine: Engine, asked: Request) -> tuple[float, Generation]:
    """One text: seconds behind its first token."""
    generation = await engine.complete(asked)
    return generation.timings.decode_s, generation


@contextmanager
def forced(acceptance: float) -> Iterator[None]:
    """What is written depends on seed and position only, and a draft is right with this probability."""

    def written(logits: Tensor, rows: Sequence[Choosing]) -> tuple[Tensor, Tensor]:
        return _instead(choose(logits, rows), [forced_token(row.sampling.seed, row.position) for row in rows])

    def drafted(logits: Tensor, rows: Sequence[Choosing]) -> tuple[Tensor, Tensor]:
        return _instead(choose(logits, rows), [_guess(row, acceptance) for row in rows])

    with (
        mock.patch.object(runner_room, "choose", written),
        mock.patch.object(drafting_room, "choose", drafted),
        mock.patch.object(Text, "look_ahead", return_value=[]),
    ):
        yield


def forced_token(seed: int, position: int) -> int:
    """The same for every scheme."""
    return 5 + int(uniform(seed, position) * _ANY)


def _guess(row: Choosing, acceptance: float) -> int:
    token = forced_token(row.sampling.seed, row.position)
    right = uniform(row.sampling.seed + 1_000_003, row.position) < acceptance
    return token if right else 5 + (token - 4) % _ANY


def _instead(chosen: tuple[Tensor, Tensor], tokens: Sequence[int]) -> tuple[Tensor, Tensor]:
    return chosen[0].new_tensor(tokens), chosen[1]


@dataclass(slots=True)
class ThreeModelLoop:
    """The paper's way: base, expert and anti-expert in turn, each with transformers' DynamicCache."""

    bench: Bench
    prompt: Sequence[int]
    dtype: torch.dtype
    _models: list[Any] = field(default_factory=list)

    def load(self) -> ThreeModelLoop:
        """Three models; the expert is the anti-expert with its adapter merged in."""
        import torch
        from peft import PeftModel
        from transformers import AutoModelForCausalLM

        def read(path: Path) -> Any:  # noqa: ANN401
            model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=self.dtype)
            return model.to(device).eval()

        device = "cuda" if torch.cuda.is_available() else "cpu"

        merged: Any = PeftModel.from_pretrained(read(self.bench.antiexpert), self.bench.expert)
        self._models = [read(self.bench.base), merged.merge_and_unload(), read(self.bench.antiexpert)]
        return self

    def seconds(self, seed: int) -> float:
        """Behind the first token."""
        import torch
        from transformers import DynamicCache

        with torch.inference_mode():
            caches = [DynamicCache() for _ in self._models]
            ids = torch.tensor([self.prompt], device=self._models[0].device)
            began = 0.0
            for position in range(self.bench.tokens):
                logits = [
                    model(input_ids=ids, past_key_values=cache, use_cache=True).logits[:, -1].float()
                    for model, cache in zip(self._models, caches, strict=True)
                ]
                steered = logits[0] + (logits[1] - logits[2])
                int(torch.multinomial(steered.softmax(-1), 1))
                ids = ids.new_tensor([[forced_token(seed, position)]])
                if position == 0:
                    began = perf_counter()
            return perf_counter() - began

    def base_alone_seconds(self) -> float:
        """The base by `generate()`: the time of all tokens less that of the first."""
        import torch

        base = self._models[0]
        ids = torch.tensor([self.prompt], device=base.device)
        times = []
        for count in (1, self.bench.tokens):
            began = perf_counter()
            settings = {"max_new_tokens": count, "min_new_tokens": count, "do_sample": False}
            with torch.inference_mode():
                base.generate(ids, attention_mask=torch.ones_like(ids), **settings)
            times.append(perf_counter() - began)
        return times[1] - times[0]


def numbered(asked: Request, number: int) -> Request:
    """The same request under another id."""
    return replace(asked, id=f"{asked.id}-{number}")
