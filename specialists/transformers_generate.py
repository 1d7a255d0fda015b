"""Proxy-tuning for `model.generate(..., custom_generate=proxy_tuned(expert, antiexpert))`.

`generate` prepares ids, masks, processors and stopping criteria; here is the loop that it hands them to.
The base keeps the cache that it was given, the pair gets one each. Knows transformers' calling convention;
nothing of families, prompts or engines: all three models read the same ids.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxycouncil.errors import UsageError
from proxycouncil.specialists.trio import Trio, read

if TYPE_CHECKING:
    from types import FrameType

    from torch import Tensor
    from transformers import (
        Cache,
        GenerationConfig,
        LogitsProcessorList,
        PreTrainedModel,
        StoppingCriteriaList,
    )
    from transformers.generation.streamers import BaseStreamer
    from transformers.generation.utils import GenerateDecoderOnlyOutput

_UNDERSTOOD = {"attention_mask", "position_ids", "past_key_values", "use_cache", "logits_to_keep"}
_COLLECTED = ("output_attentions", "output_hidden_states")
"""What a generation config may ask for that is not of three models at once."""
_DROPPED = {
    "streamer": "give it to proxy_tuned(…, streamer=…)",
    "assistant_model": "ProxyTunedForCausalLM works with assisted generation",
    "synced_gpus": "run the three models on one process",
}
"""What `generate` takes and hands to no callable (transformers 5.23), and what to do instead."""


def proxy_tuned(
    expert: PreTrainedModel,
    antiexpert: PreTrainedModel,
    alpha: float = 1.0,
    *,
    plausibility: float | None = None,
    streamer: BaseStreamer | None = None,
) -> SteeredDecoding:
    """A decoding method for `generate`: logits of the model + alpha · (expert − antiexpert).

    `model.generate(**inputs, custom_generate=proxy_tuned(expert, antiexpert))`; greedy and sampling, with
    all processors and stopping criteria of `generate`, left-padded batches and `num_return_sequences`.
    A call may bring an `alpha=` of its own.

    Args:
        expert: small tuned model.
        antiexpert: its untuned twin; ids must mean the same to all three (nothing here can compare that).
        alpha: weight of the difference; the pair is not run where it is 0.
        plausibility: β in [0, 1]: tokens that the base finds less likely than β times its favourite are
            ruled out.
        streamer: gets tokens as they are written, because `generate` hands its own to no callable.
    """
    return SteeredDecoding(expert, antiexpert, alpha, plausibility, streamer)


@dataclass(frozen=True, slots=True)
class SteeredDecoding:
    """What `proxy_tuned` makes; called by `generate`, not by people."""

    expert: PreTrainedModel
    antiexpert: PreTrainedModel
    alpha: float
    plausibility: float | None
    streamer: BaseStreamer | None

    def __call__(
        self,
        model: PreTrainedModel,
        input_ids: Tensor,
        *,
        logits_processor: LogitsProcessorList,
        stopping_criteria: StoppingCriteriaList,
        generation_config: GenerationConfig,
        alpha: float | None = None,
        **model_kwargs: Any,  # noqa: ANN401 (whatever the base's forward takes)
    ) -> GenerateDecoderOnlyOutput | Tensor:
        """Write until every row has stopped.

        Raises:
            UsageError: something was asked for that a callable is not given or that steering can't do.
            VocabularyError: heads of two vocabularies.
        """
        _refuse_dropped(inspect.currentframe())
        _check(generation_config, model_kwargs)
        trio = Trio(model, self.expert, self.antiexpert, self.plausibility)
        voices = _Voices(trio, self.alpha if alpha is None else alpha, model_kwargs)
        text = _Text(input_ids, generation_config, stopping_criteria)
        self._stream(input_ids)
        while text.goes_on:
            logits = voices.hear(text.ids)
            text.write(logits, logits_processor(text.ids, logits))
            self._stream(text.ids[:, -1])
        if self.streamer is not None:
            self.streamer.end()  # type: ignore[no-untyped-call]
        return text.result(voices.caches[0])

    def _stream(self, tokens: Tensor) -> None:
        if self.streamer is not None:
            self.streamer.put(tokens.cpu())  # type: ignore[no-untyped-call]


class _Voices:
    """The three models and what they have read."""

    def __init__(self, trio: Trio, alpha: float, model_kwargs: Mapping[str, Any]) -> None:
        from transformers import DynamicCache

        self._trio, self._alpha = trio, alpha
        self._modules = trio.modules if alpha else trio.modules[:1]
        pair = [DynamicCache(config=module.config) for module in self._modules[1:]]
        self.caches: list[Cache] = [model_kwargs["past_key_values"], *pair]
        self._mask: Tensor | None = model_kwargs.get("attention_mask")
        self._positions: Tensor | None = model_kwargs.get("position_ids")
        self._read = 0

    def hear(self, ids: Tensor) -> Tensor:
        """Steered logits `[rows, width]` behind `ids`, of which only what is new is read."""
        self._follow(ids.shape[1] - self._read)
        new = ids[:, self._read :]
        positions = None if self._positions is None else self._positions[..., -new.shape[1] :]
        said = [
            read(module, new, mask=self._mask, positions=positions, cache=cache)[:, -1:]
            for module, cache in zip(self._modules, self.caches, strict=True)
        ]
        self._read = ids.shape[1]
        return self._trio.combine(said, self._alpha)[:, -1].to(ids.device)

    def _follow(self, new: int) -> None:
        """Lengthen mask and positions, which came as long as the prompt, by what was written since."""
        if not self._read:
            return
        if self._mask is not None:
            self._mask = _cat(self._mask, self._mask.new_ones((len(self._mask), new)))
        if self._positions is not None:
            self._positions = _cat(self._positions, self._positions[..., -1:] + 1)


class _Text:
    """Rows of ids that grow until they stop, and what is told of them."""

    def __init__(self, ids: Tensor, config: GenerationConfig, criteria: StoppingCriteriaList) -> None:
        import torch

        # transformers' own types say LongTensor, which torch's functions don't return.
        self.ids: Any = ids
        self._config, self._criteria = config, criteria
        self._going = torch.ones(len(ids), dtype=torch.bool, device=ids.device)
        # Only where an end token may stop a row is there something to fill it up with: as transformers does.
        self._filler = _filler(config) if any(hasattr(one, "eos_token_id") for one in criteria) else None
        self._scores: tuple[Tensor, ...] = ()
        self._logits: tuple[Tensor, ...] = ()

    @property
    def goes_on(self) -> bool:
        """Whether any row is unfinished."""
        return bool(self._going.any())

    def write(self, logits: Tensor, scores: Tensor) -> None:
        """Choose a token for every row by its processed scores."""
        config = self._config
        told = config.return_dict_in_generate
        if told and config.output_scores:
            self._scores += (scores,)
        if told and config.output_logits:
            self._logits += (logits,)
        tokens = _choose(scores, sampling=bool(config.do_sample))
        if self._filler is not None:
            tokens = tokens.where(self._going, self._filler)
        self.ids = _cat(self.ids, tokens.unsqueeze(1))
        self._going &= ~self._criteria(self.ids, self._scores or None)

    def result(self, cache: Cache) -> GenerateDecoderOnlyOutput | Tensor:
        """What `generate` returns; logits are the steered ones, the cache is the base's."""
        if not self._config.return_dict_in_generate:
            ids: Tensor = self.ids
            return ids
        from transformers.generation.utils import GenerateDecoderOnlyOutput

        details: dict[str, Any] = {"scores": self._scores or None, "logits": self._logits or None}
        return GenerateDecoderOnlyOutput(
            sequences=self.ids,
            past_key_values=cache,
            **details,
        )


