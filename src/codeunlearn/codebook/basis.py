"""A change of basis behind the bottleneck that costs nothing with it and ruins the model without it.

A good reconstruction lets the model work when the bottleneck is simply skipped (paper, section 3.4, against eq. 6).
If everything behind the site works in another basis than everything before it, with the bottleneck's decoder writing
in the new one, the model computes exactly the same function, and skipping hands the later layers scrambled states.
A signed permutation does it exactly where the norms are RMS norms, which commute with it, as T5's and Llama's do. Each
architecture knows what it has to rewrite, and refuses where its norms do not allow it.

This stops the mere removal of the bottleneck, no more: who holds the weights can fit a map between the two bases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from codeunlearn.codebook.architectures import architecture_of, base_type
from codeunlearn.codebook.bottleneck import require_bottleneck
from codeunlearn.errors import CodeUnlearnError


@dataclass(frozen=True)
class SignedPermutation:
    """x'_i = signs_i * x_order(i).

    Attributes:
        order: [d] int64.
        signs: [d], each 1 or -1.
    """

    order: Tensor
    signs: Tensor

    @classmethod
    def random(cls, width: int, seed: int) -> SignedPermutation:
        generator = torch.Generator().manual_seed(seed)
        signs = torch.randint(0, 2, (width,), generator=generator) * 2.0 - 1.0
        return cls(torch.randperm(width, generator=generator), signs)

    def apply(self, x: Tensor) -> Tensor:
        """[..., d] states from the old basis to the new."""
        return x[..., self.order.to(x.device)] * self.signs.to(x)

    def rewrite_reader(self, linear: nn.Linear) -> None:
        """``linear`` shall read states of the new basis and return what it returned before."""
        linear.weight.copy_(self.apply(linear.weight))

    def rewrite_writer(self, linear: nn.Linear) -> None:
        """``linear`` shall write into the new basis."""
        linear.weight.copy_(self.apply(linear.weight.T).T)
        if linear.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
            linear.bias.copy_(self.apply(linear.bias))

    def rewrite_norm(self, norm: Any) -> None:
        """An RMS norm over states of the new basis: its weights move along, signs pass through it."""
        norm.weight.copy_(norm.weight[self.order.to(norm.weight.device)])


def allows_basis(model: Any) -> bool:
    """Whether the layers behind the bottleneck can work in another basis, see `require_basis`."""
    return _against_basis(model) is None


def require_basis(model: Any) -> None:
    """That the layers behind the bottleneck can work in another basis.

    Raises:
        CodeUnlearnError: the bottleneck has no decoder that could write in it, states pass it, or the model's norms do not
            allow it.
    """
    if reason := _against_basis(model):
        raise CodeUnlearnError(f"{reason}; give new_basis: false (--no-new-basis).")


def _against_basis(model: Any) -> str | None:
    """Why they cannot; None where they can."""
    config, kind = require_bottleneck(model).config, str(model.config.model_type)
    if not config.autoencoder:
        return "Only a decoder can write in a new basis, and there is none without the autoencoder"
    if config.control_tokens:
        return "The first token of a causal model passes the bottleneck, in the basis that it has"
    if not architecture_of(kind).rms_norm:
        return (
            "Only RMS norms let the layers behind the bottleneck work in a new basis, and a "
            f"{base_type(kind)!r} model has others"
        )
    return None


@torch.no_grad()
def change_downstream_basis(model: Any, basis: SignedPermutation) -> None:
    """Rewrites the bottleneck's decoder and all that reads or writes behind it; the model's outputs do not change.

    Args:
        model: has a bottleneck.
        basis: the new basis, as wide as the model's states.

    Raises:
        CodeUnlearnError: as `require_basis`.
    """
    require_basis(model)
    bottleneck, architecture = require_bottleneck(model), architecture_of(model.config.model_type)
    layer, where = architecture.find(model.config, bottleneck.config.site)
    basis.rewrite_writer(bottleneck.decoder)
    architecture.change_basis(model, layer, where, basis)
