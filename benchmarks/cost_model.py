"""What a question costs: fitted to measured points, checked on points left out, then taken to other machines.

    python -m benchmarks.cost_points --json points.json
    python -m benchmarks.cost_model points.json [--overhead FILE] [--replicas FILE] [--growth FILE] [--json F]

A question is members × ballots texts that are decoded together. Seconds are a sum of things that are
counted: passes, tokens through a pass, drafting passes, tokens through those, different prompt tokens
(`COUNTED`). What one of each costs is fitted without negative costs. Every fourth point is left out in turn,
and once all points with the most texts, since what follows goes beyond the points.

The rest is EXTRAPOLATED and says so: the same counts, with costs from a GPU's data sheet instead of a fit
(flags), at a share of its peak. Beside the GPUs stands what else a question needs, from the JSON of
benchmarks.overhead (the graph), .replicas (endpoint and graph of one replica) and .growth (search): where the
least of them is less than the GPUs', it breaks first.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxycouncil.specialists.pace import expected

COUNTED = ("passes", "tokens", "drafting_passes", "drafted_tokens", "prompt_tokens", "questions")
Costs = Mapping[str, float]
"""Seconds for one of each of COUNTED."""
_FOLDS = 4


@dataclass(frozen=True, slots=True)
class Point:
    """Texts decoded together, and the seconds that it took."""

    rows: int
    prompts: int
    """Different ones among the rows; each is read once."""
    prompt_tokens: int
    """Of each."""
    tokens: int
    """Written by each row."""
    drafts: int
    acceptance: float
    seconds: float
    processor_s: float = 0.0
    """The same of the processor, where it was measured."""

    def counts(self) -> dict[str, float]:
        """How often each of COUNTED comes."""
        per_pass = expected(self.acceptance, self.drafts) if self.drafts else 1.0
        passes = (self.tokens - 1) / per_pass  # the first token comes with the prompt
        return {
            "passes": passes,
            "tokens": passes * self.rows * (self.drafts + 1),
            "drafting_passes": passes * self.drafts,
            "drafted_tokens": passes * self.drafts * self.rows,
            "prompt_tokens": float(self.prompts * self.prompt_tokens),
            "questions": 1.0,
        }


@dataclass(frozen=True, slots=True)
class Machine:
    """A GPU by its data sheet, and the models on it. Nothing of it is measured here."""

    bandwidth: float = 4.8e12
    """Bytes a second (H200: 4.8 TB/s)."""
    flops: float = 9.89e14
    """A second, bf16 dense (H200: 989 T)."""
    efficiency: float = 0.5
    """Share of both that is reached."""
    launch_s: float = 0.002
    """Of a pass, beside bytes and products: Python, launches, sampling."""
    base: float = 14.8e9
    """Parameters (Qwen3-14B)."""
    small: float = 0.6e9
    """Parameters of the untuned twin, by which each text goes twice (Qwen3-0.6B)."""
    cache_bytes: float = 163_840.0
    """Of a token in the base's cache (Qwen3-14B: 40 layers × 8 heads × 128 × 2 × 2 bytes)."""
    context: int = 300
    """Tokens that a row looks back on."""

    def costs(self) -> dict[str, float]:
        """Bytes and products one after the other: more than either, at most twice as much."""
        byte, product = 1 / (self.bandwidth * self.efficiency), 1 / (self.flops * self.efficiency)
        looked_back = self.cache_bytes * self.context * byte
        return {
            "passes": 2 * (self.base + self.small) * byte + 2 * self.launch_s,
            "tokens": 2 * (self.base + 2 * self.small) * product + looked_back,
            "drafting_passes": 2 * self.small * byte + self.launch_s,
            "drafted_tokens": 2 * self.small * product,
            "prompt_tokens": 2 * (self.base + 2 * self.small) * product,
            "questions": 0.0,
        }


def predicted(point: Point, costs: Costs) -> float:
    """Seconds."""
    return sum(costs[name] * count for name, count in point.counts().items())


