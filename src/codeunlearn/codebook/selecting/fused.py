"""The exact top-S search on a GPU: one bf16 pass over the codes that never writes the N x K similarities to memory.

1. `threshold_of_sample`: every 16th code is compared first, and the r-th best of them sets a row's threshold.
2. `gather_above`: a matrix product whose tiles are not stored; what lies above the threshold is kept, some 100 of K codes.
3. `narrow`: of those, the codes that can be among the S best whatever bf16 and the tensor cores have lost.
4. `compare` and `order`: these in float64, rounded, and sorted by score and id as `top_s_reference` does.

A row for which this is not certain, because too few or too many codes lie above its threshold, is named to the caller.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import warnings
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from codeunlearn.codebook.selecting.reference import Selection

LEAST_ROWS, LEAST_CODES = 256, 4096  # not measured below (docs/performance.md)

_STEP = 16  # the sample costs a sixteenth of the product, and a tighter threshold would keep hardly fewer codes
_RARELY = 2e-5  # share of rows with too few or too many codes above the threshold, each: none in most batches
_LANES, _BLOCK = 128, 16  # numbers of a code and codes that `compare` reads at once


class Plan(NamedTuple):
    """How a search for S codes is laid out.

    Attributes:
        rank: which of the sampled similarities is the threshold, the first being the best.
        capacity: how many codes above the threshold a row has room for.
        candidates: how many codes of a row are compared in float64 at most, a power of two.
    """

    rank: int
    capacity: int
    candidates: int


@cache
def plan(s: int) -> Plan:
    """The layout with which nearly all rows are certain.

    Of codes in random order, those above the r-th best of every t-th are about t times a Gamma(r) number: in the sorted order
    r sampled codes pass at the rate 1 / t. So fewer than c lie above it as often as a Poisson(c / t) number is r or more.
    """
    wanted = s + max(8, s // 2)
    rank = next(r for r in range(1, 10_000) if 1 - _poisson_below(r, wanted / _STEP) <= _RARELY)
    capacity = next(c for c in range(64, 10**6, 64) if _poisson_below(rank, c / _STEP) <= _RARELY)
    return Plan(rank, capacity, _power_of_two(2 * s + 32))


def _poisson_below(number: int, mean: float) -> float:
    """The probability that a Poisson number is below ``number``."""
    return sum(math.exp(i * math.log(mean) - mean - math.lgamma(i + 1)) for i in range(number))


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()


class FusedCodes:
    """The codes that may be chosen, as the kernels read them.

    Args:
        raw: [K, F] the codes as they came.
        ids: [K'] the rows of those that may be chosen; all when absent.

    Attributes:
        low: [K', F] bf16, of length 1.
        lost: [], float32: the largest distance between a row of ``low`` and that row before rounding.
        lengths: [K'] float64, of the codes as they came.
    """

    def __init__(self, raw: Tensor, ids: Tensor | None) -> None:
        self.raw, self.ids = raw.contiguous(), ids
        self.low, distance, self.lengths = _lower(self.raw, ids)
        self.lost = distance.max()


_broken: list[str] = []


def serves(device: torch.device, rows: int, codes: int, width: int, s: int) -> bool:
    """Whether the kernels can run here and are worth it: CUDA with bf16, Triton, and enough rows and codes."""
    if device.type != "cuda" or rows < LEAST_ROWS or codes < max(LEAST_CODES, 4 * plan(s).capacity):
        return False
    return width % 8 == 0 and width >= 64 and not _broken and kernels() is not None


@cache
def kernels() -> Any:
    """The module of the kernels; None without a Triton that knows them, or without the C compiler that it calls."""
    if torch.version.hip is not None or not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
        return None
    try:
        from codeunlearn.codebook.selecting import kernels as fused_kernels
    except ImportError:
        return None
    return fused_kernels


def cannot_compile(error: Exception) -> bool:
    """Whether an error says that the kernels cannot be compiled here, rather than that they ran and failed."""
    from triton.errors import TritonError  # pyright: ignore[reportMissingImports]

    # a failing pass of Triton's compiler is a plain RuntimeError
    known = (TritonError, subprocess.CalledProcessError, OSError)
    return isinstance(error, known) or "PassManager::run failed" in str(error)


def give_up(error: Exception) -> None:
    """Warns, and lets `serves` say no from now on."""
    _broken.append(str(error))
    warnings.warn(
        f"Triton cannot compile the fused search here; a slower one is used: {error}", RuntimeWarning, stacklevel=2
    )


def fused_top_s(
    h: Tensor, codes: FusedCodes, s: int, *, byte_budget: int, config: Any = None
) -> tuple[Selection, Tensor]:
    """The ``s`` most similar codes of each activation, and the rows for which they were not found.

    Args:
        h: [N, F] activations, on the codes' device.
        byte_budget: bound on the memory for similarities and candidates.
        config: how the product is done, see `fused_kernels.gather`.

    Returns:
        The codes, as `top_s_reference` finds them; [U] int64, the rows of ``h`` whose codes mean nothing.
    """
    n, layout = len(h), plan(s)
    shape = (n, s)
    found = Selection(torch.empty(shape, dtype=torch.long, device=h.device), torch.empty(shape, device=h.device))
    certain = torch.empty(n, dtype=torch.int32, device=h.device)
    sampled = -(-len(codes.low) // _STEP)
    held = 2 * sampled + 8 * layout.capacity + 12 * layout.candidates + 2 * h.shape[1]
    size = max(1, byte_budget // held)
    with torch.cuda.device_of(h):
        for i in range(0, n, size):
            part = slice(i, i + size)
            _search(
                h[part].contiguous(), codes, s, Selection(found.ids[part], found.scores[part]), certain[part], config
            )
    return found, (certain == 0).nonzero()[:, 0]


def _search(h: Tensor, codes: FusedCodes, s: int, found: Selection, certain: Tensor, config: Any) -> None:
    """Fills ``found`` and the number of candidates of each row, 0 where they are not certain."""
    k, (n, width), (rank, capacity, candidates) = kernels(), h.shape, plan(s)
    x, distance, _ = _lower(h, None)
    sample = x @ codes.low[_STEP // 2 :: _STEP].T
    size = sample.shape[1]
    threshold = torch.empty(n, device=h.device)
    block = _power_of_two(size)
    k.threshold_of_sample[(n,)](sample, threshold, size, rank, WIDTH=block, STEPS=12, num_warps=_warps(block))
    gathered, count = k.gather(x, codes.low, threshold, capacity, config)
    columns = torch.empty(n, candidates, dtype=torch.int32, device=h.device)
    block = _power_of_two(capacity)
    k.narrow[(n,)](
        *(gathered, count, threshold, distance, codes.lost, columns, certain, capacity, s, tensor_core_slack(width)),
        **{"WIDTH": block, "CANDIDATES": candidates, "STEPS": 16, "num_warps": _warps(block)},
    )
    keys = torch.empty(n, candidates, dtype=torch.int64, device=h.device)
    ids = codes.lengths if codes.ids is None else codes.ids  # not read without GATHER
    shared = {"CANDIDATES": candidates, "GATHER": codes.ids is not None}
    k.compare[(n, candidates // _BLOCK)](
        *(h, codes.raw, ids, codes.lengths, columns, certain, keys),
        **{"F": width, "WIDTH": _LANES, "BLOCK": _BLOCK, **shared},
    )
    k.order[(n,)](keys, certain, ids, found.ids, found.scores, s, **shared, num_warps=_warps(candidates))


def _lower(vectors: Tensor, rows: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Some rows of [*, F] vectors, or all, see the kernel: [M, F] bf16, [M] float32 distances and [M] float64 lengths."""
    number, width = len(vectors) if rows is None else len(rows), vectors.shape[1]
    low = torch.empty(number, width, dtype=torch.bfloat16, device=vectors.device)
    distance = torch.empty(number, device=vectors.device)
    lengths = torch.empty(number, dtype=torch.float64, device=vectors.device)
    block = _power_of_two(width)
    with torch.cuda.device_of(vectors):
        kernels().lower[(number,)](
            *(vectors, lengths if rows is None else rows, low, distance, lengths),
            **{"F": width, "WIDTH": block, "GATHER": rows is not None, "num_warps": _warps(block)},
        )
    return low, distance, lengths


def _warps(block: int) -> int:
    """Warps for a program that holds so many numbers at once."""
    return min(8, max(1, block // 512))


def tensor_core_slack(width: int) -> float:
    """How far a tensor core's product of two unit vectors of this width may be off, and the few bits that `gather_above` takes.

    Tensor cores cut the bits of every addend below those of the largest instead of rounding, at 2^-23 of it or finer from Volta
    to Hopper (Fasi et al. 2021, doi:10.7717/peerj-cs.330; Khattak and Mikaitis 2025, arXiv:2512.07004). Partial sums of a product
    of unit vectors stay below 1, so F addends and the sums between them lose at most 2 F 2^-23 or so.
    """
    return width * 2.0**-22 + 2.0**-16
