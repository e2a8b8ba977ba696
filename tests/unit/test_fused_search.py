"""The search in one pass over the codes, on a GPU or in Triton's interpreter, finds the reference's codes.

Run as a script with TRITON_INTERPRET=1, this file checks the kernels on the processor; a test does so where Triton is installed.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor

from codeunlearn.codebook.selecting import fast as fast_search
from codeunlearn.codebook.selecting import fused as fused_search
from codeunlearn.codebook.selecting.fast import PreparedCodes, top_s
from codeunlearn.codebook.selecting.fused import FusedCodes, fused_top_s, plan
from codeunlearn.codebook.selecting.reference import top_s_reference

KINDS = ("gaussian", "rectified", "near to codes", "duplicates", "nearly parallel", "all equal")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def vectors(kind: str, n: int, k: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Activations [N, F] and codes [K, F]; the first activation is zero."""
    generator = torch.Generator().manual_seed(seed)
    h, codes = (torch.randn(rows, width, generator=generator) for rows in (n, k))
    if kind == "rectified":
        h, codes = h.relu(), codes.relu()
    elif kind == "near to codes":
        h = codes[torch.randint(k, (n,), generator=generator)] + 0.5 * h
    elif kind == "duplicates":
        codes = codes[torch.arange(k) % (k // 3)]
    elif kind == "nearly parallel":
        h, codes = 1 + 0.02 * h, 1 + 0.02 * codes
    elif kind == "all equal":
        h, codes = h[:1].expand(n, -1).clone(), codes[:1].expand(k, -1).clone()
    h[0] = 0
    return h, codes


def uncertain_rows(
    h: Tensor, codes: Tensor, s: int, deleted: Tensor | None = None, byte_budget: int = 2**29, config: Any = None
) -> Tensor:
    """Checks the rows that the kernels are certain of against the reference; returns the others."""
    ids = None if deleted is None else (~deleted).nonzero()[:, 0]
    found, rows = fused_top_s(h, FusedCodes(codes, ids), s, byte_budget=byte_budget, config=config)
    expected = top_s_reference(h, codes, s, deleted)
    certain = torch.ones(len(h), dtype=torch.bool, device=h.device)
    certain[rows] = False
    assert torch.equal(found.ids[certain], expected.ids[certain])
    assert torch.equal(found.scores[certain], expected.scores[certain])
    return rows


@pytest.mark.parametrize("s", [1, 8, 104])
def test_hardly_a_row_has_too_few_or_too_many_codes_above_its_threshold(s: int) -> None:
    """Codes in random order: how many lie above the r-th best of every 16th."""
    rank, capacity, candidates = plan(s)
    generator = torch.Generator().manual_seed(s)
    scores = torch.rand(1000, 25_000, generator=generator)
    threshold = scores[:, 8::16].topk(rank).values[:, -1:]
    above = (scores > threshold).sum(1)
    assert float((above < s + max(8, s // 2)).float().mean()) < 0.002
    assert float((above > capacity).float().mean()) < 0.002
    assert candidates & (candidates - 1) == 0
    assert candidates > s


def test_a_processor_is_not_served() -> None:
    assert not fused_search.serves(torch.device("cpu"), 10_000, 25_000, 512, 8)


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="no Triton")
def test_the_kernels_in_tritons_interpreter() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, __file__], env=environment, check=True)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("n", "k", "width", "s"),
    [(256, 4096, 512, 8), (1000, 25_000, 512, 8), (300, 25_003, 512, 104), (257, 9001, 72, 1), (129, 12_000, 256, 24)],
)
def test_certain_rows_have_the_references_codes(kind: str, n: int, k: int, width: int, s: int) -> None:
    h, codes = (part.cuda() for part in vectors(kind, n, k, width))
    rows = uncertain_rows(h, codes, s, config=fused_search.kernels().CONFIGS[0])
    assert 0 in rows  # nothing can be said of a zero activation
    if kind in ("rectified", "near to codes"):
        assert len(rows) <= 1 + 0.05 * n


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("s", [1, 8, 104])
def test_the_search_on_a_gpu_has_the_references_codes(kind: str, s: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uncertain rows included, with deleted codes and numbers that no tile divides."""
    monkeypatch.setattr(fused_search, "LEAST_ROWS", 1)
    monkeypatch.setattr(fused_search, "LEAST_CODES", 1)
    h, codes = (part.cuda() for part in vectors(kind, 203, 8011, 512, seed=s))
    deleted = torch.rand(len(codes), device="cuda", generator=torch.Generator("cuda").manual_seed(0)) < 0.2
    assert fused_search.serves(h.device, len(h), int((~deleted).sum()), 512, s)
    for gone in (None, deleted):
        found, expected = top_s(h, PreparedCodes(codes, gone), s), top_s_reference(h, codes, s, gone)
        assert torch.equal(found.ids, expected.ids)
        torch.testing.assert_close(found.scores, expected.scores, atol=1e-6, rtol=0)


@pytest.mark.gpu
@needs_gpu
def test_every_way_to_do_the_product_finds_the_same() -> None:
    h, codes = (part.cuda() for part in vectors("rectified", 300, 9001, 512))
    for config in fused_search.kernels().CONFIGS:
        assert len(uncertain_rows(h, codes, 8, config=config)) <= 15


@pytest.mark.gpu
@needs_gpu
def test_activations_and_codes_in_other_types_and_in_parts() -> None:
    h, codes = (part.cuda() for part in vectors("rectified", 500, 9001, 128))
    config = fused_search.kernels().CONFIGS[0]
    uncertain_rows(h, codes, 8, config=config, byte_budget=1_000_000)
    uncertain_rows(h.bfloat16(), codes, 8, config=config)
    uncertain_rows(h.half(), codes.bfloat16(), 8, config=config)
    uncertain_rows(h.T.contiguous().T, codes, 8, config=config)


@pytest.mark.gpu
@needs_gpu
def test_more_codes_above_the_threshold_than_there_is_room_for() -> None:
    """One code in many copies, which the sample sees too few of: rows near it are not certain, the others are."""
    h, codes = (part.cuda() for part in vectors("gaussian", 256, 8192, 512))
    many = [i for i in range(8192) if i % 16 != 8][:2000]
    codes[many] = codes[0].clone()
    h[1:9] = codes[0] + 0.1 * h[1:9]
    rows = uncertain_rows(h, codes, 8)
    assert set(range(9)) <= set(rows.tolist())
    assert len(rows) < 50
    assert torch.equal(top_s(h, PreparedCodes(codes), 8).ids, top_s_reference(h, codes, 8).ids)


@pytest.mark.gpu
@needs_gpu
def test_codes_and_activations_that_are_no_numbers_write_nowhere_else() -> None:
    """As when a training diverges."""
    check_that_nothing_is_written_beside("cuda", fused_search.kernels().CONFIGS[0])
    h, codes = (part.cuda() for part in vectors("rectified", 257, 8192, 512))
    h[3], codes[5] = torch.nan, torch.nan
    found = top_s(h, PreparedCodes(codes), 8).ids
    assert int(found.min()) >= 0
    assert int(found.max()) < 8192


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="no Triton")
def test_errors_of_compiling_are_told_from_errors_of_running() -> None:
    from triton.errors import TritonError  # pyright: ignore[reportMissingImports]

    failing = subprocess.CalledProcessError(1, "gcc")
    for error in (
        TritonError("no such instruction"),
        failing,
        OSError("no space"),
        RuntimeError("PassManager::run failed"),
    ):
        assert fused_search.cannot_compile(error)
    assert not fused_search.cannot_compile(RuntimeError("CUDA error: an illegal memory access was encountered"))


@pytest.mark.gpu
@needs_gpu
def test_kernels_that_do_not_compile_are_replaced_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("PassManager::run failed")

    monkeypatch.setattr(fused_search, "_broken", [])
    monkeypatch.setattr(fast_search.fused_search, "fused_top_s", fail)
    h, codes = (part.cuda() for part in vectors("gaussian", 256, 8192, 128))
    with pytest.warns(RuntimeWarning, match="Triton cannot compile the fused search here"):
        found = top_s(h, PreparedCodes(codes), 8)
    assert torch.equal(found.ids, top_s_reference(h, codes, 8).ids)
    assert not fused_search.serves(h.device, 256, 8192, 128, 8)


def check_in_interpreter() -> None:
    """Small, because every program of a kernel takes milliseconds there."""
    kernels = fused_search.kernels()
    gather = kernels.gather
    # The interpreter multiplies the bits of bf16 numbers; in float32 they are the same numbers.
    kernels.gather = lambda x, codes, *rest: gather(x.float(), codes.float(), *rest)
    config = kernels.CONFIGS[0]
    deleted = torch.arange(700) % 7 == 3
    for kind, s, gone in (("rectified", 1, None), ("near to codes", 8, deleted), ("gaussian", 40, None)):
        h, codes = vectors(kind, 6, 700, 72)
        rows = uncertain_rows(h, codes, s, gone, config=config, byte_budget=30_000)
        assert 0 in rows
        assert len(rows) <= 3
    for kind in ("duplicates", "nearly parallel", "all equal"):
        uncertain_rows(*vectors(kind, 3, 300, 72), 8, config=config)
    check_that_nothing_is_written_beside("cpu", config)


def check_that_nothing_is_written_beside(device: str, config: Any) -> None:
    """A tile reaches beyond the last activation; codes that are no numbers must not count there."""
    kernels = fused_search.kernels()
    h, codes = (part.to(device) for part in vectors("rectified", 5, 300, 72))
    codes[7] = torch.nan
    n, capacity = len(h), 64
    counts = torch.zeros(128, dtype=torch.int32, device=device)
    found = torch.zeros(128, capacity, dtype=torch.int64, device=device)
    threshold = torch.full((n,), 0.1, device=device)
    with (
        mock.patch.object(kernels.torch, "zeros", return_value=counts[:n]),
        mock.patch.object(kernels.torch, "empty", return_value=found[:n]),
    ):
        kernels.gather(h.bfloat16(), codes.bfloat16(), threshold, capacity, config)
    assert counts[:n].any()
    assert not counts[n:].any()
    assert not found[n:].any()


if __name__ == "__main__":
    check_in_interpreter()
