"""An exact top-S search that does nearly all of its arithmetic in bf16.

1. Similarities of all codes in bf16, and the best C of them, a few more than S.
2. Those C again in float32. A code outside them is at most as similar as the C-th, plus what bf16 may have lost. Rows in
   which that reaches the S-th place are not certain: they are given more candidates, then a first pass in float32,
   and the reference (float64) if need be.
3. Candidates nearer to each other than float32 can tell are compared in float64, and codes that are equal even then
   by id, as in `top_s_reference`: the ids are always the reference's.

On a GPU `fused_search` does the same without the similarities in memory; rows that are not certain there come here.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from codeunlearn.codebook.selecting import fused as fused_search
from codeunlearn.codebook.selecting.reference import Selection, top_s_reference
from codeunlearn.device import has_fast_bf16

BYTE_BUDGET = 32 * 1024 * 1024  # fits a processor's cache
CUDA_BYTE_BUDGET = 1024 * 1024 * 1024  # a GPU needs many rows at one time to be busy
_ROUND = {torch.bfloat16: 2.0**-8, torch.float32: 2.0**-24}  # half a unit in the last place, relative
_BITS = {torch.bfloat16: torch.int16, torch.float32: torch.int32}
_ROWS_OF_REFERENCE = 64
_ROWS_IN_CACHE = 1024
_CODES_PER_CANDIDATE = 400  # from so many on, the faster first pass outweighs comparing each candidate again


class PreparedCodes:
    """The codes that may be chosen, normalised once for many searches.

    Args:
        codes: [K, F] code vectors, of any length.
        deleted: [K] bool, codes that may not be chosen; they are left out and cost nothing.
        low: type of the first pass; bf16 where the device multiplies it fast, otherwise float32.

    Attributes:
        ids: [K'] rows of the codes that are left, ascending.
        raw: [K, F] the codes as they came.
        low_type: type of the first pass.

    What is made of them is made when it is first needed, since a GPU mostly needs the `fused` form alone.
    """

    @torch.no_grad()
    def __init__(self, codes: Tensor, deleted: Tensor | None = None, low: torch.dtype | None = None) -> None:
        self.raw, self.deleted = codes.detach(), deleted
        self.ids = torch.arange(len(codes), device=codes.device) if deleted is None else (~deleted).nonzero()[:, 0]
        self.low_type = low or (torch.bfloat16 if has_fast_bf16(codes.device) else torch.float32)

    def fits(self, codes: Tensor, deleted: Tensor | None) -> bool:
        """Whether they were made of this, by content; what is compared must belong to this object alone."""
        if (
            self.raw.device != codes.device
            or self.raw.dtype != codes.dtype
            or (self.deleted is None) != (deleted is None)
        ):
            return False
        same = self.deleted is None or deleted is None or torch.equal(self.deleted, deleted)
        return same and torch.equal(self.raw, codes)

    @cached_property
    def unit(self) -> Tensor:
        """[K', F] float32: the codes that are left, of length 1."""
        return F.normalize((self.raw if self.deleted is None else self.raw[self.ids]).float(), dim=-1)

    @cached_property
    def low(self) -> Tensor:
        """[K', F]: the same in the first pass's type."""
        return self.unit.to(self.low_type)

    @cached_property
    def lost(self) -> Tensor:
        """[], float32: the largest distance between a row of ``low`` and the same row of ``unit``."""
        return _largest_distance(self.unit, self.low)

    @cached_property
    def fused(self) -> fused_search.FusedCodes:
        """What `fused_search` reads."""
        return fused_search.FusedCodes(self.raw, None if self.deleted is None else self.ids)

    @cached_property
    def lengths(self) -> Tensor:
        """[K] float64: the lengths of the codes as they came."""
        return torch.linalg.vector_norm(self.raw, dim=-1, dtype=torch.float64).clamp_min(1e-12)


@torch.no_grad()
def top_s(h: Tensor, codes: PreparedCodes, s: int, *, byte_budget: int | None = None) -> Selection:
    """The ``s`` most similar codes of each activation (eq. 2), those that `top_s_reference` finds.

    Args:
        h: [N, F] activations.
        s: how many codes, at most K; slots beyond the codes that are left hold deleted ids and a score of ``-inf``.
        byte_budget: bound on the similarities and candidates held at one time; one that suits the device when absent.
    """
    if s > len(codes.ids) or not len(h):
        return top_s_reference(h, codes.raw, s, codes.deleted)
    budget = byte_budget or (CUDA_BYTE_BUDGET if h.is_cuda else BYTE_BUDGET)
    with full_precision(h.device):
        return _fused(h, codes, s, budget) or _in_parts(h, codes, s, budget)


def _fused(h: Tensor, codes: PreparedCodes, s: int, byte_budget: int) -> Selection | None:
    """The search in one pass, where it can be had and is worth it."""
    low = codes.low_type is torch.bfloat16
    if not (low and fused_search.serves(h.device, len(h), len(codes.ids), h.shape[1], s)):
        return None
    try:
        found, rows = fused_search.fused_top_s(h, codes.fused, s, byte_budget=byte_budget)
    except Exception as error:
        if not fused_search.cannot_compile(error):
            raise
        fused_search.give_up(error)
        return None
    if len(rows):
        found.ids[rows], found.scores[rows] = _in_parts(h[rows], codes, s, byte_budget)
    return found


def rows_at_once(codes: PreparedCodes, device: torch.device) -> int:
    """Activations whose float32 similarities to all codes are held at one time."""
    return max(1, (CUDA_BYTE_BUDGET if device.type == "cuda" else BYTE_BUDGET) // (4 * max(1, len(codes.ids))))


def _in_parts(h: Tensor, codes: PreparedCodes, s: int, byte_budget: int) -> Selection:
    """The search with similarities in memory, of as many rows at a time as the budget allows."""
    held = 4 * len(codes.ids)
    if _starts_low(codes, s):
        held = codes.low.element_size() * len(codes.ids) + 4 * _candidates(s)[0] * h.shape[1]
    parts = [_search(chunk, codes, s) for chunk in h.split(max(1, byte_budget // held))]
    return Selection(torch.cat([part.ids for part in parts]), torch.cat([part.scores for part in parts]))


def _candidates(s: int) -> tuple[int, int]:
    """How many codes are compared in float32: enough for nearly all rows, then for nearly all of the others."""
    return s + max(8, s // 4), 2 * s + 32


def _starts_low(codes: PreparedCodes, s: int) -> bool:
    return codes.low_type is not torch.float32 and _candidates(s)[0] * _CODES_PER_CANDIDATE <= len(codes.ids)


def _search(h: Tensor, codes: PreparedCodes, s: int) -> Selection:
    shape = (len(h), s)
    found = Selection(torch.empty(shape, dtype=torch.long, device=h.device), torch.empty(shape, device=h.device))
    rows = torch.arange(len(h), device=h.device)
    if _starts_low(codes, s):
        rows = _fill(found, rows, h, codes, codes.low, codes.lost)
    if len(rows):
        rows = _fill(found, rows, h, codes, codes.unit, 0.0)
    for some in rows.split(_ROWS_OF_REFERENCE) if len(rows) else ():
        found.ids[some], found.scores[some] = top_s_reference(h[some], codes.raw, s, codes.deleted)
    return found


def _fill(found: Selection, rows: Tensor, h: Tensor, codes: PreparedCodes, low: Tensor, lost: Tensor | float) -> Tensor:
    """Searches ``rows`` of ``h`` with a first pass in the type of ``low``; returns those that are not certain."""
    s, off = found.ids.shape[1], slack(h.shape[1])
    h = h[rows]
    x = F.normalize(h.float(), dim=-1)
    x_low = x.to(low.dtype)
    similar = x_low @ low.T
    loss = torch.linalg.vector_norm(x - x_low, dim=-1) + lost + off
    if h.is_cuda and low is not codes.unit:
        loss = loss + fused_search.tensor_core_slack(h.shape[1])
    unsure = torch.arange(len(rows), device=rows.device)
    for count in _candidates(s):
        count = min(count, len(codes.ids))
        here = similar if len(unsure) == len(rows) else similar[unsure]
        columns, limit = best_columns(here, count)
        scores = here.gather(1, columns) if low is codes.unit else _again(x[unsure], codes.unit, columns)
        best = _in_order(scores, columns, h[unsure], codes, s, 2 * off)
        reach = limit + loss[unsure] + _ROUND[low.dtype] * limit.abs()
        certain = (best.scores[:, -1] - off > reach) | (count == len(codes.ids))
        done = rows[unsure[certain]]
        found.ids[done], found.scores[done] = best.ids[certain], best.scores[certain]
        unsure = unsure[~certain]
        if not len(unsure):
            break
    return rows[unsure]


def _largest_distance(unit: Tensor, low: Tensor) -> Tensor:
    """The largest distance between a row and the same row of the other; on a processor a few rows at a time, in the cache."""
    if low is unit or not len(unit):
        return unit.new_zeros(())
    rows = len(unit) if unit.is_cuda else _ROWS_IN_CACHE
    pairs = zip(unit.split(rows), low.split(rows), strict=True)
    return torch.stack([torch.linalg.vector_norm(u - v, dim=-1).max() for u, v in pairs]).max()


def slack(width: int) -> float:
    """How far a float32 product of two unit vectors of this width may be off: nine standard deviations.

    Rounding errors act as independent ones do (Higham and Mary 2019), each uniform within half a unit of a partial sum
    that grows to at most 1: their standard deviation is sqrt(F) / 3 units. Errors of the lengths are smaller.
    """
    return 9 * math.sqrt(width) / 3 * 2.0**-24


def best_columns(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """[N, count] columns of the largest scores of each row, in any order, and the smallest of those scores, [N].

    The largest ``count`` scores lie in the ``count`` blocks with the largest maxima, so most columns are read only for
    their block's maximum. A block is every (K / block)-th column, so that maxima are taken over contiguous rows. Positive
    numbers are ordered like their bits, and maxima of integers are much faster; where a row has too few positive scores,
    its smallest is infinity, and its columns mean nothing.
    """
    columns = scores.shape[1]
    block = 2 ** round(math.log2(max(1.0, columns / count)) / 2)
    blocks = columns // block
    if block < 4:
        best = scores.topk(count, dim=-1, sorted=False)
        return best.indices, best.values.amin(-1).float()
    bits = scores.view(_BITS[scores.dtype])
    maxima = bits[:, : block * blocks].unflatten(1, (block, blocks)).amax(1)
    chosen = maxima.topk(count, dim=-1, sorted=False).indices
    starts = torch.arange(block, device=scores.device)[:, None] * blocks
    rest = torch.arange(block * blocks, columns, device=scores.device).expand(len(scores), -1)
    some = torch.cat([(chosen[:, None, :] + starts).flatten(1), rest], dim=1)
    best = bits.gather(1, some).topk(count, dim=-1, sorted=False)
    smallest = best.values.amin(-1)
    smallest = smallest.view(scores.dtype).float().masked_fill(smallest <= 0, torch.inf)
    return some.gather(1, best.indices), smallest


def _again(x: Tensor, unit: Tensor, columns: Tensor) -> Tensor:
    """Similarities of the candidates in ``columns``, [N, C], in float32."""
    return torch.bmm(F.embedding(columns, unit), x[:, :, None])[:, :, 0]


def exact_best(h: Tensor, codes: PreparedCodes, columns: Tensor, gone: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
    """The most similar of some candidates, and whether no other code can be.

    Args:
        h: [N, F] activations.
        columns: [N, C] places of the candidates among the codes.
        gone: [K'] bool, codes that may not be chosen.
        reach: [N] as similar as any other code may be.

    Returns:
        [N] rows of the codebook and [N] bool.
    """
    near = slack(h.shape[1])
    scores = _again(F.normalize(h, dim=-1), codes.unit, columns).masked_fill(gone[columns], -torch.inf)
    best = _in_order(scores, columns, h, codes, 1, 2 * near)
    return best.ids[:, 0], best.scores[:, 0] - near > reach


def _in_order(scores: Tensor, columns: Tensor, h: Tensor, codes: PreparedCodes, s: int, nearness: float) -> Selection:
    """The best ``s`` of the candidates in ``columns`` by their float32 scores, [N, C], and by float64 where those are near."""
    scores, order = scores.sort(dim=-1, descending=True)
    ids = codes.ids[columns.gather(1, order)]
    row, place = _too_near(scores, s, nearness).nonzero(as_tuple=True)
    if len(row):
        scores[row, place] = _exactly(h, row, codes, ids[row, place])
        touched = row.unique_consecutive()
        some, by_id = ids[touched].sort(dim=-1)
        best, by_score = scores[touched].gather(1, by_id).sort(dim=-1, descending=True, stable=True)
        ids[touched], scores[touched] = some.gather(1, by_score), best
    return Selection(ids[:, :s], scores[:, :s])


def _exactly(h: Tensor, row: Tensor, codes: PreparedCodes, ids: Tensor) -> Tensor:
    """Similarities of pairs of an activation and a code, in float64 and then rounded, as the reference has them."""
    products = torch.linalg.vecdot(h[row].double(), codes.raw[ids].double())
    lengths = torch.linalg.vector_norm(h, dim=-1, dtype=torch.float64).clamp_min(1e-12)
    return (products / (lengths[row] * codes.lengths[ids])).float()


def _too_near(scores: Tensor, s: int, nearness: float) -> Tensor:
    """[N, C] bool: which of the sorted scores are too near to another for their order among the first ``s`` to be sure."""
    ahead = scores[:, : s - 1] - scores[:, 1:s] <= nearness
    behind = scores[:, s - 1 : s] - scores[:, s:] <= nearness
    first = F.pad(ahead, (0, 1)) | F.pad(ahead, (1, 0))
    first[:, -1] |= behind.any(-1)
    return torch.cat([first, behind], dim=1)


@contextmanager
def full_precision(device: torch.device) -> Generator[None]:
    """Products in the type they are asked for: neither float32 in less, nor bf16 summed in bf16."""
    precision = torch.get_float32_matmul_precision()
    summed_in_bf16 = torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    try:
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = summed_in_bf16
