"""Muon for the weight matrices, AdamW for everything else, as one optimizer that the Trainer can schedule and save."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from codeunlearn.codebook.bottleneck import ConceptBottleneck
from codeunlearn.codebook.wrappers import unwrapped
from codeunlearn.device import has_fast_bf16
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.training.muon import Muon

ADAM_BETAS = (0.9, 0.98)


class CombinedOptimizer(Optimizer):
    """Several optimizers over disjoint parameters that step, save and load as one.

    The parts' parameter groups are shared, not copied, so that a scheduler's learning rates reach them.
    """

    def __init__(self, parts: Sequence[Optimizer]) -> None:
        self.parts = list(parts)
        super().__init__([group for part in parts for group in part.param_groups], {})
        self.param_groups = [group for part in parts for group in part.param_groups]

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        loss = closure() if closure is not None else None
        for part in self.parts:
            part.step()
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self.parts for group in part.param_groups]


def make_optimizer(
    model: nn.Module, name: str, learning_rate: float, bottleneck_learning_rate: float, weight_decay: float
) -> Optimizer:
    """The optimizer called ``name``: ``adamw``, or ``muon`` for matrices with AdamW for the rest.

    Embeddings, position biases, norms and the whole bottleneck always take AdamW.

    Raises:
        CodeUnlearnError: an unknown name.
    """
    if name not in ("adamw", "muon"):
        raise CodeUnlearnError(f"Unknown optimizer {name!r}; choose adamw or muon.")
    bottleneck = {id(p) for m in model.modules() if isinstance(m, ConceptBottleneck) for p in m.parameters()}
    rest = [p for p in model.parameters() if p.requires_grad and id(p) not in bottleneck]
    inside = [p for p in model.parameters() if p.requires_grad and id(p) in bottleneck]
    words = _word_tables(model)
    matrices = [p for p in rest if p.ndim == 2 and id(p) not in words] if name == "muon" else []
    taken = {id(p) for p in matrices}
    groups: list[dict[str, Any]] = [{"params": [p for p in rest if id(p) not in taken], "lr": learning_rate}]
    if inside:
        groups.append({"params": inside, "lr": bottleneck_learning_rate, "weight_decay": 0.0})
    groups = [group for group in groups if group["params"]]
    adamw_decay = weight_decay if name == "adamw" else 0.0
    adamw = AdamW(groups, lr=learning_rate, betas=ADAM_BETAS, weight_decay=adamw_decay, fused=True) if groups else None
    if not matrices and adamw is not None:
        return adamw
    dtype = torch.bfloat16 if has_fast_bf16(matrices[0].device) else torch.float32
    muon = Muon(matrices, learning_rate, weight_decay, dtype=dtype)
    return CombinedOptimizer([muon] + ([adamw] if adamw is not None else []))


def _word_tables(model: nn.Module) -> set[int]:
    """Ids of the parameters whose rows are looked up or compared one by one: all embeddings and the output layer."""
    modules: list[Any] = [module for module in model.modules() if isinstance(module, nn.Embedding)]
    if (output := unwrapped(model).get_output_embeddings()) is not None:
        modules.append(output)
    return {id(parameter) for module in modules for parameter in module.parameters()}
