"""Base, expert and anti-expert as one model of transformers, whose one cache holds the layers of all three.

So everything that `generate` does with a model works unchanged: batches, beams, sampling, and assisted
generation, whose rollback walks all layers of the cache. Imported inside functions only: to extend
transformers' model it has to load it.
"""

from __future__ import annotations

from copy import deepcopy
from itertools import accumulate, pairwise
from typing import Any, NoReturn

from torch import Tensor
from transformers import Cache, DynamicCache, GenerationMixin, PreTrainedModel, StaticCache
from transformers.modeling_outputs import CausalLMOutputWithPast

from proxycouncil.errors import UsageError
from proxycouncil.specialists.trio import Trio, read


class ProxyTunedForCausalLM(PreTrainedModel, GenerationMixin):  # type: ignore[no-untyped-call]
    """Three models of one vocabulary; its logits are `base + alpha · (expert − antiexpert)`.

    `model.generate(**inputs)`, with `assistant_model=model.expert` for drafts by the expert (one text at a
    time, as transformers has it). The pair always runs, also where `alpha` is 0: three caches of one length
    are what makes rolling back simple. It decodes and is not trained, loaded or saved: its parts are.

    Args:
        base: large model; its config and generation config are taken over.
        expert: small tuned model.
        antiexpert: its untuned twin.
        alpha: weight of the difference; a call may bring its own (`generate(…, alpha=0.5)`), but not with
            an assistant, which would be handed it too. Another `ProxyTunedForCausalLM` over the same three
            costs no memory.
        plausibility: β in [0, 1]: tokens that the base finds less likely than β times its favourite are
            ruled out.

    Raises:
        VocabularyError: heads of two vocabularies.
    """

    # How attention is computed is each part's own affair.
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True

    def __init__(
        self,
        base: PreTrainedModel,
        expert: PreTrainedModel,
        antiexpert: PreTrainedModel,
        *,
        alpha: float = 1.0,
        plausibility: float | None = None,
    ) -> None:
        trio = Trio(base, expert, antiexpert, plausibility)
        config = deepcopy(base.config)
        config.get_text_config().vocab_size = trio.width
        super().__init__(config)
        self.generation_config = deepcopy(base.generation_config)
        self.base, self.expert, self.antiexpert = base, expert, antiexpert
        self.alpha = alpha
        self._trio = trio
        self._depths = [len(DynamicCache(config=module.config)) for module in trio.modules]
        self.eval()  # type: ignore[no-untyped-call]

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        alpha: float | None = None,
        **more: Any,  # noqa: ANN401 (what else the base takes)
    ) -> CausalLMOutputWithPast:
        """Steered logits `[rows, kept, vocab]`; hidden states and attentions, if asked for, are the base's.

        Raises:
            UsageError: embeddings, labels, or a cache of another kind.
        """
        if input_ids is None or more.keys() & {"inputs_embeds", "labels"}:
            raise UsageError("three models read ids, and are not trained here", hint="give it input_ids")
        if past_key_values is None and use_cache is not False:
            past_key_values = DynamicCache(config=self.base.config)
        caches = self._parts(past_key_values)
        shared: dict[str, Any] = {"mask": attention_mask, "positions": position_ids, "heard": logits_to_keep}
        output = self.base(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=caches[0],
            use_cache=caches[0] is not None,
            logits_to_keep=logits_to_keep,
            **more,
        )
        pair = zip((self.expert, self.antiexpert), caches[1:], strict=True)
        said = [output.logits, *(read(module, input_ids, cache=cache, **shared) for module, cache in pair)]
        return CausalLMOutputWithPast(
            logits=self._trio.combine(said, self.alpha if alpha is None else alpha),
            past_key_values=past_key_values,
            hidden_states=output.get("hidden_states"),
            attentions=output.get("attentions"),
        )

    def save_pretrained(self, *_: object, **__: object) -> NoReturn:
        """Refused: there is no checkpoint of three models."""
        raise UsageError("three models are not one checkpoint", hint="save base, expert and antiexpert each")

    def _parts(self, cache: Cache | None) -> list[Cache | None]:
        """A view on each model's layers of the cache; a new one first gets the layers of the pair."""
        if cache is None:
            return [None] * 3
        depth = sum(self._depths)
        grows = not isinstance(cache, StaticCache)
        if grows and len(cache) in (0, self._depths[0]) and not cache.get_seq_length():
            self._lengthen(cache, depth)
        if not grows or len(cache) != depth:
            raise UsageError(
                f"a {type(cache).__name__} of {len(cache)} layers can't hold three models",
                hint="leave cache_implementation and past_key_values out, or give a new DynamicCache",
            )
        ends = accumulate(self._depths, initial=0)
        return [Cache(layers=cache.layers[start:end]) for start, end in pairwise(ends)]

    def _lengthen(self, cache: Cache, depth: int) -> None:
        if cache.layer_class_to_replicate is not None:
            cache.layers += [cache.layer_class_to_replicate() for _ in range(depth - len(cache))]
            return
        # Whoever will roll back told the layers that were there; where none can be told, be ready.
        recording = all(getattr(layer, "record_past", True) for layer in cache.layers)
        for module in (self.expert, self.antiexpert):
            part = DynamicCache(config=module.config)
            if recording:
                part.activate_past_recording()  # type: ignore[no-untyped-call]
            cache.layers += part.layers
