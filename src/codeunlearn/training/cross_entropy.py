"""Cross-entropy over a large vocabulary without a copy of the logits in float32.

Under autocast the usual loss copies all logits to float32, which takes about a quarter of a small model's step
on a processor. Here a few rows at a time go to float32, and the gradient is made from them while they are in the cache.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from codeunlearn.tasks.batches import IGNORED_LABEL

CHUNK_ENTRIES = 1 << 20  # logits in float32 at a time


def cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """The mean over labels of -log p(label), or of its smoothed form (Szegedy et al. 2016, section 7).

    Args:
        logits: [..., vocabulary], any float type.
        labels: [...], `IGNORED_LABEL` where nothing is asked.
        label_smoothing: share of each target spread evenly over the vocabulary.

    Returns:
        a float32 scalar; 0 when every label is ignored.
    """
    return _ChunkedCrossEntropy.apply(logits.flatten(0, -2), labels.flatten(), label_smoothing)  # pyright: ignore[reportReturnType]


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        count = (labels != IGNORED_LABEL).sum().clamp_min(1)
        rows = max(1, CHUNK_ENTRIES // logits.shape[1])
        gradient = torch.empty_like(logits) if ctx.needs_input_grad[0] else None
        total = torch.zeros((), device=logits.device)
        for start in range(0, len(logits), rows):
            part = slice(start, start + rows)
            log_p = torch.log_softmax(logits[part].float(), -1)
            asked = labels[part] != IGNORED_LABEL
            target = labels[part].clamp_min(0)[:, None]
            loss = -(1 - smoothing) * log_p.gather(1, target)[:, 0] - smoothing * log_p.mean(1)
            total += (loss * asked).sum()
            if gradient is not None:
                p = log_p.exp_().sub_(smoothing / log_p.shape[1])
                p.scatter_add_(1, target, torch.full_like(target, smoothing - 1, dtype=p.dtype))
                gradient[part] = p.mul_((asked / count)[:, None])
        ctx.save_for_backward(gradient)
        return total / count

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (gradient,) = ctx.saved_tensors
        return gradient * outer[0].to(gradient.dtype), None, None
