"""Which codes an activation selects (eqs. 1, 2), written to be read; `fast_search` finds the same codes sooner."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Selection(NamedTuple):
    """The codes chosen for N activations, best first.

    Attributes:
        ids: [N, S] int64, rows of the codebook.
        scores: [N, S] float32, cosine similarities (eq. 1); ``-inf`` marks a slot for which no code is left.
    """

    ids: Tensor
    scores: Tensor


def cosine_similarities(h: Tensor, codes: Tensor) -> Tensor:
    """Equation 1 for every pair: [N, F] x [K, F] -> [N, K], computed in float64 and rounded to float32.

    Rounding makes equal codes equal in score, whatever the order in which a processor adds.
    """
    return (F.normalize(h.double(), dim=-1) @ F.normalize(codes.double(), dim=-1).T).float()


@torch.no_grad()
def top_s_reference(h: Tensor, codes: Tensor, s: int, deleted: Tensor | None = None) -> Selection:
    """Equation 2 as written: all similarities, sorted by score and then by id; memory grows with N x K."""
    scores = cosine_similarities(h, codes)
    if deleted is not None:
        scores = scores.masked_fill(deleted, -torch.inf)
    ordered = scores.sort(dim=-1, descending=True, stable=True)
    return Selection(ordered.indices[:, :s], ordered.values[:, :s])
