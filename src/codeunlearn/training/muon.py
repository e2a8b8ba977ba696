"""Muon (Jordan et al. 2024), which gives a weight matrix an update whose singular values are all about 1.

torch's own Muon always iterates in bf16, which takes most of a step on a processor without bf16 products; this one iterates
in the type that it is given. On a processor the two agree to the last bit with bf16 (a test).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5


class Muon(Optimizer):
    """Nesterov momentum, orthogonalised, with decoupled weight decay.

    Updates are scaled to the size of AdamW's (Liu et al. 2025), so that one learning rate serves both.

    Args:
        params: matrices only.
        dtype: type of the iteration's products.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float,
        weight_decay: float,
        momentum: float = 0.95,
        dtype: torch.dtype = torch.bfloat16,
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for matrices in _taken_together([matrix for matrix in group["params"] if matrix.grad is not None]):
                directions = [self._direction(matrix, group["momentum"]) for matrix in matrices]
                for matrix, update in zip(matrices, _orthogonalise_all(directions, self.dtype), strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"])
                    matrix.add_(update, alpha=-group["lr"] * 0.2 * math.sqrt(max(matrix.shape)))
        return loss

    def _direction(self, matrix: Tensor, momentum: float) -> Tensor:
        """Nesterov's: the gradient with the running average of all gradients, this one included."""
        assert matrix.grad is not None
        average: Tensor = self.state[matrix].setdefault("momentum_buffer", torch.zeros_like(matrix.grad))
        average.lerp_(matrix.grad, 1 - momentum)
        return matrix.grad.lerp(average, momentum)


def _taken_together(matrices: Sequence[Tensor]) -> list[list[Tensor]]:
    """On a GPU all matrices of one shape, since many small products leave it idle between them; on a processor each alone."""
    groups: dict[Hashable, list[Tensor]] = defaultdict(list)
    for place, matrix in enumerate(matrices):
        groups[matrix.shape if matrix.is_cuda else place].append(matrix)
    return list(groups.values())


def _orthogonalise_all(matrices: Sequence[Tensor], dtype: torch.dtype) -> Sequence[Tensor]:
    if len(matrices) == 1:
        return [orthogonalise(matrices[0], dtype)]
    return orthogonalise(torch.stack(list(matrices)), dtype).unbind()


def orthogonalise(matrix: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """U V^T of the singular value decomposition U S V^T, roughly: five Newton-Schulz steps bring S near 1.

    Args:
        matrix: [m, n], or several of them, [B, m, n].
    """
    a, b, c = COEFFICIENTS
    add_product = torch.addmm if matrix.dim() == 2 else torch.baddbmm
    x = matrix.to(dtype)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(STEPS):
        gram = x @ x.mT
        x = add_product(x, add_product(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
