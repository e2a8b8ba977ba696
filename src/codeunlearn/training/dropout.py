"""Dropout whose mask is drawn once per sentence and feature (Gal and Ghahramani 2016), not once per token.

It regularises a model trained for many epochs on little text, and costs a processor next to nothing: drawing a mask for
every token and layer takes about a quarter of a training step there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SentenceDropout(nn.Module):
    """Drops features of x [batch, ..., features] with probability ``p``, the same ones at every position."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        kept = torch.rand(x.shape[0], *[1] * (x.ndim - 2), x.shape[-1], device=x.device) >= self.p
        return x * (kept.to(x.dtype) / (1 - self.p))

    def extra_repr(self) -> str:
        return f"p={self.p}"


def use_sentence_dropout(model: nn.Module, p: float) -> None:
    """Puts `SentenceDropout` in the place of every dropout layer of ``model``; attention weights keep theirs."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, SentenceDropout(p).train(child.training))
