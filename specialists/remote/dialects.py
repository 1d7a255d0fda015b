"""What servers call things: a question about the next token as their JSON, and their JSON as what was seen.

Identity is by token id in both directions, never by a token's text. Knows two servers' requests and
replies; nothing of connections, retries or steering.

llama.cpp's own server: `POST /completion`, docs in `tools/server/README.md` of its repository. vLLM:
`POST /v1/completions` with its extra parameters, docs in "OpenAI-Compatible Server".
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from proxycouncil.errors import RemoteBaseError
from proxycouncil.specialists.remote.certificate import Seen

ServerKind: TypeAlias = Literal["llama.cpp", "vllm"]
Json: TypeAlias = Any

BIAS = 100.0
"""Added to a token's logit to make the server write it: the most that vLLM takes."""
_ID = "token_id:"

NOTHING = Seen({}, 0.0, -1)
"""Told of a favoured token that the server is silent about."""


class Dialect(Protocol):
    """How one kind of server is asked."""

    completions: str
    """Path of what writes."""
    models: str
    """Path of the list of what it serves."""
    hint: str
    """How to start it so that it tells what steering needs."""

    def question(
        self, prompts: Sequence[Sequence[int]], *, top_k: int, favour: Collection[int]
    ) -> dict[str, Json]:
        """Ask for one token after each prompt, the `favour`ed before all others."""
        ...

    def answer(self, reply: Json, count: int) -> list[Seen]:
        """What was told of the place behind each of `count` prompts, in their order.

        Raises:
            RemoteBaseError: no log-probabilities, or none by token id.
        """
        ...

    def spelling(self, ids: Sequence[int]) -> dict[str, Json]:
        """Ask at `/detokenize` for the text of token ids."""
        ...

    def spelled(self, reply: Json) -> str:
        """That text."""
        ...


class LlamaCpp:
    """`llama-server` of llama.cpp.

    It tells nothing of a place where it writes a token that is no whole character (read in its
    `process_token`, 2026), so it is made to write `filler` where nothing else is asked for.
    """

    completions, models = "/completion", "/v1/models"
    hint = "use `llama-server` of llama.cpp itself, of 2025 or later"

    def __init__(self, filler: int | None = None) -> None:
        self._filler = () if filler is None else (filler,)

    def question(
        self, prompts: Sequence[Sequence[int]], *, top_k: int, favour: Collection[int]
    ) -> dict[str, Json]:
        """One token each, chosen greedily; `post_sampling_probs` false: the model's own probabilities."""
        return {
            "prompt": [list(prompt) for prompt in prompts],
            "n_predict": 1,
            "n_probs": top_k,
            "post_sampling_probs": False,
            "samplers": ["top_k"],
            "top_k": 1,
            "temperature": 0.0,
            "cache_prompt": True,
            "stream": False,
            "logit_bias": [[token, BIAS] for token in sorted(favour or self._filler)],
        }

    def answer(self, reply: Json, count: int) -> list[Seen]:
        """From `completion_probabilities`; a single prompt is answered without a list around it."""
        answers = _list(reply if isinstance(reply, list) else [reply], count, self.hint)
        answers.sort(key=lambda one: one.get("index", 0))
        return [self._seen(one) for one in answers]

    def spelling(self, ids: Sequence[int]) -> dict[str, Json]:
        """`tokens`."""
        return {"tokens": list(ids)}

    def spelled(self, reply: Json) -> str:
        """`content`."""
        return str(reply["content"])

    def _seen(self, one: Json) -> Seen:
        if one.get("completion_probabilities") == []:
            return NOTHING
        try:
            place = one["completion_probabilities"][0]
            listed = {int(token["id"]): float(token["logprob"]) for token in place["top_logprobs"]}
            chosen = int(place["id"])
            own = float(place["logprob"])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise _mute(self.hint) from error
        return _checked(listed, chosen, own, self.hint)


class Vllm:
    """vLLM's OpenAI-compatible server."""

    completions, models = "/v1/completions", "/v1/models"
    hint = "start vLLM with --logprobs-mode raw_logprobs --max-logprobs 256 --return-tokens-as-token-ids"

    def __init__(self, model: str) -> None:
        self._model = model

    def question(
        self, prompts: Sequence[Sequence[int]], *, top_k: int, favour: Collection[int]
    ) -> dict[str, Json]:
        """One token each, chosen greedily, every token named `token_id:…`."""
        return {
            "model": self._model,
            "prompt": [list(prompt) for prompt in prompts],
            "max_tokens": 1,
            "temperature": 0.0,
            "logprobs": top_k,
            "return_tokens_as_token_ids": True,
            "logit_bias": {str(token): BIAS for token in sorted(favour)} or None,
        }

    def answer(self, reply: Json, count: int) -> list[Seen]:
        """From each choice's `logprobs`."""
        choices = reply.get("choices") if isinstance(reply, dict) else None
        answers = _list(choices, count, self.hint)
        answers.sort(key=lambda one: one.get("index", 0))
        return [self._seen(one) for one in answers]

    def spelling(self, ids: Sequence[int]) -> dict[str, Json]:
        """`tokens`, of a model."""
        return {"model": self._model, "tokens": list(ids)}

    def spelled(self, reply: Json) -> str:
        """`prompt`."""
        return str(reply["prompt"])

    def _seen(self, one: Json) -> Seen:
        try:
            logprobs = one["logprobs"]
            listed = {self._id(name): float(value) for name, value in logprobs["top_logprobs"][0].items()}
            chosen = self._id(logprobs["tokens"][0])
            own = float(logprobs["token_logprobs"][0])
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise _mute(self.hint) from error
        return _checked(listed, chosen, own, self.hint)

    def _id(self, name: str) -> int:
        if not name.startswith(_ID):
            raise RemoteBaseError(f"the server names tokens by their text ({name!r})", hint=self.hint)
        return int(name.removeprefix(_ID))


def dialect_of(kind: ServerKind, model: str, filler: int | None = None) -> Dialect:
    """The dialect of that kind of server.

    `model` is what it calls the base, `filler` a token that is a whole character.
    """
    return LlamaCpp(filler) if kind == "llama.cpp" else Vllm(model)


def _list(answers: Json, count: int, hint: str) -> list[Mapping[str, Json]]:
    if not isinstance(answers, list) or len(answers) != count:
        told = f"{len(answers)} answers" if isinstance(answers, list) else "no list of answers"
        raise RemoteBaseError(f"the server gave {told} to {count} prompts", hint=hint)
    return list(answers)


def _checked(listed: Mapping[int, float], chosen: int, own: float, hint: str) -> Seen:
    if not listed:
        raise _mute(hint)
    logprobs = {**listed, chosen: own}
    if math.fsum(math.exp(min(value, 1.0)) for value in logprobs.values()) > 1.01:
        raise RemoteBaseError("what the server calls log-probabilities are none: they exceed 1", hint=hint)
    # Where a favoured token was added to the list, the ceiling is too low; nobody reads it there.
    return Seen(logprobs, min(listed.values()), chosen)


def _mute(hint: str) -> RemoteBaseError:
    return RemoteBaseError("the server returned no log-probabilities by token id", hint=hint)
