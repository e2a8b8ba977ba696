"""The fast search finds exactly what equation 2 asks for, whatever memory it may use."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from codeunlearn.codebook.selecting import fast as fast_search
from codeunlearn.codebook.selecting.fast import BYTE_BUDGET, PreparedCodes, best_columns
from codeunlearn.codebook.selecting.reference import Selection, top_s_reference

SHAPES = [(1, 1, 1), (1, 9, 9), (7, 5, 2), (40, 33, 8), (100, 257, 72), (13, 64, 63)]


def top_s(
    h: Tensor,
    codes: Tensor,
    s: int,
    deleted: Tensor | None = None,
    *,
    low: torch.dtype | None = None,
    byte_budget: int = BYTE_BUDGET,
) -> Selection:
    return fast_search.top_s(h, PreparedCodes(codes, deleted, low), s, byte_budget=byte_budget)


def signs(rows: int, seed: int, width: int = 16) -> Tensor:
    """Vectors of +-1: all cosines are exact multiples of 1/16, so ties abound and rounding plays no part."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (rows, width), generator=generator) * 2.0 - 1.0


def gaussian(rows: int, seed: int, width: int = 16) -> Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("n", "k", "s"), SHAPES)
@pytest.mark.parametrize("byte_budget", [1, 1000, 20_000, BYTE_BUDGET])
def test_search_equals_the_reference_at_every_shape_and_byte_budget(n: int, k: int, s: int, byte_budget: int) -> None:
    h, codes = signs(n, seed=n + k), signs(k, seed=s)
    fast, slow = top_s(h, codes, s, byte_budget=byte_budget), top_s_reference(h, codes, s)
    assert fast.ids.shape == fast.scores.shape == (n, s)
    assert torch.equal(fast.ids, slow.ids)
    assert torch.equal(fast.scores, slow.scores)


@pytest.mark.parametrize(("n", "k", "s"), SHAPES)
def test_search_equals_the_reference_with_deleted_codes(n: int, k: int, s: int) -> None:
    h, codes = signs(n, seed=n), signs(k, seed=k)
    deleted = torch.rand(k, generator=torch.Generator().manual_seed(s)) < 0.3
    fast, slow = top_s(h, codes, s, deleted, byte_budget=1000), top_s_reference(h, codes, s, deleted)
    assert torch.equal(fast.ids, slow.ids)
    assert torch.equal(fast.scores, slow.scores)


def test_found_codes_are_the_best_for_ordinary_vectors() -> None:
    h, codes = gaussian(50, 0), gaussian(200, 1)
    found = top_s(h, codes, 8, byte_budget=3000)
    exact = torch.nn.functional.cosine_similarity(h.double()[:, None], codes.double()[None], dim=-1)
    best = exact.sort(dim=-1, descending=True).values[:, :8]
    torch.testing.assert_close(exact.gather(1, found.ids), best, atol=1e-6, rtol=0)
    torch.testing.assert_close(found.scores.double(), best, atol=1e-6, rtol=0)


def test_exact_ties_go_to_the_smaller_id() -> None:
    code = signs(1, seed=0)
    found = top_s(code, torch.cat([-code, code, code, code]), 2)
    assert found.ids.tolist() == [[1, 2]]


def test_a_tie_across_the_boundary_of_s_keeps_the_smaller_id_inside() -> None:
    """Ids 0 to 29 all tie for the second place behind id 30, and only one of them fits."""
    h = torch.eye(4)[:1]
    codes = torch.cat([torch.eye(4)[1:2].repeat(30, 1), h])
    assert top_s(h, codes, 2).ids.tolist() == [[30, 0]]


def test_length_of_codes_and_activations_plays_no_part() -> None:
    h, codes = gaussian(20, 2), gaussian(60, 3)
    lengths = 2.0 ** torch.arange(60).remainder(5)[:, None]
    assert torch.equal(top_s(h, codes, 5).ids, top_s(4 * h, lengths * codes, 5).ids)


def test_a_deleted_code_never_has_a_score() -> None:
    """With fewer codes left than slots, the empty slots are marked by -inf."""
    h, codes = gaussian(10, 4), gaussian(12, 5)
    deleted = torch.ones(12, dtype=torch.bool)
    deleted[[3, 7]] = False
    found = top_s(h, codes, 5, deleted)
    assert set(found.ids[:, :2].flatten().tolist()) == {3, 7}
    assert found.scores[:, 2:].isneginf().all()
    assert found.scores[:, :2].isfinite().all()


