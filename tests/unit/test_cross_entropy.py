"""Our cross-entropy is torch's, with less memory traffic."""

import pytest
import torch
from torch.nn import functional

from codeunlearn.training import cross_entropy as module
from codeunlearn.training.cross_entropy import cross_entropy


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("chunk", [1, 2000, 1 << 20])
def test_it_equals_torch_in_value_and_gradient(monkeypatch: pytest.MonkeyPatch, smoothing: float, chunk: int) -> None:
    monkeypatch.setattr(module, "CHUNK_ENTRIES", chunk)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 7, 300, generator=generator).requires_grad_()
    labels = torch.randint(0, 300, (5, 7), generator=generator)
    labels[::2, 4:] = -100
    ours = cross_entropy(logits, labels, smoothing)
    theirs = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=smoothing)
    torch.testing.assert_close(ours, theirs)
    mine, reference = (torch.autograd.grad(3 * loss, logits)[0] for loss in (ours, theirs))
    torch.testing.assert_close(mine, reference)


def test_bfloat16_logits_lose_only_their_own_rounding() -> None:
    logits = torch.randn(40, 500, generator=torch.Generator().manual_seed(0)).bfloat16().requires_grad_()
    labels = torch.arange(40)
    loss = cross_entropy(logits, labels)
    exact = functional.cross_entropy(logits.float(), labels)
    torch.testing.assert_close(loss, exact)
    (gradient,) = torch.autograd.grad(loss, logits)
    (expected,) = torch.autograd.grad(exact, logits)
    torch.testing.assert_close(gradient, expected)
    assert gradient.dtype == torch.bfloat16


def test_nothing_asked_is_no_loss_and_no_gradient() -> None:
    logits = torch.randn(3, 9, requires_grad=True)
    loss = cross_entropy(logits, torch.full((3,), -100))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert float(loss) == 0
    assert not gradient.any()
