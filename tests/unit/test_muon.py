"""Muon's updates are orthogonal, and with bf16 the optimizer is torch's own."""

from __future__ import annotations

import pytest
import torch

from codeunlearn.training.muon import Muon, orthogonalise


@pytest.mark.parametrize("shape", [(8, 8), (6, 20), (20, 6)])
def test_every_singular_value_comes_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    found = torch.linalg.svdvals(orthogonalise(matrix))
    assert found.min() > 0.5
    assert found.max() < 1.5


def test_singular_vectors_are_kept() -> None:
    matrix = torch.diag(torch.tensor([3.0, 2.0, 1.0]))
    found = orthogonalise(matrix)
    assert torch.equal(found, torch.diag(torch.diag(found)))
    assert (torch.diag(found) > 0).all()


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon of its own")
@pytest.mark.parametrize("shape", [(4, 12), (12, 4)])
def test_with_bf16_it_is_torchs(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(1)
    ours, theirs = (torch.nn.Parameter(torch.ones(shape)) for _ in range(2))
    steps = (
        Muon([ours], lr=0.1, weight_decay=0.2),
        torch.optim.Muon([theirs], lr=0.1, weight_decay=0.2, adjust_lr_fn="match_rms_adamw"),
    )
    for _ in range(3):
        gradient = torch.randn(shape, generator=generator)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        for optimizer in steps:
            optimizer.step()
    assert torch.equal(ours, theirs)


def test_several_matrices_at_once_are_each_made_orthogonal() -> None:
    matrices = torch.randn(3, 6, 20, generator=torch.Generator().manual_seed(2))
    expected = torch.stack([orthogonalise(matrix) for matrix in matrices])
    torch.testing.assert_close(orthogonalise(matrices), expected)
    torch.testing.assert_close(orthogonalise(matrices.mT), expected.mT)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_matrices_that_are_taken_together_on_a_gpu_move_as_each_alone_does() -> None:
    generator = torch.Generator().manual_seed(3)
    together = [
        torch.nn.Parameter(torch.randn(shape, generator=generator).cuda()) for shape in ((4, 9), (4, 9), (9, 4))
    ]
    alone = [torch.nn.Parameter(matrix.detach().cpu()) for matrix in together]
    for ours, theirs in zip(together, alone, strict=True):
        theirs.grad = torch.randn(theirs.shape, generator=generator)
        ours.grad = theirs.grad.cuda()
    for matrices in (together, alone):
        Muon(matrices, lr=0.1, weight_decay=0.1, dtype=torch.float32).step()
    for ours, theirs in zip(together, alone, strict=True):
        torch.testing.assert_close(ours.cpu(), theirs, rtol=1e-3, atol=1e-4)


def test_a_matrix_without_a_gradient_stays() -> None:
    matrix = torch.nn.Parameter(torch.ones(2, 2))
    Muon([matrix], lr=0.1, weight_decay=0.2).step()
    assert torch.equal(matrix, torch.ones(2, 2))
