"""From checked files to modules, by transformers: safetensors only, no remote code.

Knows devices and number formats; nothing of adapters, nor of which part of a family a model plays.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from proxycouncil.errors import FamilyError
from proxycouncil.model_loading import ONE_AT_A_TIME

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from proxycouncil.specialists.checkpoint import Checkpoint
    from proxycouncil.specialists.quantizing import QuantizeName

DeviceName: TypeAlias = Literal["auto", "cpu", "cuda", "mps"]
DtypeName: TypeAlias = Literal["auto", "float32", "bfloat16", "float16"]

SMALL = 100_000_000
"""Families whose base has fewer parameters are computed in float32 on a CPU."""


def choose_device(name: str) -> torch.device:
    """The named device; "auto" takes an accelerator where there is one."""
    import torch

    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def choose_dtype(name: str, device: torch.device, parameters: int) -> torch.dtype:
    """The named number format; "auto" is bfloat16 where the processor has it and the family is not small."""
    import torch

    if name != "auto":
        chosen: torch.dtype = getattr(torch, name)
        return chosen
    if device.type == "cpu":
        return torch.bfloat16 if parameters >= SMALL and has_bfloat16_units() else torch.float32
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        return torch.float16
    return torch.bfloat16


def has_bfloat16_units() -> bool:
    """Whether the processor multiplies bfloat16 itself; one that only emulates it is several times slower."""
    import torch

    if platform.machine().lower() in {"x86_64", "amd64"}:
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # noqa: SLF001
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001


def load_tokenizer(checkpoint: Checkpoint) -> PreTrainedTokenizerBase:
    """The tokenizer that lies beside the weights.

    Raises:
        FamilyError: there is none, or it can't be read.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            checkpoint.path, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:  # tokenizers raises nothing more exact
        raise FamilyError(
            f"{checkpoint.path} has no readable tokenizer: {error}",
            hint="copy tokenizer.json and tokenizer_config.json of the same model beside the weights",
        ) from error
    return tokenizer


def load_module(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> PreTrainedModel:
    """The model, ready to read.

    Raises:
        FamilyError: the weights are not those that the config describes.
    """
    from transformers import AutoModelForCausalLM

    loader: Any = AutoModelForCausalLM
    try:
        with ONE_AT_A_TIME:
            module, report = loader.from_pretrained(
                checkpoint.path,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise _foreign(checkpoint, str(error)) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise _foreign(checkpoint, f"{len(missing)} weights are missing, first {missing[0]}")
    ready: PreTrainedModel = module.to(device).eval().requires_grad_(False)
    return ready


def load_decoder(
    checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype, *, quantize: QuantizeName = "none"
) -> Any:  # noqa: ANN401
    """The model as decoding runs it: with few calls and, on a CPU, packed weights, which loses nothing.

    Raises:
        FamilyError: the weights are not those that the config describes, or torchao is wanted and missing.
    """
    import torch

    from proxycouncil.specialists.fused import fuse
    from proxycouncil.specialists.quantizing import check_installed

    if quantize == "int8":
        check_installed()
        return _in_int8(checkpoint, device, dtype)
    if device.type != "cpu" or dtype is not torch.float32:
        return fuse(load_module(checkpoint, device, dtype))
    return _packed(checkpoint, device, dtype)


def _packed(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Any:  # noqa: ANN401
    import torch

    from proxycouncil.specialists.fused import FusedDecoder, fuse
    from proxycouncil.specialists.memory import hand_back
    from proxycouncil.specialists.packing import has_half_layout, pack

    def convert(layer: torch.nn.Module) -> None:
        pack(layer)
        hand_back()

    stored = getattr(torch, checkpoint.number_format) if has_half_layout() else dtype
    module: Any = fuse(load_module(checkpoint, device, stored), each=convert)
    if not isinstance(module, FusedDecoder):
        module = module.to(dtype)
    convert(module)
    return module.compute_in(dtype) if isinstance(module, FusedDecoder) else module


def _in_int8(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Any:  # noqa: ANN401
    import copy

    import torch

    from proxycouncil.specialists.fused import FusedDecoder, fuse
    from proxycouncil.specialists.memory import hand_back
    from proxycouncil.specialists.quantizing import to_int8

    def narrow(layer: torch.nn.Module) -> None:
        to_int8(layer.to(dtype))
        hand_back()

    stored: torch.dtype = getattr(torch, checkpoint.number_format)
    module: Any = fuse(load_module(checkpoint, device, stored), each=narrow)
    if not isinstance(module, FusedDecoder):
        narrow(module)
        return module
    # Embeddings that are tied to the head are looked up, and stay as they are stored.
    module.lm_head = copy.deepcopy(module.lm_head)
    narrow(torch.nn.ModuleList([module.lm_head]))
    return module.compute_in(dtype)


def _foreign(checkpoint: Checkpoint, what: str) -> FamilyError:
    return FamilyError(
        f"{checkpoint.path} can't be loaded: {what}",
        hint="config.json and the weights must come from one model: copy or download both again",
    )
