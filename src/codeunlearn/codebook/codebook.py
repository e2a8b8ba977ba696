"""The codebook: cosine search, sum of the selected codes, and deletion by a mask (paper, section 3.1)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codeunlearn.codebook.config import BottleneckConfig, DeletionMode
from codeunlearn.codebook.operator import pursue_codes, select_codes
from codeunlearn.codebook.selecting.reference import Selection
from codeunlearn.errors import CodeUnlearnError


class Codebook(nn.Module):
    """K code vectors c_k of F numbers.

    Attributes:
        weight: [K, F], the code vectors.
        deleted: [K] bool buffer, saved with the weights: a deletion survives save and load.
        code_ids: [K] int64 buffer, the id each row was trained under; rows move when a deletion is committed, ids stay.
        ranked: what a token selects once codes are deleted is the rest of its ranked list; otherwise it depends on what
            stands in for them.
        config: the bottleneck's, which says its ``mode``.
    """

    ranked: ClassVar[bool] = True
    deleted: Tensor
    code_ids: Tensor

    def __init__(self, config: BottleneckConfig) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.empty(config.num_codes, config.code_dim))
        self.register_buffer("deleted", torch.zeros(config.num_codes, dtype=torch.bool))
        self.register_buffer("code_ids", torch.arange(config.num_codes))
        self.reset_parameters()

    @property
    def num_codes(self) -> int:
        return self.weight.shape[0]

    @property
    def mode(self) -> DeletionMode:
        """What happens to a slot whose code is deleted.

        ``refill`` gives it to the next best surviving code (the paper's description), ``drop`` leaves it empty, ``anchor``
        fills it with the mean of the surviving codes.
        """
        return self.config.deletion_mode

    def reset_parameters(self) -> None:
        """Random unit-scale codes and no deletions; training replaces the codes from data."""
        nn.init.normal_(self.weight, std=self.weight.shape[1] ** -0.5)
        nn.init.zeros_(self.deleted)
        with torch.no_grad():
            self.code_ids.copy_(torch.arange(self.num_codes, device=self.code_ids.device))

    def search(self, h: Tensor, s: int, *, ignore_deleted: bool = False) -> Selection:
        """The S most similar codes of each activation (eqs. 1, 2).

        In ``refill`` mode a deleted code is never among them. In ``drop`` and ``anchor`` mode, or with
        ``ignore_deleted``, the search sees all rows; `combine` then treats the deleted ones.

        Args:
            h: [N, F] encoded activations.
            s: codes per activation, S or S'.

        Raises:
            CodeUnlearnError: there are not so many codes, or not so many are left in ``refill`` mode; or an activation or a
                code is no finite number.
        """
        return self.search_without(h, s, self.deleted if self.mode == "refill" and not ignore_deleted else None)

    def search_without(self, h: Tensor, s: int, hidden: Tensor | None) -> Selection:
        """As `search`, among all codes but the ``hidden`` ones, [K] bool, whatever is deleted."""
        self.require_present()
        if s > self.num_codes:
            raise CodeUnlearnError(f"Cannot select {s} codes: the codebook has {self.num_codes}; lower S or S'.")
        return select_codes(h, self.weight, hidden, s, keep=self._may_keep())

    def require_present(self) -> None:
        """That the codes are on a device.

        Raises:
            CodeUnlearnError: they wait elsewhere until a module runs that never does, since codes are looked up without it.
        """
        if self.weight.is_meta:
            raise CodeUnlearnError(
                f"The codebook is offloaded with its layer ({self.config.site}); give a device_map that keeps this layer on a "
                "device."
            )

    def _may_keep(self) -> bool:
        """Whether the codes stay as they are until the next search."""
        return not (self.training or (torch.is_grad_enabled() and self.weight.requires_grad))

    def combine(self, selection: Selection) -> Tensor:
        """Sum of the selected code vectors as they are (eq. 3), [N, F]; deleted slots follow ``mode``."""
        gone = self.deleted[selection.ids]
        weights = (~gone).to(self.weight.dtype)
        total = F.embedding_bag(selection.ids, self.weight, mode="sum", per_sample_weights=weights)
        if self.mode == "anchor":
            total = total + gone.sum(-1, keepdim=True).to(total.dtype) * self._anchor()
        return total

    def _anchor(self) -> Tensor:
        """[F]: the mean of the surviving codes; zero where none survives."""
        surviving = self.weight.masked_fill(self.deleted[:, None], 0)
        return surviving.sum(0) / (~self.deleted).sum().clamp_min(1)

    @torch.no_grad()
    def add_rows(self, codes: Tensor) -> None:
        """Appends [n, F] code vectors under ids of their own; all others stay as they are."""
        first = int(self.code_ids.max()) + 1
        ids = torch.arange(first, first + len(codes), device=self.code_ids.device)
        self.weight = nn.Parameter(torch.cat([self.weight, codes.to(self.weight)]), self.weight.requires_grad)
        self.code_ids = torch.cat([self.code_ids, ids])
        self.deleted = torch.cat([self.deleted, self.deleted.new_zeros(len(codes))])
        self.config.num_codes = self.num_codes

    @torch.no_grad()
    def remove_deleted_rows(self) -> int:
        """Takes the deleted rows out of the weights for good; returns how many are gone."""
        keep = ~self.deleted
        removed = int(self.deleted.sum())
        self.weight = nn.Parameter(self.weight[keep].clone(), requires_grad=self.weight.requires_grad)
        self.code_ids = self.code_ids[keep].clone()
        self.deleted = self.deleted[keep].clone()
        self.config.num_codes = self.num_codes
        return removed


class PursuitCodebook(Codebook):
    """A codebook of two kinds: one lexical code for each activation, then residual codes for what is still unexplained.

    The scores of its selections are coefficients (`selecting/pursuit.py`). A deleted lexical code's slot goes to the most
    similar lexical code that is left, and what follows is chosen for what that one leaves.
    """

    ranked: ClassVar[bool] = False

    @property
    def is_lexical(self) -> Tensor:
        """[K] bool: codes with an id below ``lexical_codes`` of the configuration; the others are residual."""
        return self.code_ids < self.config.lexical_codes

    def search_without(self, h: Tensor, s: int, hidden: Tensor | None) -> Selection:
        """See the class; arguments and errors as `Codebook.search_without`."""
        self.require_present()
        return pursue_codes(h, self.weight, self.is_lexical, hidden, s, keep=self._may_keep())

    def combine(self, selection: Selection) -> Tensor:
        """Sum of the selected codes times their coefficients, [N, F]; deleted slots follow ``mode``."""
        gone = self.deleted[selection.ids]
        weights = selection.scores.to(self.weight.dtype) * ~gone
        total = F.embedding_bag(selection.ids, self.weight, mode="sum", per_sample_weights=weights)
        if self.mode == "anchor":
            total = total + gone.sum(-1, keepdim=True).to(total.dtype) * self._anchor()
        return total
