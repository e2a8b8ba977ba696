"""The parts of the joint loss (eq. 8), by name, and how much each counts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor

from codeunlearn.codebook.basis import SignedPermutation
from codeunlearn.codebook.bottleneck import BottleneckOutput
from codeunlearn.codebook.codebook import Codebook
from codeunlearn.errors import CodeUnlearnError
from codeunlearn.validation import NotNegative


@dataclass(frozen=True)
class LossWeights:
    """Weights of the loss parts beside the cross-entropy, which always counts once.

    The first two are the two halves of equation 6's gradient: reconstruction moves the bottleneck towards its input,
    ``activation_commitment`` moves the input towards its reconstruction. The next two do the same in code space, as
    vector quantisation does (van den Oord et al. 2017, eq. 3).

    Attributes:
        reconstruction: ||sg(a) - a_hat||^2 per token.
        activation_commitment: ||a - sg(a_hat)||^2 per token.
        codebook: ||sg(h) - sum of codes||^2 per token.
        commitment: ||h - sg(sum of codes)||^2 per token.
        l1: sum of the absolute entries of the selected codes per token (eq. 7).
        normalised: squared errors are divided by the variance of their target over the batch, so that the weight
            means the same at any activation norm; T5's residual norms are around a hundred.
    """

    reconstruction: NotNegative = 1.0
    activation_commitment: NotNegative = 1.0
    codebook: NotNegative = 2.0
    commitment: NotNegative = 2.0
    l1: NotNegative = 1e-6
    normalised: bool = True


LOSS_PRESETS: dict[str, LossWeights] = {
    "recommended": LossWeights(),
    "paper": LossWeights(codebook=0.0, commitment=0.0, normalised=False),
    "cross-entropy": LossWeights(0.0, 0.0, 0.0, 0.0, 0.0),
}


def loss_weights(name: str | LossWeights) -> LossWeights:
    """The weights called ``name``; weights are returned as they are.

    Raises:
        CodeUnlearnError: no preset has this name.
    """
    if isinstance(name, LossWeights):
        return name
    if name not in LOSS_PRESETS:
        raise CodeUnlearnError(f"Unknown losses {name!r}; choose one of {', '.join(LOSS_PRESETS)}.")
    return LOSS_PRESETS[name]


class BottleneckLosses(NamedTuple):
    """Scalars; the squared errors are means over real tokens of squared norms, normalised when the weights say so."""

    reconstruction: Tensor
    activation_commitment: Tensor
    codebook: Tensor
    commitment: Tensor
    l1: Tensor

    def total(self, weights: LossWeights) -> Tensor:
        names = [field.name for field in fields(weights) if field.name != "normalised"]
        return torch.stack([getattr(weights, name) * getattr(self, name) for name in names]).sum()


def bottleneck_losses(
    output: BottleneckOutput,
    codebook: Codebook,
    mask: Tensor,
    *,
    normalised: bool,
    basis: SignedPermutation | None = None,
) -> BottleneckLosses:
    """The parts of equation 7 and their code-space companions, over real tokens only.

    Args:
        output: what the bottleneck recorded in this forward pass.
        codebook: its codebook.
        mask: [batch, length], 1 for real tokens.
        normalised: see `LossWeights`.
        basis: the basis that the layers after the bottleneck work in, when it is not their input's.
    """
    real = mask.bool()
    a, h = output.a[real].float(), output.h[real].float()
    a_hat, code_sum = output.a_hat[real].float(), output.code_sum[real].float()
    a = basis.apply(a) if basis is not None else a
    scale_a, scale_h = (_variance(a), _variance(h)) if normalised else (1.0, 1.0)
    return BottleneckLosses(
        reconstruction=_squared_error(a.detach(), a_hat) / scale_a,
        activation_commitment=_squared_error(a, a_hat.detach()) / scale_a,
        codebook=_squared_error(h.detach(), code_sum) / scale_h,
        commitment=_squared_error(h, code_sum.detach()) / scale_h,
        l1=codebook.weight[output.ids[real]].abs().sum((-2, -1)).mean(),
    )


def _squared_error(left: Tensor, right: Tensor) -> Tensor:
    return (left - right).square().sum(-1).mean()


def _variance(x: Tensor) -> Tensor:
    """Mean squared distance from the batch mean: what an error of 1 would be for a model that knows only the mean."""
    x = x.detach()
    return (x - x.mean(0)).square().sum(-1).mean().clamp_min(1e-8)