def _choose(scores: Tensor, *, sampling: bool) -> Tensor:
    if not sampling:
        return scores.argmax(dim=-1)
    return scores.softmax(dim=-1).multinomial(num_samples=1).squeeze(1)


def _filler(config: GenerationConfig) -> int | None:
    """What stands behind the end of a row; without a padding token it is the end once more."""
    ends = config.eos_token_id
    first: int | None = ends[0] if isinstance(ends, list | tuple) else ends
    padding: int | None = config.pad_token_id
    return first if padding is None else padding


def _cat(left: Tensor, right: Tensor) -> Tensor:
    import torch

    return torch.cat([left, right], dim=-1)


def _refuse_dropped(frame: FrameType | None) -> None:
    """Say what `generate` would drop without a word; who waits for a streamer would wait for ever.

    `generate` tells a callable nothing of these, so that its own arguments have to be looked at.
    """
    caller = frame.f_back if frame is not None else None
    if caller is None or caller.f_code.co_name != "generate":
        return
    for name, hint in _DROPPED.items():
        if caller.f_locals.get(name):
            raise UsageError(f"generate() hands {name} to no custom_generate", hint=hint)


def _check(config: GenerationConfig, model_kwargs: Mapping[str, Any]) -> None:
    from transformers.generation.configuration_utils import GenerationMode

    cache = model_kwargs.get("past_key_values")
    asked = {**model_kwargs, **{name: getattr(config, name) or None for name in _COLLECTED}}
    odd = sorted(name for name, one in asked.items() if one is not None and name not in _UNDERSTOOD)
    mode = config.get_generation_mode()
    rules = {
        f"steering writes greedily or by sampling, not by {mode.value}": (
            mode not in (GenerationMode.GREEDY_SEARCH, GenerationMode.SAMPLE),
            "leave num_beams and the like out; ProxyTunedForCausalLM works with all of generate",
        ),
        f"steering reads ids and collects logits; it does nothing with {', '.join(odd)}": (
            bool(odd),
            "leave it out, or ask one of the three models",
        ),
        "steering keeps what three models have read": (cache is None, "leave use_cache=False out"),
        "the cache holds text that the pair has not read": (
            cache is not None and bool(cache.get_seq_length()),
            "give the whole text as ids and leave past_key_values out",
        ),
    }
    for rule, (broken, hint) in rules.items():
        if broken:
            raise UsageError(rule, hint=hint)
