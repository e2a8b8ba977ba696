"""The codebook: cosine search, sum of the selected codes, and deletion by a mask (paper, section 3.1)."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from codeunlearn.codebook.fast_search import PreparedCodes, top_s
from codeunlearn.codebook.search import Selection
from codeunlearn.errors import CodeUnlearnError

DeletionMode = Literal["refill", "drop", "anchor"]
DELETION_MODES: tuple[DeletionMode, ...] = get_args(DeletionMode)


class Codebook(nn.Module):
    """K code vectors c_k of F numbers.

    Attributes:
        weight: [K, F], the code vectors.
        deleted: [K] bool buffer, saved with the weights: a deletion survives save and load.
        code_ids: [K] int64 buffer, the id each row was trained under; rows move when a deletion is committed, ids stay.
        mode: what happens to a slot whose code is deleted. ``refill`` gives it to the next best surviving code (the
            paper's description), ``drop`` leaves it empty, ``anchor`` fills it with the mean of the surviving codes.
    """

    deleted: Tensor
    code_ids: Tensor

    def __init__(self, num_codes: int, code_dim: int, mode: DeletionMode = "refill") -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_codes, code_dim))
        self.register_buffer("deleted", torch.zeros(num_codes, dtype=torch.bool))
        self.register_buffer("code_ids", torch.arange(num_codes))
        self.mode: DeletionMode = mode
        self._kept: tuple[Hashable, PreparedCodes] | None = None
        self.reset_parameters()

    @property
    def num_codes(self) -> int:
        return self.weight.shape[0]

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
        """
        if s > self.num_codes:
            raise CodeUnlearnError(f"Cannot select {s} codes: the codebook has {self.num_codes}; lower S or S'.")
        hide = self.mode == "refill" and not ignore_deleted
        return top_s(h, self._prepared(hide), s)

    def _prepared(self, hide: bool) -> PreparedCodes:
        """The codes in the form that the search wants, kept between searches while neither weights nor deletions change.

        While there are gradients nothing is kept, because torch does not count what a fused optimizer writes.
        """
        deleted = self.deleted if hide else None
        if self.training or (torch.is_grad_enabled() and self.weight.requires_grad):
            self._kept = None
            return PreparedCodes(self.weight, deleted)
        state = (hide, *map(_version, (self.weight, self.deleted)))
        if self._kept is None or self._kept[0] != state:
            self._kept = (state, PreparedCodes(self.weight, deleted))
        return self._kept[1]

    def __getstate__(self) -> dict[str, Any]:
        """Copies and pickles prepare their codes themselves."""
        return {**self.__dict__, "_kept": None}

    def combine(self, selection: Selection) -> Tensor:
        """Sum of the selected code vectors as they are (eq. 3), [N, F]; deleted slots follow ``mode``."""
        gone = self.deleted[selection.ids] | selection.scores.isneginf()
        weights = (~gone).to(self.weight.dtype)
        total = F.embedding_bag(selection.ids, self.weight, mode="sum", per_sample_weights=weights)
        if self.mode == "anchor" and bool(gone.any()):
            total = total + gone.sum(-1, keepdim=True).to(total.dtype) * self._anchor()
        return total

    def _anchor(self) -> Tensor:
        surviving = self.weight[~self.deleted]
        return surviving.mean(0) if len(surviving) else self.weight.new_zeros(self.weight.shape[1])

    @torch.no_grad()
    def remove_deleted_rows(self) -> int:
        """Takes the deleted rows out of the weights for good; returns how many are gone."""
        keep = ~self.deleted
        removed = int(self.deleted.sum())
        self.weight = nn.Parameter(self.weight[keep].clone(), requires_grad=self.weight.requires_grad)
        self.code_ids = self.code_ids[keep].clone()
        self.deleted = self.deleted[keep].clone()
        return removed


def _version(tensor: Tensor) -> Hashable:
    """Differs when the tensor is another or has been written to; torch counts in-place writes."""
    return tensor.data_ptr(), tensor.device, tensor.dtype, tensor.shape, 0 if tensor.is_inference() else tensor._version