def fit(points: Sequence[Point]) -> dict[str, float]:
    """Costs that are not negative and make the least squared relative error."""
    from scipy.optimize import nnls

    counted = np.array([list(point.counts().values()) for point in points], dtype=np.float64)
    seconds = np.array([point.seconds for point in points])
    # Columns of the same size, so that the solver's tolerance means the same for each.
    scale = np.maximum(counted.max(axis=0), 1e-12)
    costs, _ = nnls(counted / scale / seconds[:, None], np.ones(len(points)))
    return dict(zip(COUNTED, (costs / scale).tolist(), strict=True))


def left_out(points: Sequence[Point]) -> dict[str, dict[str, float]]:
    """Relative errors on points that the fit has not seen: in turn, and beyond what it has seen."""
    in_turn = []
    for fold in range(_FOLDS):
        seen = [point for number, point in enumerate(points) if number % _FOLDS != fold]
        in_turn += _errors(fit(seen), [point for n, point in enumerate(points) if n % _FOLDS == fold])
    most = max(point.rows for point in points)
    beyond = _errors(
        fit([point for point in points if point.rows < most]), [p for p in points if p.rows == most]
    )
    return {"in_turn": _summary(in_turn), f"{most}_texts_from_fewer": _summary(beyond)}


def rate(question: Point, costs: Costs, *, at_once: int) -> dict[str, float]:
    """Questions a second of one engine with so many questions at once, and the seconds of each."""
    together = replace(question, rows=question.rows * at_once, prompts=question.prompts * at_once)
    seconds = predicted(together, costs)
    return {"questions_per_second": at_once / seconds, "seconds": seconds}


def shares(question: Point, costs: Costs, *, at_once: int) -> dict[str, float]:
    """Of the seconds, what each of COUNTED takes."""
    together = replace(question, rows=question.rows * at_once, prompts=question.prompts * at_once)
    seconds = predicted(together, costs)
    return {name: round(costs[name] * count / seconds, 4) for name, count in together.counts().items()}


def capacities(
    gpus: int, engine: float, *, members: int, searches: int, measured: Mapping[str, Any]
) -> dict[str, float]:
    """Questions a second that each part could do, a replica a GPU; what was not measured is left out."""
    found = {"engines": gpus * engine}
    overhead = measured.get("overhead", {}).get("cpu_ms_per_question", {})
    if str(members) in overhead:
        found["graph, one process a replica"] = gpus * 1000 / overhead[str(members)]
    instant = measured.get("replicas", {}).get("instant", {}).get("questions_per_second")
    if instant:
        found["endpoint and graph, one process a replica"] = gpus * instant
    growth = measured.get("growth") or []
    if growth:
        each = 1000 / (growth[-1]["search_p50_ms"] * searches)
        found["search, a library a replica"] = gpus * each
        found["search, one server for all"] = each
    return found


def _errors(costs: Costs, points: Sequence[Point]) -> list[float]:
    return [abs(predicted(point, costs) / point.seconds - 1) for point in points]


def _summary(errors: Sequence[float]) -> dict[str, float]:
    values: NDArray[np.float64] = np.array(errors)
    return {
        "points": len(errors),
        "median": round(float(median(errors)), 4),
        "p90": round(float(np.quantile(values, 0.9)), 4),
        "most": round(float(values.max()), 4),
    }


