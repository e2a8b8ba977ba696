"""Models inside what parallel training, compilation and adapters put around them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
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


_INSIDE = ("_orig_mod", "_fsdp_wrapped_module", "base_layer", "original_module")
"""What wrappers call that which they wrap, where they stand within a model."""


def own_parameters(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The model's parameters under the names that they have without wrappers; adapters' parameters are left out."""
    inner = unwrapped(model)
    adapted = tuple(f"{name}." for name, module in inner.named_modules() if _adapted(module) is not None)
    for name, parameter in _held(inner):
        parts = name.split(".")
        for place in adapted:
            if name.startswith(place) and parts[place.count(".")] not in _INSIDE:
                break
        else:
            whole = parameter.full_tensor() if hasattr(parameter, "full_tensor") else parameter  # of sharded ones
            whole = offloaded(inner, name) if whole.is_meta else whole
            yield ".".join(part for part in parts if part not in _INSIDE), whole.detach()


def is_quantised(model: nn.Module) -> bool:
    """Whether weights are packed, so that they can be neither copied nor trained."""
    return bool(getattr(unwrapped(model), "is_quantized", False))


def _held(inner: nn.Module) -> Iterator[tuple[str, Any]]:
    """The parameters; quantised ones as they are stored, with the scales behind them, since layers pack them anew to run."""
    parameters: dict[str, Tensor] = dict(inner.named_parameters())
    if is_quantised(inner):
        stored = inner.state_dict().items()
        parameters |= {name: tensor for name, tensor in stored if name in parameters or ".weight." in name}
    yield from parameters.items()


def offloaded(model: nn.Module, name: str) -> Tensor:
    """A tensor of a module, by its name, that accelerate keeps in memory or on disk until the module runs."""
    module, _, own = name.rpartition(".")
    holder: Any = model.get_submodule(module)
    return holder._hf_hook.weights_map[own]


def device_of(module: nn.Module) -> torch.device:
    """Where a module runs, which is not where its weights wait if accelerate offloads them."""
    for part in module.modules():
        if (place := getattr(getattr(part, "_hf_hook", None), "execution_device", None)) is not None:
            return torch.device(place)
    return next(module.parameters()).device


def has_adapters(model: nn.Module) -> bool:
    """Whether PEFT has put layers of its own into the model, such as LoRA's."""
    return any(_adapted(module) is not None for module in model.modules())


def _adapted(module: nn.Module) -> nn.Module | None:
    """The model's own layer in a layer of PEFT's."""
    return next((child for name, child in module.named_children() if name in _INSIDE[2:]), None)
