"""Models inside what parallel training, compilation and adapters put around them."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.nn.parallel import DataParallel, DistributedDataParallel

_PARALLEL = (DataParallel, DistributedDataParallel, FullyShardedDataParallel)


def unwrapped(model: nn.Module) -> Any:
    """The model itself: without ``DataParallel``, DDP or FSDP, ``torch.compile``, or PEFT around it.

    The layers that PEFT puts into the model stay.
    """
    inner: Any = model
    while True:
        if isinstance(inner, _PARALLEL):
            inner = inner.module
        elif hasattr(inner, "_orig_mod"):  # torch.compile
            inner = inner._orig_mod
        elif hasattr(inner, "get_base_model"):  # PEFT
            inner = inner.get_base_model()
        else:
            return inner