def read_points(file: Path, *, processor: bool = False) -> list[Point]:
    """What benchmarks.cost_points wrote; with `processor` seconds are the processor's."""
    points = [Point(**point) for point in json.loads(file.read_text(encoding="utf-8"))["points"]]
    return [replace(one, seconds=one.processor_s) for one in points] if processor else points


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "points", type=Path, nargs="?", help="what benchmarks.cost_points wrote; without: no fit, no check"
    )
    parser.add_argument("--processor", action="store_true", help="fit seconds of the processor")
    for name in ("overhead", "replicas", "growth"):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"JSON of benchmarks.{name}")
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--ballots", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=25, help="a ballot's")
    parser.add_argument("--prompt", type=int, default=250, help="tokens of a prompt")
    parser.add_argument("--drafts", type=int, default=4)
    parser.add_argument("--acceptance", type=float, default=0.8)
    parser.add_argument("--at-once", type=int, default=16, help="questions at once on a GPU")
    parser.add_argument("--gpus", type=int, nargs="+", default=[8, 1000])
    for name, value in asdict(Machine()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser


def _question(options: argparse.Namespace) -> Point:
    """Members share one slate and have one of their own each."""
    return Point(
        rows=options.members * options.ballots,
        prompts=1 + options.members * (options.ballots - 1),
        prompt_tokens=options.prompt,
        tokens=options.tokens,
        drafts=options.drafts,
        acceptance=options.acceptance,
        seconds=0.0,
    )


def report(options: argparse.Namespace) -> dict[str, Any]:
    """Fit and check where there are points; and what follows for GPUs."""
    found = {"extrapolated": _extrapolated(options)}
    if options.points is None:
        return found
    points = read_points(options.points, processor=options.processor)
    costs = fit(points)
    return {
        "costs": costs,
        "left_out": left_out(points),
        "question": asdict(_question(options)),
        "here": rate(_question(options), costs, at_once=1),
        **found,
    }


def _extrapolated(options: argparse.Namespace) -> dict[str, Any]:
    machine = Machine(**{name: getattr(options, name) for name in asdict(Machine())})
    measured = {
        name: json.loads(file.read_text(encoding="utf-8"))
        for name in ("overhead", "replicas", "growth")
        if (file := getattr(options, name)) is not None
    }
    gpu = rate(_question(options), machine.costs(), at_once=options.at_once)
    searches = 1 + options.members
    return {
        "machine": asdict(machine),
        "one_gpu": gpu,
        "shares": shares(_question(options), machine.costs(), at_once=options.at_once),
        "gpus": {
            str(count): capacities(
                count, gpu["questions_per_second"], members=options.members, searches=searches,
                measured=measured,
            )
            for count in options.gpus
        },
    }  # fmt: skip


def _print(found: Mapping[str, Any]) -> None:
    if "costs" in found:
        _print_fit(found)
    beyond = found["extrapolated"]
    each, gpu_rate = beyond["one_gpu"]["seconds"], beyond["one_gpu"]["questions_per_second"]
    print(f"EXTRAPOLATED, one GPU: {gpu_rate:.1f} questions a second, {each:.2f} s each")
    spent = sorted(beyond["shares"].items(), key=lambda one: -one[1])
    print("  of its seconds: " + ", ".join(f"{name} {share:.0%}" for name, share in spent if share))
    for count, parts in beyond["gpus"].items():
        first = min(parts, key=parts.__getitem__)
        print(f"EXTRAPOLATED, {count} GPUs, questions a second; first to break: {first}")
        for name, value in sorted(parts.items(), key=lambda one: one[1]):
            print(f"  {name:>44}  {value:14,.1f}")


def _print_fit(found: Mapping[str, Any]) -> None:
    print("fitted costs, milliseconds")
    for name, seconds in found["costs"].items():
        print(f"  {name:>16}  {1000 * seconds:10.4f}")
    print("relative error on points left out")
    for name, told in found["left_out"].items():
        errors = ", ".join(f"{which} {told[which]:.1%}" for which in ("median", "p90", "most"))
        print(f"  {name:>24}  {errors}, {told['points']} points")
    seconds = found["here"]["seconds"]
    print(f"one question alone, on the machine of the points: {seconds:.2f} s (from the fit)")


def main() -> None:
    """Fit, check, extrapolate, print."""
    options = _parser().parse_args()
    found = report(options)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    _print(found)


if __name__ == "__main__":
    main()
