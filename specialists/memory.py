"""Memory of this process that nothing holds: when it ran out, and how it is handed back.

Knows allocators; nothing of what was held.
"""

from __future__ import annotations

import ctypes
from functools import cache


def is_out_of_memory(error: Exception) -> bool:
    """torch has a class for it on accelerators; its allocator for the CPU raises a plain RuntimeError."""
    import torch

    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(error)


def hand_back() -> None:
    """Return what torch and the system's allocator keep for later."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    trim()


def trim() -> None:
    """Return what the system's allocator keeps for later, where that is glibc's.

    It keeps freed blocks of up to 32 MB: whatever a model's layers were converted through would stay with the
    process. `malloc_trim(3)` takes milliseconds; other allocators are left alone.
    """
    if _is_glibc():
        ctypes.CDLL(None).malloc_trim(0)


@cache
def _is_glibc() -> bool:
    try:
        return hasattr(ctypes.CDLL(None), "malloc_trim")
    except (OSError, TypeError):  # no such call on Windows
        return False
