"""A change of basis behind the bottleneck that costs nothing with it and ruins the model without it.

A good reconstruction lets the model work when the bottleneck is simply skipped (paper, section 3.4, against eq. 6).
If everything behind the site works in another basis than everything before it, with the bottleneck's decoder writing
in the new one, the model computes exactly the same function, and skipping hands the later layers scrambled states.
A signed permutation does it exactly, because T5's RMS norm commutes with it.

This stops the mere removal of the bottleneck, no more: who holds the weights can fit a map between the two bases.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from codeunlearn.codebook.modeling import require_bottleneck
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


@torch.no_grad()
def change_downstream_basis(model: Any, basis: SignedPermutation) -> None:
    """Rewrites the bottleneck's decoder and all that follows it in a T5 encoder; the model's outputs do not change.

    Args:
        model: a T5-like model with a bottleneck after the self-attention of one encoder layer.
        basis: the new basis.

    Raises:
        CodeUnlearnError: the bottleneck has no decoder that could write in the new basis.
    """
    bottleneck = require_bottleneck(model)
    if not bottleneck.config.autoencoder:
        raise CodeUnlearnError(
            "Only a decoder can write in a new basis; without the autoencoder give new_basis: false."
        )
    basis.rewrite_writer(bottleneck.decoder)
    layer = int(bottleneck.config.site.split(".")[2])
    for index, block in enumerate(model.encoder.block):
        if index > layer:
            _rewrite_attention(block.layer[0], basis)
        if index >= layer:
            _rewrite_feed_forward(block.layer[1], basis)
    basis.rewrite_norm(model.encoder.final_layer_norm)
    for block in model.decoder.block:
        basis.rewrite_reader(block.layer[1].EncDecAttention.k)
        basis.rewrite_reader(block.layer[1].EncDecAttention.v)


def _rewrite_attention(layer: Any, basis: SignedPermutation) -> None:
    basis.rewrite_norm(layer.layer_norm)
    for reader in (layer.SelfAttention.q, layer.SelfAttention.k, layer.SelfAttention.v):
        basis.rewrite_reader(reader)
    basis.rewrite_writer(layer.SelfAttention.o)


def _rewrite_feed_forward(layer: Any, basis: SignedPermutation) -> None:
    basis.rewrite_norm(layer.layer_norm)
    dense = layer.DenseReluDense
    for name in ("wi", "wi_0", "wi_1"):
        if hasattr(dense, name):
            basis.rewrite_reader(getattr(dense, name))
    basis.rewrite_writer(dense.wo)
