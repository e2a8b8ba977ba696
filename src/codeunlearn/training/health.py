"""How well the codebook does while it trains: measured from the first step, outside ``forward``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from codeunlearn.codebook.basis import SignedPermutation
from codeunlearn.codebook.bottleneck import BottleneckOutput


@dataclass(frozen=True)
class Health:
    """State of the codebook over the tokens since the last report.

    Attributes:
        dead_share: codes that no token selected, as a share of K.
        usage_entropy: entropy of the codes' use over its maximum log K; 1 is uniform use.
        unexplained_variance: squared error of the reconstruction over the variance of the activations.
        code_unexplained_variance: the same in code space, between encoding and sum of codes.
        norm_ratio: mean norm of the reconstruction over mean norm of the activation.
    """

    dead_share: float
    usage_entropy: float
    unexplained_variance: float
    code_unexplained_variance: float
    norm_ratio: float

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


class HealthMonitor:
    """Adds up what batches show; `report` gives the state since the last report and starts anew."""

    def __init__(self, num_codes: int) -> None:
        self.usage = torch.zeros(num_codes, dtype=torch.long)
        self._sums = torch.zeros(5, dtype=torch.float64)

    @torch.no_grad()
    def update(self, output: BottleneckOutput, mask: Tensor, basis: SignedPermutation | None = None) -> Tensor:
        """Counts real tokens only.

        Returns:
            [K] how many tokens of the batch select each code.

        Args:
            output: the bottleneck's record of one batch.
            mask: [batch, length], 1 for real tokens.
            basis: as in `bottleneck_losses`.
        """
        real = mask.bool()
        used = torch.bincount(output.ids[real].flatten().cpu(), minlength=len(self.usage))
        self.usage += used
        a, a_hat = output.a[real].float(), output.a_hat[real].float()
        a = basis.apply(a) if basis is not None else a
        h, code_sum = output.h[real].float(), output.code_sum[real].float()
        self._sums += torch.stack(
            [
                (a - a_hat).square().sum() / (a - a.mean(0)).square().sum().clamp_min(1e-8),
                (h - code_sum).square().sum() / (h - h.mean(0)).square().sum().clamp_min(1e-8),
                a_hat.norm(dim=-1).mean(),
                a.norm(dim=-1).mean(),
                torch.ones((), device=a.device),
            ]
        ).to("cpu", torch.float64)
        return used

    def report(self, total: Callable[[Tensor], Tensor] = lambda own: own) -> Health:
        """The state since the last report.

        Args:
            total: sums a tensor over all processes that train together.
        """
        usage, sums = total(self.usage), total(self._sums)
        shares = usage / usage.sum().clamp_min(1)
        entropy = torch.special.entr(shares).sum() / torch.log(torch.tensor(float(len(shares))))
        unexplained, code_unexplained, norm_out, norm_in, batches = sums.tolist()
        batches = max(batches, 1.0)
        health = Health(
            dead_share=float((usage == 0).float().mean()),
            usage_entropy=float(entropy),
            unexplained_variance=unexplained / batches,
            code_unexplained_variance=code_unexplained / batches,
            norm_ratio=norm_out / max(norm_in, 1e-8),
        )
        self.usage.zero_()
        self._sums.zero_()
        return health
