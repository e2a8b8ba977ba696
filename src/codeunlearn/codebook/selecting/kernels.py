# pyright: basic, reportMissingImports=false
"""The Triton kernels of `fused_search`, which says what they are for. Importing this module needs Triton."""

from __future__ import annotations

import functools
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.testing import do_bench
from triton.tools.tensor_descriptor import TensorDescriptor

# Columns side by side lie in different threads of a tensor core, every eighth in one.
LANES: tl.constexpr = tl.constexpr(8)


@triton.jit
def lower(
    vectors_ptr,
    rows_ptr,
    low_ptr,
    distance_ptr,
    length_ptr,
    F: tl.constexpr,
    WIDTH: tl.constexpr,
    GATHER: tl.constexpr,
):
    """Row i of ``low`` is vector ``rows[i]`` (i itself without GATHER) at length 1, in bf16.

    Its distance from what was rounded and its length before go to ``distance`` and ``length``.
    """
    i = tl.program_id(0).to(tl.int64)
    row = i
    if GATHER:
        row = tl.load(rows_ptr + i)
    at = tl.arange(0, WIDTH)
    v = tl.load(vectors_ptr + row * F + at, mask=at < F, other=0.0).to(tl.float32)
    wide = v.to(tl.float64)
    length = tl.maximum(tl.sqrt(tl.sum(wide * wide, axis=0)), 1e-12)
    unit = v / length.to(tl.float32)
    low = unit.to(tl.bfloat16)
    lost = unit - low.to(tl.float32)
    tl.store(low_ptr + i * F + at, low, mask=at < F)
    tl.store(distance_ptr + i, tl.sqrt(tl.sum(lost * lost, axis=0)))
    tl.store(length_ptr + i, length)


