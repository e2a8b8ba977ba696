"""The parts of the joint loss: what they measure, and whom they move."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from codeunlearn.codebook.basis import SignedPermutation
from codeunlearn.codebook.bottleneck import BottleneckOutput, ConceptBottleneck
from codeunlearn.codebook.config import BottleneckConfig
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.training.losses import LOSS_PRESETS, BottleneckLosses, LossWeights, bottleneck_losses, loss_weights

PARTS = ("reconstruction", "activation_commitment", "codebook", "commitment")


@pytest.fixture
def bottleneck(tiny_config: BottleneckConfig) -> ConceptBottleneck:
    torch.manual_seed(0)
    return ConceptBottleneck(tiny_config)


def activations() -> Tensor:
    return torch.randn(3, 5, 16, generator=torch.Generator().manual_seed(1)).requires_grad_()


def ones() -> Tensor:
    return torch.ones(3, 5, dtype=torch.long)


def parts(
    bottleneck: ConceptBottleneck, a: Tensor, mask: Tensor, normalised: bool = False, **options: Any
) -> tuple[BottleneckOutput, BottleneckLosses]:
    output = bottleneck.run(a)
    return output, bottleneck_losses(output, bottleneck.codebook, mask, normalised=normalised, **options)


def test_each_part_is_a_mean_over_tokens_of_squared_norms(bottleneck: ConceptBottleneck) -> None:
    a = activations()
    output, found = parts(bottleneck, a, ones())
    in_activations = (a - output.a_hat).square().sum(-1).mean()
    in_codes = (output.h - output.code_sum).square().sum(-1).mean()
    torch.testing.assert_close(found.reconstruction, in_activations)
    torch.testing.assert_close(found.activation_commitment, in_activations)
    torch.testing.assert_close(found.codebook, in_codes)
    torch.testing.assert_close(found.commitment, in_codes)
    torch.testing.assert_close(found.l1, bottleneck.codebook.weight[output.ids].abs().sum((-2, -1)).mean())


def test_padding_counts_nowhere(bottleneck: ConceptBottleneck) -> None:
    mask = ones()
    mask[:, 3:] = 0
    _, padded = parts(bottleneck, activations(), mask, normalised=True)
    _, short = parts(bottleneck, activations()[:, :3], mask[:, :3], normalised=True)
    for one, other in zip(padded, short, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    ("part", "moved"),
    [
        ("reconstruction", {"decoder", "codebook", "encoder", "norm"}),
        ("activation_commitment", {"input"}),
        ("codebook", {"codebook"}),
        ("commitment", {"input", "encoder", "norm"}),
    ],
)
def test_each_half_moves_only_its_own_side(bottleneck: ConceptBottleneck, part: str, moved: set[str]) -> None:
    source = activations()
    a = source * 1.0  # what the model computed; reconstruction reaches it only through the straight-through encoder
    output = bottleneck.run(a.detach() if part == "reconstruction" else a)
    found = bottleneck_losses(output, bottleneck.codebook, ones(), normalised=False)
    getattr(found, part).backward()
    reached = {
        name.partition(".")[0] for name, p in bottleneck.named_parameters() if p.grad is not None and p.grad.any()
    }
    reached |= {"input"} if source.grad is not None and source.grad.any() else set()
    assert reached == moved


def test_normalised_parts_do_not_depend_on_the_scale_of_activations(bottleneck: ConceptBottleneck) -> None:
    output = bottleneck.run(activations().detach())
    louder = output._replace(a=100 * output.a, a_hat=100 * output.a_hat)
    quiet, loud = (bottleneck_losses(o, bottleneck.codebook, ones(), normalised=True) for o in (output, louder))
    torch.testing.assert_close(loud.reconstruction, quiet.reconstruction)
    raw = bottleneck_losses(louder, bottleneck.codebook, ones(), normalised=False)
    assert raw.reconstruction > 1000 * quiet.reconstruction


def test_in_another_basis_a_perfect_reconstruction_is_the_rotated_input(bottleneck: ConceptBottleneck) -> None:
    basis = SignedPermutation.random(16, seed=3)
    output = bottleneck.run(activations().detach())
    rotated = output._replace(a_hat=basis.apply(output.a))
    found = bottleneck_losses(rotated, bottleneck.codebook, ones(), normalised=True, basis=basis)
    assert float(found.reconstruction) == 0
    straight = bottleneck_losses(rotated, bottleneck.codebook, ones(), normalised=True)
    assert float(straight.reconstruction) > 1


def test_weights_multiply_the_parts() -> None:
    found = BottleneckLosses(*(torch.tensor(float(value)) for value in (1, 10, 100, 1000, 10_000)))
    assert float(found.total(LossWeights(1, 2, 3, 4, 5))) == 1 + 20 + 300 + 4000 + 50_000
    for index, name in enumerate((*PARTS, "l1")):
        alone = replace(LossWeights(0, 0, 0, 0, 0), **{name: 1.0})
        assert float(found.total(alone)) == 10**index


def test_the_papers_preset_is_equation_7_as_written() -> None:
    paper = LOSS_PRESETS["paper"]
    assert (paper.reconstruction, paper.activation_commitment, paper.l1) == (1.0, 1.0, 1e-6)
    assert (paper.codebook, paper.commitment, paper.normalised) == (0.0, 0.0, False)


def test_weights_are_named_or_given() -> None:
    given = LossWeights(codebook=0.5)
    assert loss_weights(given) is given
    assert loss_weights("recommended") == LossWeights()
    with pytest.raises(CodeUnlearnError, match="Unknown losses 'mse'; choose one of recommended"):
        loss_weights("mse")
