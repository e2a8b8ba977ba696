"""What makes a training step on a processor faster: no tiny numbers, and memory that is kept."""

from __future__ import annotations

import ctypes
import os
import sys

import torch

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of glibc's mallopt
_NEVER = -1


def prepare_processor() -> None:
    """`flush_denormals` and `keep_freed_memory`, for the rest of the process."""
    flush_denormals()
    keep_freed_memory()


def flush_denormals() -> bool:
    """From now on numbers below 1e-38 count as zero on the processor, in this thread and those it starts.

    Gradients of a trained model hold many of them, and processors multiply them very slowly (docs/performance.md). Call it
    before torch computes anything, since threads that run already are left as they are.

    Returns:
        whether the processor can do so.
    """
    return torch.set_flush_denormal(True)


def keep_freed_memory() -> bool:
    """From now on large tensors take memory that others have freed, not fresh pages of the system.

    glibc gives every large block back when it is freed, and the system clears each page again at its first touch, which
    was a sixth of a training step on a processor (docs/performance.md). The price is that a process keeps what it
    once needed. Settings of the allocator in the environment are left alone, as are other systems.

    Returns:
        whether anything was changed.
    """
    if not sys.platform.startswith("linux") or any(n.startswith(("MALLOC_", "GLIBC_TUNABLES")) for n in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, _NEVER))