@triton.jit
def threshold_of_sample(sample_ptr, threshold_ptr, size, rank, WIDTH: tl.constexpr, STEPS: tl.constexpr):
    """A number that ``rank`` of a row's similarities with the sample reach, or few more; infinity if it is not positive."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, WIDTH)
    scores = tl.load(sample_ptr + row * size + at, mask=at < size, other=float("-inf")).to(tl.float32)
    low = tl.min(tl.where(at < size, scores, float("inf")), axis=0)
    high = tl.max(scores, axis=0)
    for _ in range(STEPS):
        middle = (low + high) * 0.5
        enough = tl.sum((scores >= middle).to(tl.int32), axis=0) >= rank
        low = tl.where(enough, middle, low)
        high = tl.where(enough, high, middle)
    tl.store(threshold_ptr + row, tl.where(low > 0.0, low, float("inf")))


@triton.jit(do_not_specialize=["n", "k", "capacity", "bucket"])
def gather_above(
    x_desc,
    codes_desc,
    threshold_ptr,
    count_ptr,
    found_ptr,
    n,
    k,
    capacity,
    bucket,
    F: tl.constexpr,
    ROWS: tl.constexpr,
    CODES: tl.constexpr,
    WIDTH: tl.constexpr,
    GROUP: tl.constexpr,
):
    """Keeps, of a tile of similarities, those above their row's threshold: score and column, as one int64 each.

    Positive floats are ordered like their bits, whose lowest few give way to the place of a code within its group, so
    that a maximum over a group also says where it was found. A group is every eighth column of the tile: few groups hold
    more than one or two codes above the threshold, and each round takes one from every group.
    """
    PLACES: tl.constexpr = CODES // LANES
    in_group = GROUP * tl.cdiv(k, CODES)
    program = tl.program_id(0)
    first = program // in_group * GROUP
    height = tl.minimum(tl.cdiv(n, ROWS) - first, GROUP)
    row0 = (first + program % in_group % height) * ROWS
    code0 = program % in_group // height * CODES
    total = tl.zeros((ROWS, CODES), tl.float32)
    for f in range(0, F, WIDTH):
        total = tl.dot(x_desc.load([row0, f]), codes_desc.load([code0, f]).T, total)
    rows = row0 + tl.arange(0, ROWS)
    # Codes outside the matrix are read as zero, which is above no threshold. Activations outside it, and those without a
    # threshold, get a limit above which there is nothing, not even the bits of a product that is no number.
    limit = tl.load(threshold_ptr + rows, mask=rows < n, other=float("inf")).to(tl.int32, bitcast=True)
    limit = tl.where(limit < 0x7F800000, limit, 0x7FFFFFFF)[:, None]
    bits = tl.reshape(total.to(tl.int32, bitcast=True), (ROWS, PLACES, LANES))
    keys = (bits & -PLACES) | tl.arange(0, PLACES)[None, :, None]
    best = tl.max(keys, axis=1)
    hit = best > limit
    counters = tl.broadcast_to((count_ptr + rows)[:, None], (ROWS, LANES))
    start = found_ptr + (rows.to(tl.int64) * capacity)[:, None]
    while tl.max(tl.max(hit.to(tl.int32), axis=1), axis=0) > 0:
        slot = tl.atomic_add(counters, 1, mask=hit, sem="relaxed")
        column = code0 + (best & (PLACES - 1)) * LANES + tl.arange(0, LANES)[None, :]
        entry = (best.to(tl.int64) << 32) | column.to(tl.int64)
        tl.store(start + slot, entry, mask=hit & (slot < capacity))
        best = tl.max(tl.where(keys < best[:, None, :], keys, 0), axis=1)
        hit = best > limit


@triton.jit(do_not_specialize=["capacity", "s", "slack"])
def narrow(
    found_ptr,
    count_ptr,
    threshold_ptr,
    distance_ptr,
    lost_ptr,
    column_ptr,
    number_ptr,
    capacity,
    s,
    slack,
    WIDTH: tl.constexpr,
    CANDIDATES: tl.constexpr,
    STEPS: tl.constexpr,
):
    """The columns of a row that can be among the ``s`` best, whatever rounding has done.

    Their number is 0 where some may be missing.
    """
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, WIDTH)
    count = tl.load(count_ptr + row)
    threshold = tl.load(threshold_ptr + row)
    entries = tl.load(found_ptr + row * capacity + at, mask=at < tl.minimum(count, capacity), other=0)
    keys = (entries >> 32).to(tl.int32)
    low = threshold.to(tl.int32, bitcast=True)
    high = tl.maximum(tl.max(keys, axis=0), low) + 1
    for _ in range(STEPS):
        middle = low + (high - low) // 2
        enough = tl.sum((keys >= middle).to(tl.int32), axis=0) >= s
        low = tl.where(enough, middle, low)
        high = tl.where(enough, high, middle)
    # s codes have at least the score ``low`` before rounding is accounted for; whatever is twice the loss below it is out.
    loss = 1.01 * (tl.load(distance_ptr + row) + tl.load(lost_ptr)) + slack
    cutoff = low.to(tl.float32, bitcast=True) - 2.0 * loss
    chosen = (keys > 0) & (keys.to(tl.float32, bitcast=True) >= cutoff)
    number = tl.sum(chosen.to(tl.int32), axis=0)
    place = tl.cumsum(chosen.to(tl.int32), axis=0) - 1
    column = (entries & 0x7FFFFFFF).to(tl.int32)
    tl.store(column_ptr + row * CANDIDATES + place, column, mask=chosen & (place < CANDIDATES))
    complete = (count >= s) & (count <= capacity) & (cutoff > threshold) & (number <= CANDIDATES)
    tl.store(number_ptr + row, tl.where(complete, number, 0))


@triton.jit
def compare(
    h_ptr,
    codes_ptr,
    ids_ptr,
    length_ptr,
    column_ptr,
    number_ptr,
    key_ptr,
    F: tl.constexpr,
    WIDTH: tl.constexpr,
    CANDIDATES: tl.constexpr,
    BLOCK: tl.constexpr,
    GATHER: tl.constexpr,
):
    """Cosines of a row and its candidates in float64, rounded to float32.

    They become keys, larger for a larger score and then for a smaller id.
    """
    row = tl.program_id(0).to(tl.int64)
    first = tl.program_id(1) * BLOCK
    number = tl.load(number_ptr + row)
    if first < number:
        slots = first + tl.arange(0, BLOCK)
        column = tl.load(column_ptr + row * CANDIDATES + slots, mask=slots < number, other=0)
        code = column.to(tl.int64)
        if GATHER:
            code = tl.load(ids_ptr + code)
        within = tl.arange(0, WIDTH)
        products = tl.zeros((BLOCK, WIDTH), tl.float64)
        squares = tl.zeros((WIDTH,), tl.float64)
        for f in range(0, F, WIDTH):
            inside = f + within < F
            h = tl.load(h_ptr + row * F + f + within, mask=inside, other=0.0).to(tl.float64)
            c = tl.load(codes_ptr + code[:, None] * F + f + within[None, :], mask=inside[None, :], other=0.0)
            products += c.to(tl.float64) * h[None, :]
            squares += h * h
        length = tl.maximum(tl.sqrt(tl.sum(squares, axis=0)), 1e-12)
        cosine = tl.sum(products, axis=1) / (length * tl.load(length_ptr + column))
        score = cosine.to(tl.float32)
        bits = tl.where(score == 0.0, 0.0, score).to(tl.int32, bitcast=True)
        ordered = bits ^ ((bits >> 31) & 0x7FFFFFFF)
        key = (ordered.to(tl.int64) << 32) | (0x7FFFFFFF - column).to(tl.int64)
        tl.store(key_ptr + row * CANDIDATES + slots, key, mask=slots < number)


@triton.jit(do_not_specialize=["s"])
def order(key_ptr, number_ptr, ids_ptr, id_ptr, score_ptr, s, CANDIDATES: tl.constexpr, GATHER: tl.constexpr):
    """The ``s`` largest keys of a row, as ids and scores."""
    row = tl.program_id(0).to(tl.int64)
    slots = tl.arange(0, CANDIDATES)
    number = tl.load(number_ptr + row)
    if number > 0:
        keys = tl.load(key_ptr + row * CANDIDATES + slots, mask=slots < number, other=-0x7FFFFFFFFFFFFFFF)
        keys = tl.sort(keys, descending=True)
        ids = 0x7FFFFFFF - (keys & 0x7FFFFFFF)
        if GATHER:
            ids = tl.load(ids_ptr + ids, mask=slots < s, other=0)
        ordered = (keys >> 32).to(tl.int32)
        bits = ordered ^ ((ordered >> 31) & 0x7FFFFFFF)
        tl.store(id_ptr + row * s + slots, ids, mask=slots < s)
        tl.store(score_ptr + row * s + slots, bits.to(tl.float32, bitcast=True), mask=slots < s)


def _set_blocks(arguments: dict[str, Any]) -> None:
    for name, rows in (("x_desc", "ROWS"), ("codes_desc", "CODES")):
        arguments[name].block_shape = [arguments[rows], arguments["WIDTH"]]


def _config(rows: int, codes: int, warps: int, stages: int, registers: int | None = None) -> triton.Config:
    blocks = {"ROWS": rows, "CODES": codes, "WIDTH": 64, "GROUP": 8}
    return triton.Config(blocks, num_warps=warps, num_stages=stages, maxnreg=registers, pre_hook=_set_blocks)


# With 128 registers two programs share a multiprocessor, and one compares while the other multiplies.
CONFIGS = [
    _config(128, 128, 8, 3, 128),
    _config(128, 128, 4, 3),
    _config(64, 128, 4, 4),
]

tuned_gather_above = triton.autotune(
    CONFIGS,
    key=["bucket", "F"],
    reset_to_zero=["count_ptr"],
    do_bench=functools.partial(do_bench, warmup=2, rep=10),
)(gather_above)


def gather(
    x: Tensor, codes: Tensor, threshold: Tensor, capacity: int, config: triton.Config | None = None
) -> tuple[Tensor, Tensor]:
    """What lies above the thresholds, see `gather_above`.

    Args:
        x: [N, F] bf16, contiguous, with F a multiple of 8.
        codes: [K, F] alike.
        threshold: [N] float32, positive.
        config: how it is done; the fastest for such an N, K and F, found at the first call, when absent.

    Returns:
        [N, capacity] int64, score's bits and column, in no order; [N] int32, how many there were, more than ``capacity`` perhaps.
    """
    (n, width), k = x.shape, len(codes)
    count = torch.zeros(n, dtype=torch.int32, device=x.device)
    found = torch.empty(n, capacity, dtype=torch.int64, device=x.device)
    arguments: dict[str, Any] = {
        "x_desc": TensorDescriptor.from_tensor(x, [128, 64]),
        "codes_desc": TensorDescriptor.from_tensor(codes, [128, 64]),
        **{"threshold_ptr": threshold, "count_ptr": count, "found_ptr": found, "n": n, "k": k, "capacity": capacity},
        "bucket": 64 * n.bit_length() + k.bit_length(),
        "F": width,
    }

    def grid(meta: dict[str, Any]) -> tuple[int]:
        return (triton.cdiv(n, meta["ROWS"]) * triton.cdiv(k, meta["CODES"]),)

    if config is None:
        tuned_gather_above[grid](**arguments)
    else:
        arguments |= config.all_kwargs()
        _set_blocks(arguments)
        kernel: Any = gather_above
        kernel[grid](**arguments)
    return found, count
