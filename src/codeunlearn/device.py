"""What runs where: the device that a user names, whether bf16 is fast on it, its memory, and how many processes work together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from codeunlearn.errors import CodeUnlearnError

if TYPE_CHECKING:  # torch takes seconds to import, and the command line asks for `processes` before it needs it
    import torch
from codeunlearn.extras import needs

DEVICES = ("auto", "cpu", "cuda")


def pick_device(name: str) -> torch.device:
    """``auto`` is CUDA where there is one.

    Raises:
        CodeUnlearnError: an unknown name, or ``cuda`` where there is none.
    """
    import torch

    if name not in DEVICES:
        raise CodeUnlearnError(f"Unknown device {name!r}; use auto, cpu or cuda.")
    if name == "cuda" and not torch.cuda.is_available():
        raise CodeUnlearnError("No CUDA device can be seen here; use --device cpu.")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ["LOCAL_RANK"])) if "LOCAL_RANK" in os.environ else torch.device("cuda")


class Processes(NamedTuple):
    """Number of this process, from 0, and of all that work together (started by ``accelerate launch`` or ``torchrun``)."""

    rank: int
    number: int


def processes() -> Processes:
    return Processes(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def join_processes(device: torch.device) -> Processes:
    """Lets processes that were started together exchange data (gloo on processors, NCCL on GPUs)."""
    found = processes()
    if found.number > 1:
        with needs("train"):
            from accelerate import PartialState

        PartialState(cpu=device.type == "cpu")
    return found


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bf16 matrix products are faster than fp32: CUDA from Ampere on, or a processor that has them."""
    if device.type == "cuda":
        import torch

        return torch.cuda.is_bf16_supported(including_emulation=False)
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text() if cpuinfo.exists() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags or " bf16 " in flags


def suitable_batch_tokens(device: torch.device) -> int:
    """Padded tokens of a batch that is only read: what a processor's caches hold well, and more for a GPU, by its memory."""
    if device.type != "cuda":
        return 4096
    import torch

    gibibytes = torch.cuda.get_device_properties(device).total_memory / 2**30
    return min(65_536, max(4096, 1024 * int(gibibytes)))
