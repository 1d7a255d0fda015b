"""What `/metrics` shows, by the official Prometheus client; a registry of its own for each application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from proxycouncil.council.serve.limits import Gate

_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


class Metrics:
    """Counters of one application. Models are those that exist: a caller can't make up labels."""

    def __init__(self, gate: Gate) -> None:
        self._registry = CollectorRegistry()
        labels = ["model", "status"]
        self._requests = Counter("council_requests", "Requests by status.", labels, registry=self._registry)
        self._seconds = Histogram(
            "council_request_seconds", "Time to the end of an answer.", ["model"], buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self._outcomes = Counter("council_outcomes", "Decisions.", ["outcome"], registry=self._registry)
        self._tokens = Counter("council_tokens", "Tokens.", ["kind"], registry=self._registry)
        self._reloads = Counter(
            "council_reloads", "New versions taken over or refused.", ["result"], registry=self._registry
        )
        busy = Gauge("council_requests_inside", "Requests worked on or waiting.", registry=self._registry)
        busy.set_function(lambda: gate.inside)

    def ended(self, model: str, status: int, *, seconds: float) -> None:
        """One request has ended."""
        self._requests.labels(model, str(status)).inc()
        self._seconds.labels(model).observe(seconds)

    def reloaded(self, result: str) -> None:
        """A version was looked at: taken, unchanged or refused."""
        self._reloads.labels(result).inc()

    def answered(self, told: Mapping[str, Any], usage: Mapping[str, Any] | None) -> None:
        """One answer was given."""
        if "outcome" in told:
            self._outcomes.labels(told["outcome"]).inc()
        self._tokens.labels("prompt").inc((usage or {}).get("input_tokens", 0))
        self._tokens.labels("completion").inc((usage or {}).get("output_tokens", 0))

    def page(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)
