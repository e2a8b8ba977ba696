"""Top-S cosine search: a slow reference, and an exact search in row chunks that never holds the whole N x K matrix."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

BYTE_BUDGET = 64 * 1024 * 1024


class Selection(NamedTuple):
    """The codes chosen for N activations, best first.

    Attributes:
        ids: [N, S] int64, rows of the codebook.
        scores: [N, S] float32, cosine similarities (eq. 1); ``-inf`` marks a slot for which no code is left.
    """

    ids: Tensor
    scores: Tensor


def cosine_similarities(h: Tensor, codes: Tensor) -> Tensor:
    """Equation 1 for every pair: [N, F] x [K, F] -> [N, K], in float32 whatever autocast says."""
    with torch.autocast(h.device.type, enabled=False):
        return F.normalize(h.float(), dim=-1) @ F.normalize(codes.float(), dim=-1).T


def top_s_reference(h: Tensor, codes: Tensor, s: int, deleted: Tensor | None = None) -> Selection:
    """Equation 2 as written: all similarities, sorted by score and then by id. For tests; memory grows with N x K."""
    scores = cosine_similarities(h, codes)
    if deleted is not None:
        scores = scores.masked_fill(deleted, -torch.inf)
    ordered = scores.sort(dim=-1, descending=True, stable=True)
    return Selection(ordered.indices[:, :s], ordered.values[:, :s])


@torch.no_grad()
def top_s(
    h: Tensor, codes: Tensor, s: int, deleted: Tensor | None = None, *, byte_budget: int = BYTE_BUDGET
) -> Selection:
    """The ``s`` most similar codes of each activation (eq. 2), ties broken by the smaller id.

    Args:
        h: [N, F] activations.
        codes: [K, F] code vectors, of any length.
        s: how many codes, at most K.
        deleted: [K] bool, codes that may not be chosen.
        byte_budget: bound on the similarity matrix held at one time.
    """
    rows = max(1, byte_budget // (4 * codes.shape[0]))
    unit_codes = F.normalize(codes.float(), dim=-1).T
    chunks = [_top_s_chunk(chunk, unit_codes, s, deleted) for chunk in h.split(rows)]
    if not chunks:
        empty = h.new_empty((0, s))
        return Selection(empty.long(), empty.float())
    return Selection(torch.cat([c.ids for c in chunks]), torch.cat([c.scores for c in chunks]))


def _top_s_chunk(h: Tensor, unit_codes: Tensor, s: int, deleted: Tensor | None) -> Selection:
    with torch.autocast(h.device.type, enabled=False):
        scores = F.normalize(h.float(), dim=-1) @ unit_codes
    if deleted is not None:
        scores.masked_fill_(deleted, -torch.inf)
    # One more than asked for shows whether the last place is shared with a code outside the selection.
    best = scores.topk(min(s + 1, scores.shape[1]), dim=-1)
    values, ids = best.values, best.indices
    tied = (values[:, 1:] == values[:, :-1]).any(dim=-1)
    if bool(tied.any()):
        ordered = scores[tied].sort(dim=-1, descending=True, stable=True)
        ids[tied], values[tied] = ordered.indices[:, : ids.shape[1]], ordered.values[:, : ids.shape[1]]
    return Selection(ids[:, :s], values[:, :s])
