"""The fast search finds exactly what equation 2 asks for, whatever memory it may use."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from codeunlearn.codebook import search
from codeunlearn.codebook.search import top_s, top_s_reference

SHAPES = [(1, 1, 1), (1, 9, 9), (7, 5, 2), (40, 33, 8), (100, 257, 72), (13, 64, 63)]


def signs(rows: int, seed: int, width: int = 16) -> Tensor:
    """Vectors of +-1: all cosines are exact multiples of 1/16, so ties abound and rounding plays no part."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (rows, width), generator=generator) * 2.0 - 1.0


def gaussian(rows: int, seed: int, width: int = 16) -> Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("n", "k", "s"), SHAPES)
@pytest.mark.parametrize("byte_budget", [1, 1000, 20_000, search.BYTE_BUDGET])
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


def test_no_more_similarities_are_held_than_the_byte_budget_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    chunk = search._top_s_chunk

    def spy(h: Tensor, unit_codes: Tensor, s: int, deleted: Tensor | None) -> search.Selection:
        held.append(h.shape[0] * unit_codes.shape[1] * 4)
        return chunk(h, unit_codes, s, deleted)

    monkeypatch.setattr(search, "_top_s_chunk", spy)
    top_s(gaussian(100, 6), gaussian(50, 7), 3, byte_budget=2000)
    assert len(held) == 10
    assert max(held) <= 2000


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


def test_bf16_codes_are_compared_in_fp32() -> None:
    h, codes = gaussian(50, 11).bfloat16(), gaussian(100, 12).bfloat16()
    assert torch.equal(top_s(h, codes, 4).scores, top_s(h.float(), codes.float(), 4).scores)


def test_the_search_passes_no_gradient() -> None:
    h, codes = gaussian(3, 13).requires_grad_(), gaussian(9, 14).requires_grad_()
    assert not top_s(h, codes, 2).scores.requires_grad


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("n", "k", "s"), SHAPES)
def test_search_on_cuda_equals_the_reference_on_the_processor(n: int, k: int, s: int) -> None:
    h, codes = signs(n, seed=n), signs(k, seed=k)
    fast, slow = top_s(h.cuda(), codes.cuda(), s, byte_budget=20_000), top_s_reference(h, codes, s)
    assert torch.equal(fast.ids.cpu(), slow.ids)
