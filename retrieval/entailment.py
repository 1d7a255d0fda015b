"""Does one text follow from another? Any sentence-transformers CrossEncoder that was trained on inference.

Knows a model by its name and which of its outputs means "follows"; refuses to know what the texts are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

from proxycouncil.errors import ConfigError

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

_NAMES = ("entailment", "entails", "entailed")


class Entailer:
    """P(second follows from first) for pairs of texts; the model is loaded with the first pair.

    Args:
        name: a path or a hub id of a CrossEncoder whose labels name entailment.
        model: one that is loaded already.
    """

    def __init__(self, name: str, *, model: CrossEncoder | None = None) -> None:
        self._name = name
        self._model = model
        self._lock = Lock()

    def __call__(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """One probability a pair.

        Raises:
            ConfigError: the model can't be loaded, or none of its labels is entailment.
        """
        if not pairs:
            return []
        with self._lock:
            model = self._opened()
            place = self._place(model)
            rows = model.predict([(first, second) for first, second in pairs], apply_softmax=False)
        return [_share([float(score) for score in row], place) for row in rows]

    def _opened(self) -> CrossEncoder:
        if self._model is None:
            from sentence_transformers import CrossEncoder

            try:
                self._model = CrossEncoder(self._name)
            except (OSError, ValueError) as error:
                raise ConfigError(
                    f"can't load the cross-encoder {self._name}: {error}",
                    hint="name a path or hub id of one, or leave council.entailment out",
                ) from error
        return self._model

    def _place(self, model: CrossEncoder) -> int:
        labels: dict[int, str] = dict(getattr(model.config, "id2label", None) or {})
        for place, label in labels.items():
            if str(label).casefold() in _NAMES:
                return int(place)
        raise ConfigError(
            f"{self._name} has no label called entailment: {', '.join(map(str, labels.values())) or 'none'}",
            hint="name a cross-encoder for natural language inference",
        )


def _share(scores: Sequence[float], place: int) -> float:
    highest = max(scores)
    masses = [math.exp(score - highest) for score in scores]
    return masses[place] / sum(masses)
