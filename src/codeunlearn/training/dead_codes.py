"""Codes that no token selects any more start again from data."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Optimizer

from codeunlearn.codebook.bottleneck import BottleneckOutput
from codeunlearn.codebook.codebook import Codebook


@torch.no_grad()
def revive(codebook: Codebook, dead: Tensor, encodings: Tensor, top_s: int, optimizer: Optimizer, seed: int) -> int:
    """Replaces dead codes by encodings of real tokens over S, each by another, with fresh optimizer state.

    Where there are fewer distinct encodings than dead codes, some stay dead. Deleted codes stay as they are. The choice
    depends on ``seed`` and ``encodings`` alone, so processes that are given the same encodings revive the same codes.

    Returns:
        how many were revived.

    Args:
        dead: [K] bool.
        encodings: [N, F] encodings h of real tokens.
    """
    rows = (dead.to(codebook.deleted.device) & ~codebook.deleted).nonzero().squeeze(1)
    encodings = encodings.unique(dim=0)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(encodings), generator=generator)[: len(rows)].to(encodings.device)
    rows = rows[: len(order)]
    codebook.weight[rows] = (encodings[order] / top_s).to(codebook.weight.dtype)
    for state in (optimizer.state.get(codebook.weight), *_parts_state(optimizer, codebook.weight)):
        for value in (state or {}).values():
            if isinstance(value, Tensor) and value.shape == codebook.weight.shape:
                value[rows] = 0
    return len(rows)


def _parts_state(optimizer: Optimizer, parameter: Tensor) -> list[dict[str, Tensor] | None]:
    return [part.state.get(parameter) for part in getattr(optimizer, "parts", [])]


def sample_encodings(output: BottleneckOutput, mask: Tensor, count: int, seed: int) -> Tensor:
    """[count, F] encodings of the batch's real tokens, drawn with replacement: a shape all ranks agree on."""
    encodings = output.h[mask.bool()].detach().float()
    generator = torch.Generator().manual_seed(seed)
    return encodings[torch.randint(len(encodings), (count,), generator=generator).to(encodings.device)]