def test_no_more_is_held_than_the_byte_budget_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    search = fast_search._search

    def spy(h: Tensor, codes: PreparedCodes, s: int) -> Selection:
        rows.append(len(h))
        return search(h, codes, s)

    monkeypatch.setattr(fast_search, "_search", spy)
    h, codes = gaussian(100, 6), gaussian(500, 7)
    top_s(h, codes, 3, low=torch.float32, byte_budget=40_000)
    similarities = 4 * 500
    assert set(rows[:-1]) == {40_000 // similarities}
    assert sum(rows) == 100


def test_no_activations_give_an_empty_selection() -> None:
    found = top_s(torch.empty(0, 16), gaussian(5, 8), 3)
    assert found.ids.shape == (0, 3)
    assert found.ids.dtype == torch.int64


def test_autocast_does_not_change_the_search() -> None:
    h, codes = gaussian(200, 9), gaussian(500, 10)
    plain = top_s(h, codes, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = top_s(h, codes, 8)
        reference = top_s_reference(h, codes, 8)
    assert torch.equal(plain.ids, mixed.ids)
    assert torch.equal(plain.scores, mixed.scores)
    torch.testing.assert_close(plain.scores, reference.scores)


def test_a_users_matmul_precision_neither_matters_nor_changes() -> None:
    h, codes = gaussian(100, 9, 64), gaussian(3000, 10, 64)
    torch.set_float32_matmul_precision("medium")
    try:
        found = top_s(h, codes, 8, low=torch.float32)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert torch.equal(found.ids, top_s_reference(h, codes, 8).ids)


def test_bf16_codes_are_compared_in_fp32() -> None:
    h, codes = gaussian(50, 11).bfloat16(), gaussian(100, 12).bfloat16()
    assert torch.equal(top_s(h, codes, 4).scores, top_s(h.float(), codes.float(), 4).scores)


def test_the_search_passes_no_gradient() -> None:
    h, codes = gaussian(3, 13).requires_grad_(), gaussian(9, 14).requires_grad_()
    assert not top_s(h, codes, 2).scores.requires_grad


LOW = [torch.bfloat16, torch.float32]


@pytest.mark.parametrize("low", LOW)
@pytest.mark.parametrize(("n", "k", "width", "s"), [(50, 8000, 64, 8), (20, 4000, 128, 104), (20, 257, 16, 72)])
@pytest.mark.parametrize("kind", ["gaussian", "half zero", "nearly parallel", "duplicates"])
def test_a_first_pass_in_any_type_gives_the_references_ids(
    kind: str, n: int, k: int, width: int, s: int, low: torch.dtype
) -> None:
    h, codes = gaussian(n, n + k, width), gaussian(k, s, width)
    if kind == "half zero":
        h, codes = h.relu(), codes.relu()
    elif kind == "nearly parallel":  # all similarities lie within what bf16 can tell apart
        h, codes = 1 + 0.02 * h, 1 + 0.02 * codes
    elif kind == "duplicates":
        codes[k // 2 :] = codes[: k - k // 2].clone()
    deleted = torch.rand(k, generator=torch.Generator().manual_seed(0)) < 0.2
    fast, slow = top_s(h, codes, s, deleted, low=low), top_s_reference(h, codes, s, deleted)
    assert torch.equal(fast.ids, slow.ids)
    torch.testing.assert_close(fast.scores, slow.scores, atol=1e-6, rtol=0)


def test_only_rows_without_a_certificate_are_searched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[tuple[torch.dtype, int]] = []
    fill = fast_search._fill

    def spy(found: Selection, rows: Tensor, h: Tensor, codes: PreparedCodes, low: Tensor, lost: float) -> Tensor:
        passes.append((low.dtype, len(rows)))
        return fill(found, rows, h, codes, low, lost)

    monkeypatch.setattr(fast_search, "_fill", spy)
    clear, doubtful = gaussian(30, 0, 64), gaussian(1, 1, 64)
    codes = torch.cat([gaussian(8000, 2, 64), doubtful + 1e-4 * gaussian(100, 3, 64)])
    top_s(torch.cat([clear, doubtful]), codes, 8, low=torch.bfloat16)
    (first, all_rows), (second, few_rows) = passes
    assert (first, second) == (torch.bfloat16, torch.float32)
    assert all_rows == 31
    assert 1 <= few_rows <= 4


def test_rows_that_resemble_no_code_are_found_too() -> None:
    """All similarities are negative, where bits are not in the order of numbers."""
    codes = 1 + 0.1 * gaussian(8000, 0, 64)
    h = -codes[:5] + 0.1
    for low in LOW:
        assert torch.equal(top_s(h, codes, 8, low=low).ids, top_s_reference(h, codes, 8).ids)


def test_more_equal_codes_than_candidates_are_left_to_the_reference() -> None:
    h, codes = gaussian(3, 0), gaussian(1, 1).repeat(300, 1)
    for low in LOW:
        assert torch.equal(top_s(h, codes, 8, low=low).ids, torch.arange(8).expand(3, 8))


@pytest.mark.parametrize(("columns", "count"), [(7, 3), (100, 24), (1000, 24), (1003, 24), (8192, 40), (5000, 138)])
def test_the_best_columns_are_those_of_a_full_sort(columns: int, count: int) -> None:
    scores = gaussian(20, columns, columns)
    found, smallest = best_columns(scores, count)
    expected = scores.topk(count, dim=-1)
    assert torch.equal(found.sort(dim=-1).values, expected.indices.sort(dim=-1).values)
    assert torch.equal(smallest, expected.values[:, -1])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("n", "k", "s"), SHAPES)
def test_search_on_cuda_equals_the_reference_on_the_processor(n: int, k: int, s: int) -> None:
    h, codes = signs(n, seed=n), signs(k, seed=k)
    fast, slow = top_s(h.cuda(), codes.cuda(), s, byte_budget=20_000), top_s_reference(h, codes, s)
    assert torch.equal(fast.ids.cpu(), slow.ids)
