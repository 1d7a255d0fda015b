"""A family: one large base, one small anti-expert, and experts tuned from the small one.

Loads each part once, on first use; compares vocabularies; knows what each part is called and how it is
asked. Decodes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from proxycouncil.errors import FamilyError
from proxycouncil.specialists.adapters import NO_ADAPTER
from proxycouncil.specialists.checkpoint import Checkpoint, open_checkpoint
from proxycouncil.specialists.model import Model, Part

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from proxycouncil.specialists.loading import DeviceName, DtypeName
    from proxycouncil.specialists.prompts import FormatName, PromptFormat
    from proxycouncil.specialists.quantizing import QuantizeName

BASE, ANTIEXPERT = "base", "antiexpert"


class Family:
    """Base, anti-expert and experts, each a directory or a hub id (`org/name`, `org/name@revision`).

    Experts are full checkpoints or LoRA adapters over the anti-expert. Without a base (None), because it
    stands elsewhere (`RemoteBase`), the anti-expert's tokenizer is everybody's. `base_format` is how base and
    anti-expert are asked, `expert_format` how experts with a tokenizer of their own are. `quantize`
    "int8" keeps the base in one byte a weight. Nothing is read before it is needed; `load()` reads
    everything. May be shared between threads.

    Raises (on loading):
        FamilyError: files missing, damaged, pickled, or made for another model.
        VocabularyError: a part's tokenizer means other tokens by the same ids.
    """

    def __init__(
        self,
        base: str | Path | None,
        antiexpert: str | Path | None = None,
        *,
        experts: Mapping[str, str | Path] | None = None,
        device: DeviceName = "auto",
        dtype: DtypeName = "auto",
        base_format: FormatName = "auto",
        expert_format: FormatName = "auto",
        quantize: QuantizeName = "none",
    ) -> None:
        named = {BASE: base, ANTIEXPERT: antiexpert}
        self._sources: dict[str, str | Path] = {
            name: source for name, source in named.items() if source is not None
        }
        self.main = ANTIEXPERT if base is None else BASE
        """The part whose prompts, tokenizer and size are the family's."""
        self._device, self._dtype = device, dtype
        self._base_format, self._expert_format = base_format, expert_format
        self._quantize = quantize
        self._lock = RLock()
        self._checkpoints: dict[str, Checkpoint] = {}
        self._parts: dict[str, Part] = {}
        # Parts with the same tokenizer files share one tokenizer, which then needs no comparison.
        self._tokenizers: dict[str, PreTrainedTokenizerBase] = {}
        self._formats: dict[tuple[int, FormatName], PromptFormat] = {}
        self._adapters_made = 0
        for name, source in (experts or {}).items():
            self.add_expert(name, source)

    @property
    def experts(self) -> tuple[str, ...]:
        """Names of the experts, in the order in which they were given."""
        return tuple(name for name in self._sources if name not in (BASE, ANTIEXPERT))

    def add_expert(self, name: str, source: str | Path) -> None:
        """Make another expert known; it is loaded on first use."""
        if name in (BASE, ANTIEXPERT):
            raise FamilyError(f"an expert can't be called {name!r}", hint="give it another name")
        with self._lock:
            self.remove_expert(name)
            self._sources[name] = source

    def remove_expert(self, name: str, *, unused: bool = False) -> None:
        """Forget an expert; texts that it is steering are still written to their end.

        Args:
            unused: no text is steered by it, so that an adapter's weights can be freed, too.
        """
        with self._lock:
            part = self._parts.pop(name, None)
            self._sources.pop(name, None)
            self._checkpoints.pop(name, None)
        if unused and part is not None and part.adapter != NO_ADAPTER:
            part.model.adapters.remove(part.adapter)

    def load(self) -> Family:
        """Read every part now; returns the family itself."""
        for name in tuple(self._sources):
            self.part(name)
        return self

    def part(self, name: str) -> Part:
        """The base, the anti-expert or the named expert, loaded.

        Raises:
            FamilyError: no such part, or one that can't be loaded.
        """
        with self._lock:
            if name not in self._parts:
                self._parts[name] = self._load_part(name)
            return self._parts[name]

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The main part's tokenizer; ids mean the same to every part."""
        return self.part(self.main).model.tokenizer

    def count_tokens(self, text: str) -> int:
        """How many tokens of the base the text takes."""
        return len(self.part(self.main).format.encoder.data(text))

    @property
    def width(self) -> int:
        """Logits that all loaded parts share; heads may be padded beyond what their tokenizers know."""
        models = self._models
        return min(max(model.known_width for model in models), *(model.head_width for model in models))

    @property
    def end_ids(self) -> frozenset[int]:
        """Ids that end a text, by the settings or the prompt format of any loaded part."""
        with self._lock:
            parts = list(self._parts.values())
        return frozenset().union(*({part.format.end, *part.model.end_ids} for part in parts))

    @property
    def softcaps_differ(self) -> bool:
        """Whether loaded parts bound their logits differently, so that the bounds must be undone to add."""
        return len({model.softcap for model in self._models}) > 1

    @property
    def is_small(self) -> bool:
        """Whether it is computed in float32 on a CPU, and fastest on one thread."""
        from proxycouncil.specialists.loading import SMALL

        return self._checkpoint(self.main).parameters < SMALL

    @cached_property
    def device(self) -> torch.device:
        """Where the models run."""
        from proxycouncil.specialists.loading import choose_device

        return choose_device(self._device)

    @cached_property
    def dtype(self) -> torch.dtype:
        """What the models are computed in."""
        from proxycouncil.specialists.loading import choose_dtype

        return choose_dtype(self._dtype, self.device, self._checkpoint(self.main).parameters)

    @property
    def weight_bytes(self) -> int:
        """What all loaded models and their adapters take in memory."""
        return sum(model.weight_bytes for model in self._models)

    @property
    def fingerprint(self) -> str:
        """Identifies weights and settings of all parts; changes when any of them does."""
        digest = hashlib.sha256()
        for name in sorted(self._sources):
            digest.update(f"{name}:{self._checkpoint(name).fingerprint}\n".encode())
        if self._quantize != "none":
            digest.update(self._quantize.encode())
        return digest.hexdigest()

    @property
    def _models(self) -> list[Model]:
        with self._lock:
            return list({id(part.model): part.model for part in self._parts.values()}.values())

    def _checkpoint(self, name: str) -> Checkpoint:
        with self._lock:
            if name not in self._sources:
                raise self.unknown(name)
            if name not in self._checkpoints:
                self._checkpoints[name] = open_checkpoint(self._sources[name])
            return self._checkpoints[name]

    def unknown(self, name: str) -> FamilyError:
        """The error that says that there is no such part, and which there are."""
        if name == BASE:
            return FamilyError(
                "the family has no base of its own",
                hint="it stands elsewhere: ask RemoteBase, or name one (base = …)",
            )
        if name == ANTIEXPERT:
            return FamilyError(
                "the family has no anti-expert", hint="name the small untuned model (antiexpert = …)"
            )
        known = ", ".join(self.experts) or "none"
        return FamilyError(f"the family has no expert {name!r}", hint=f"experts of this family: {known}")

    def _load_part(self, name: str) -> Part:
        checkpoint = self._checkpoint(name)
        if checkpoint.is_adapter:
            return self._load_adapter(name, checkpoint)
        model = self._load_model(name, checkpoint)
        return Part(name, model, NO_ADAPTER, self._format(name, model.tokenizer))

    def _load_model(self, name: str, checkpoint: Checkpoint) -> Model:
        from proxycouncil.specialists.loading import load_decoder

        tokenizer = self._tokenizer_of(name, checkpoint)
        quantize = self._quantize if name == BASE else "none"
        module = load_decoder(checkpoint, self.device, self.dtype, quantize=quantize)
        return Model(name, module, tokenizer)

    def _load_adapter(self, name: str, checkpoint: Checkpoint) -> Part:
        if name in (BASE, ANTIEXPERT):
            raise FamilyError(
                f"the {name} ({checkpoint.path}) is an adapter",
                hint="name a full checkpoint; experts may be adapters",
            )
        twin = self.part(ANTIEXPERT)
        tokenizer = self._tokenizer_of(name, checkpoint) if checkpoint.has_tokenizer else twin.model.tokenizer
        self._adapters_made += 1
        adapter = f"{name}#{self._adapters_made}"  # the same name may come again with other weights
        twin.model.adapters.add(adapter, checkpoint)
        form = self._format(name, tokenizer) if checkpoint.has_tokenizer else twin.format
        return Part(name, twin.model, adapter, form)

    def _tokenizer_of(self, name: str, checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
        from proxycouncil.specialists.loading import load_tokenizer
        from proxycouncil.specialists.vocabulary import check_same_vocabulary

        digest = checkpoint.tokenizer_digest
        if digest not in self._tokenizers:
            tokenizer = load_tokenizer(checkpoint)
            if name != self.main:
                check_same_vocabulary(self.tokenizer, tokenizer)
            self._tokenizers[digest] = tokenizer
        return self._tokenizers[digest]

    def _format(self, name: str, tokenizer: PreTrainedTokenizerBase) -> PromptFormat:
        from proxycouncil.specialists.prompts import choose_format

        form = self._base_format if name in (BASE, ANTIEXPERT) else self._expert_format
        key = id(tokenizer), form
        if key not in self._formats:
            self._formats[key] = choose_format(tokenizer, form)
        return self._formats[key]
